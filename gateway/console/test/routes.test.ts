import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CallKind, RouteSchema } from "../src/gen/weft/gateway/v1/gateway_service_pb";
import { Access } from "../src/gen/weft/options/v1/options_pb";
import { upstreams } from "../src/settings/routes";

const route = (path: string, more: MessageInitShape<typeof RouteSchema> = {}) =>
  create(RouteSchema, { path, kind: CallKind.UNARY, access: Access.VIEWER, ...more });
const get = (path: string) => [{ method: "GET", path }];

const routes = [
  route("/shop.v1.Shop/Price", {
    upstream: "shop",
    healthyConnectionCount: 1,
    connectionCount: 2,
    httpRoutes: get("/shop/{name}"),
  }),
  route("/weft.graph.v1.GraphService/GetGraph", {
    httpRoutes: get("/v1/{name=projects/*/graphs/*}"),
    mcpTool: true,
  }),
  route("/weft.graph.v1.GraphService/ImportGraph", {
    kind: CallKind.BIDIRECTIONAL_STREAM,
    httpRoutes: get("/v1/import"),
  }),
  route("/weft.identity.v1.IdentityService/WhoAmI", { access: Access.PUBLIC }),
];

describe("the routes", () => {
  it("are told by upstream and service, the mesh's own first", () => {
    const [own, shop] = upstreams(routes, "");
    expect([own.name, shop.name]).toEqual(["", "shop"]);
    expect(own.services.map((service) => [service.name, service.methods.map(({ name }) => name)])).toEqual([
      ["weft.graph.v1.GraphService", ["GetGraph", "ImportGraph"]],
      ["weft.identity.v1.IdentityService", ["WhoAmI"]],
    ]);
    expect(shop.connections).toEqual({ healthy: 1, all: 2 });
    expect(own.services[0].methods[0]).toEqual({
      name: "GetGraph",
      path: "/weft.graph.v1.GraphService/GetGraph",
      kind: "one answer",
      access: "viewer",
      tool: true,
      rest: ["GET /v1/{name=projects/*/graphs/*}"],
      docs: "/docs#GraphService_GetGraph",
    });
  });

  it("can be tried where the documentation has a form", () => {
    const docs = (path: string) => upstreams(routes, path)[0].services[0].methods[0].docs;
    expect(docs("Price")).toBe("/docs#Shop_Price");
    expect(docs("ImportGraph")).toBeUndefined();
    expect(docs("WhoAmI")).toBeUndefined();
  });

  it("of services with one simple name lead to names that tell them apart", () => {
    const more = [
      ...routes,
      route("/other.v1.GraphService/Get", { upstream: "other", httpRoutes: get("/other") }),
      route("/other.v1.Shop/Price", { upstream: "other", httpRoutes: get("/other-shop") }),
    ];
    const docs = upstreams(more, "")
      .flatMap(({ services }) => services)
      .map(({ name, methods }) => [name, methods[0].docs]);
    expect(Object.fromEntries(docs)).toEqual({
      "weft.graph.v1.GraphService": "/docs#GraphService_GetGraph",
      "weft.identity.v1.IdentityService": undefined,
      "other.v1.GraphService": "/docs#other_v1_GraphService_Get",
      "other.v1.Shop": "/docs#other_v1_Shop_Price",
      "shop.v1.Shop": "/docs#shop_v1_Shop_Price",
    });
  });

  it("are found by every word, in any order", () => {
    const names = (filter: string) =>
      upstreams(routes, filter).flatMap(({ services }) =>
        services.flatMap(({ methods }) => methods.map(({ name }) => name)),
      );
    expect(names("projects getgraph")).toEqual(["GetGraph"]);
    expect(names("SHOP")).toEqual(["Price"]);
    expect(names("shop graph")).toEqual([]);
  });
});
