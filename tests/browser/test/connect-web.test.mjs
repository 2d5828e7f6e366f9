// Another page than ours: @connectrpc/connect-web in a browser, in each way that it has to call.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { adminKey, apply, fresh, makeGraph, url } from "../lib/api.mjs";
import { launch, open } from "../lib/browser.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const modules = join(root, "gateway/console/node_modules");

// What a bundler would do: where the packages' modules are.
const imports = {
  "@bufbuild/protobuf": "@bufbuild/protobuf/dist/esm/index.js",
  "@connectrpc/connect": "@connectrpc/connect/dist/esm/index.js",
  "@connectrpc/connect-web": "@connectrpc/connect-web/dist/esm/index.js",
};
for (const part of ["codegenv1", "codegenv2", "reflect", "wire", "wkt"]) {
  imports[`@bufbuild/protobuf/${part}`] = `@bufbuild/protobuf/dist/esm/${part}/index.js`;
}
for (const part of ["protocol", "protocol-connect", "protocol-grpc", "protocol-grpc-web"]) {
  imports[`@connectrpc/connect/${part}`] = `@connectrpc/connect/dist/esm/${part}/index.js`;
}
for (const [name, path] of Object.entries(imports)) imports[name] = `/test-page/modules/${path}`;

const html = `<!doctype html><title>test</title><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
  import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
  import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
  import { Code, ConnectError, createClient } from "@connectrpc/connect";
  import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
  const bytes = new Uint8Array(await (await fetch("/test-page/contracts.binpb")).arrayBuffer());
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
  const make = {
    "connect in JSON": (options) => createConnectTransport(options),
    "connect in protobuf": (options) => createConnectTransport({ ...options, useBinaryFormat: true }),
    "connect by GET": (options) => createConnectTransport({ ...options, useHttpGet: true }),
    "grpc-web": (options) => createGrpcWebTransport(options),
  };
  window.page = { Code, ConnectError, registry, client(kind, key) {
    const signed = (next) => (request) => {
      request.header.set("authorization", "Bearer " + key);
      return next(request);
    };
    const transport = make[kind]({ baseUrl: location.origin, interceptors: [signed] });
    return createClient(registry.getService("weft.graph.v1.GraphService"), transport);
  } };
</script>`;

let browser;
let contracts;
before(async () => {
  const buf = join(modules, ".bin/buf");
  const options = { cwd: root, maxBuffer: 64 << 20 };
  contracts = execFileSync(buf, ["build", "--as-file-descriptor-set", "-o", "-#format=binpb"], options);
  browser = await launch();
});
after(() => browser?.close());

/** A page that only this file knows, on the mesh's own origin. */
async function strange() {
  const page = await open(browser);
  await page.route("**/test-page/**", (route) => {
    const path = new URL(route.request().url()).pathname.replace("/test-page/", "");
    if (path === "") return route.fulfill({ contentType: "text/html", body: html });
    if (path === "contracts.binpb") return route.fulfill({ contentType: "application/octet-stream", body: contracts });
    assert.equal(extname(path), ".js", path);
    const body = readFileSync(join(modules, path.replace("modules/", "")), "utf8");
    return route.fulfill({ contentType: "text/javascript", body });
  });
  await page.goto(`${url}/test-page/`);
  await page.waitForFunction(() => window.page, null, { timeout: 60_000 });
  return page;
}

for (const kind of ["connect in JSON", "connect in protobuf", "connect by GET", "grpc-web"]) {
  test(`connect-web, ${kind}`, { timeout: 120_000 }, async () => {
    const id = await makeGraph(fresh("strange"));
    const name = `projects/default/graphs/${id}`;
    const page = await strange();
    const asked = [];
    page.on("request", (request) => {
      if (request.url().includes("/GetGraph")) asked.push(request.method());
    });
    await page.exposeFunction("change", () => apply(id, [{ upsertNode: { node: { key: "a" } } }]));

    const said = await page.evaluate(
      async ([kind, key, name]) => {
        const { Code, ConnectError, client, registry } = window.page;
        const graphs = client(kind, key);
        const found = await graphs.getGraph({ name });
        const refused = async (call) => {
          const error = ConnectError.from(await call.then(() => null, (error) => error));
          const [info] = error.findDetails(registry.getMessage("google.rpc.ErrorInfo"));
          return [Code[error.code], error.rawMessage, info?.reason];
        };
        const nowhere = await refused(graphs.getGraph({ name: "projects/default/graphs/nowhere" }));
        const stranger = await refused(client(kind, "nobody").getGraph({ name }));
        const heard = [];
        for await (const { event } of graphs.watchGraph({ graph: name, afterRevision: found.revision })) {
          heard.push([event.case, String(event.value.revision ?? event.value)]);
          if (heard.length === 1) await window.change();
          else break;
        }
        return { name: found.name, nowhere, stranger, heard };
      },
      [kind, adminKey, name],
    );
    assert.equal(said.name, name);
    assert.deepEqual([said.nowhere[0], said.nowhere[2]], ["NotFound", "GRAPH_NOT_FOUND"]);
    assert.equal(said.stranger[0], "Unauthenticated");
    assert.deepEqual(said.heard, [["caughtUpRevision", "1"], ["changes", "2"]]);
    assert.deepEqual([...new Set(asked)], [kind === "connect by GET" ? "GET" : "POST"]);
    await page.context().close();
  });
}
