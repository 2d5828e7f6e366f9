// No browser, but what servers in JavaScript call with: @grpc/grpc-js, over the contracts alone.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { adminKey, apply, fresh, makeGraph, url } from "../lib/api.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let graphs;

before(() => {
  const buf = join(root, "gateway/console/node_modules/.bin/buf");
  const build = ["build", "--as-file-descriptor-set", "-o", "-#format=binpb"];
  const contracts = execFileSync(buf, build, { cwd: root, maxBuffer: 64 << 20 });
  // Names are those of the contract, not of JSON.
  const options = { longs: String, enums: String, oneofs: true };
  const { weft } = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(contracts, options));
  graphs = new weft.graph.v1.GraphService(new URL(url).host, grpc.credentials.createInsecure());
});
after(() => graphs?.close());

const signed = (key = adminKey) => {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${key}`);
  return metadata;
};

/** The answer of a call of one message, or its error. */
const ask = (method, message, metadata = signed()) =>
  new Promise((resolve) => graphs[method](message, metadata, (error, answer) => resolve(error ?? answer)));

test("grpc-js asks, and is told what is wrong", { timeout: 60_000 }, async () => {
  const name = `projects/default/graphs/${await makeGraph(fresh("js"))}`;
  assert.equal((await ask("getGraph", { name })).name, name);
  const nowhere = await ask("getGraph", { name: "projects/default/graphs/nowhere" });
  assert.equal(nowhere.code, grpc.status.NOT_FOUND);
  const [details] = nowhere.metadata.get("grpc-status-details-bin");
  assert.ok(details.includes("GRAPH_NOT_FOUND"));
  assert.equal((await ask("getGraph", { name }, signed("nobody"))).code, grpc.status.UNAUTHENTICATED);
});

test("grpc-js hears what happens, and goes", { timeout: 60_000 }, async () => {
  const id = await makeGraph(fresh("js"));
  const watch = graphs.watchGraph({ graph: `projects/default/graphs/${id}`, after_revision: "1" }, signed());
  const heard = watch[Symbol.asyncIterator]();
  assert.equal((await heard.next()).value.caught_up_revision, "1");
  await apply(id, [{ upsertNode: { node: { key: "a" } } }]);
  assert.equal((await heard.next()).value.changes.revision, "2");
  watch.cancel();
  await assert.rejects(heard.next(), { code: grpc.status.CANCELLED });
});

test("grpc-js talks both ways", { timeout: 60_000 }, async () => {
  const graph = `projects/default/graphs/${await makeGraph(fresh("js"))}`;
  const talk = graphs.importGraph(signed());
  talk.write({ begin: { graph } });
  talk.write({ file: { path: "edges.tsv" } });
  talk.write({ data: Buffer.from("a\tb\nb\tc\n") });
  talk.end();
  let last;
  for await (const answer of talk) last = answer;
  assert.equal(last.result.revision, "2");
});
