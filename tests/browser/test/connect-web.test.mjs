// Another page than ours: @connectrpc/connect-web in a browser, in each way that it has to call.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { adminKey, apply, fresh, makeGraph, url } from "../lib/api.mjs";
import { launch, open } from "../lib/browser.mjs";
import { startMesh } from "../lib/mesh.mjs";

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
  window.page = {
    client(kind, key, baseUrl = location.origin) {
      const signed = (next) => (request) => {
        request.header.set("authorization", "Bearer " + key);
        return next(request);
      };
      const transport = make[kind]({ baseUrl, interceptors: [signed] });
      return createClient(registry.getService("weft.graph.v1.GraphService"), transport);
    },
    async refused(call) {
      const error = ConnectError.from(await call.then(() => null, (error) => error));
      const [info] = error.findDetails(registry.getMessage("google.rpc.ErrorInfo"));
      return [Code[error.code], error.rawMessage, info?.reason];
    },
  };
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

const kinds = ["connect in JSON", "connect in protobuf", "connect by GET", "grpc-web"];

/** What is at a path of the page. */
function part(pathname) {
  const path = pathname.replace("/test-page/", "");
  if (path === "") return { contentType: "text/html", body: html };
  if (path === "contracts.binpb") return { contentType: "application/octet-stream", body: contracts };
  assert.equal(extname(path), ".js", path);
  return { contentType: "text/javascript", body: readFileSync(join(modules, path.replace("modules/", "")), "utf8") };
}

/** A page that only this file knows, on the mesh's own origin or on another that has it. */
async function strange(origin = url) {
  const page = await open(browser);
  if (origin === url) {
    await page.route("**/test-page/**", (route) => route.fulfill(part(new URL(route.request().url()).pathname)));
  }
  await page.goto(`${origin}/test-page/`);
  await page.waitForFunction(() => window.page, null, { timeout: 60_000 });
  return page;
}

for (const kind of kinds) {
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
        const { client, refused } = window.page;
        const graphs = client(kind, key);
        const found = await graphs.getGraph({ name });
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

/** A server that has the page, and nothing else. */
async function elsewhere() {
  const server = createServer((request, response) => {
    if (!request.url.startsWith("/test-page/")) return response.writeHead(404).end();
    const { contentType, body } = part(request.url);
    response.writeHead(200, { "content-type": contentType }).end(body);
  });
  server.unref();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections()));
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}

test("connect-web, from pages of other origins: the one that is named, and no other", { timeout: 240_000 }, async () => {
  const [named, other] = [await elsewhere(), await elsewhere()];
  const mesh = await startMesh({ settings: { WEFT_GATEWAY__ALLOWED_ORIGINS: JSON.stringify([named.origin]) } });
  try {
    const base = mesh.env.WEFT_URL;
    const key = readFileSync(mesh.env.WEFT_KEY_FILE, "utf8").trim();
    const [friend, stranger] = [await strange(named.origin), await strange(other.origin)];
    for (const kind of kinds) {
      const id = fresh("elsewhere");
      // Nothing that it would change is changed, and nothing is told: not even why.
      const refused = await stranger.evaluate(
        ([kind, key, base, id]) => {
          const { client, refused } = window.page;
          const graphs = client(kind, key, base);
          const parent = "projects/default";
          return Promise.all([
            refused(graphs.createGraph({ parent, graphId: id, graph: { displayName: "no" } })),
            refused(graphs.listGraphs({ parent })),
            refused(graphs.watchGraph({ graph: `${parent}/graphs/${id}` })[Symbol.asyncIterator]().next()),
          ]);
        },
        [kind, key, base, id],
      );
      assert.deepEqual(refused.map(([, message]) => message), Array(3).fill("Failed to fetch"), kind);

      const said = await friend.evaluate(
        async ([kind, key, base, id]) => {
          const { client, refused } = window.page;
          const graphs = client(kind, key, base);
          const parent = "projects/default";
          const graph = `${parent}/graphs/${id}`;
          const errors = [
            await refused(graphs.getGraph({ name: graph })),
            await refused(graphs.watchGraph({ graph })[Symbol.asyncIterator]().next()),
          ];
          const { name, revision } = await graphs.createGraph({ parent, graphId: id, graph: { displayName: "yes" } });
          const heard = [];
          for await (const { event } of graphs.watchGraph({ graph, afterRevision: revision })) {
            heard.push(event.case);
            if (heard.length > 1) break;
            const change = { case: "upsertNode", value: { node: { key: "a" } } };
            await graphs.applyChanges({ graph, changes: [{ change }] });
          }
          return { name, errors: errors.map(([code, , reason]) => [code, reason]), heard };
        },
        [kind, key, base, id],
      );
      const missing = ["NotFound", "GRAPH_NOT_FOUND"];
      const name = `projects/default/graphs/${id}`;
      assert.deepEqual(said, { name, errors: [missing, missing], heard: ["caughtUpRevision", "changes"] }, kind);
    }
    await Promise.all([friend, stranger].map((page) => page.context().close()));
  } finally {
    await Promise.all([mesh.stop(), named.close(), other.close()]);
  }
});
