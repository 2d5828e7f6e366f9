// What the gateway of the demo serves: an upstream that is well, one that half is, one that is not, and many methods.
import type { ServiceImpl } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { CallKind, type GatewayService } from "../src/gen/weft/gateway/v1/gateway_service_pb";
import { Access } from "../src/gen/weft/options/v1/options_pb";

export function demoRoutes(mode: string): Partial<ServiceImpl<typeof GatewayService>> {
  const methods = (service: string, count: number, upstream = "", healthy = 0, all = 0) =>
    Array.from({ length: count }, (_, i) => ({
      path: `/${service}/Method${i}`,
      kind: 1 + (i % 4),
      access: i === 0 ? Access.PUBLIC : Access.OPERATOR,
      mcpTool: i % 3 === 0,
      upstream,
      healthyConnectionCount: healthy,
      connectionCount: all,
      httpRoutes:
        i % 4 < 2 ? [{ method: "GET", path: `/v1/{name=projects/*/things/*/parts/*}:method${i}` }] : [],
    }));
  return {
    listRoutes() {
      if (mode === "error")
        throw new ConnectError("the database of this mesh is being restored", Code.Unavailable);
      if (mode === "empty") return { routes: [], problems: [] };
      return {
        routes: [
          ...methods("billing.v1.Invoices", 8, "billing", 0, 4),
          ...methods("shop.v1.Orders", 6, "shop", 3, 4),
          ...methods("shop.v1.Shop", 4, "shop", 3, 4),
          ...methods("weft.graph.v1.GraphService", 20),
          ...methods("weft.identity.v1.IdentityService", 12),
          ...methods("with.a.very.long.package.name.that.never.ends.v1.LongService", 300),
          { path: "/x.v1.X/Chat", kind: CallKind.BIDIRECTIONAL_STREAM, access: Access.ADMIN },
        ],
        problems: [
          {
            upstream: "legacy",
            description: "its contracts cannot be read: reflection answers UNIMPLEMENTED",
          },
        ],
      };
    },
  };
}
