// What breaks between the page and the mesh, and how the page comes back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { adminKey, apply, fresh, makeGraph, url, villages } from "../lib/api.mjs";
import { launch, open, openGraph, place, stats } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const WATCH = "**/weft.graph.v1.GraphService/WatchGraph";
const live = (page) => page.waitForSelector('[data-testid="connection"][data-state="live"]', { timeout: 30_000 });

/** The reason why a watch cannot begin after a revision, or none if it can. */
async function refusal(id, revision) {
  const path = `/v1/projects/default/graphs/${id}:watch?afterRevision=${revision}`;
  const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${adminKey}` } });
  const { value } = await answer.body.getReader().read();
  return /REVISION_COMPACTED/.exec(Buffer.from(value ?? []).toString())?.[0] ?? "";
}

test("who was away for longer than revisions are kept gets the graph anew", async () => {
  const id = await makeGraph(fresh("compacted"), villages(2, 6));
  const page = await open(browser);
  let snapshots = 0;
  page.on("request", (request) => {
    if (request.url().endsWith("/StreamSnapshot")) snapshots++;
  });
  // The page has a snapshot, and then no way to hear what comes after it.
  await page.route(WATCH, (route) => route.abort());
  await openGraph(page, `${id}?node=village0-house3`);
  await page.waitForSelector('[data-testid="panel"] h2:has-text("village0-house3")');
  await page.waitForSelector('[data-testid="connection"][data-state="reconnecting"]');
  const { revision } = await stats(page);
  // More than the mesh keeps in memory, and more revisions than its journal keeps.
  const text = "x".repeat(60_000);
  for (let part = 0; part < 8; part++) {
    const nodes = Array.from({ length: 5 }, (_, i) => ({ key: `new${part}-${i}`, properties: { text } }));
    await apply(id, nodes.map((node) => ({ upsertNode: { node } })));
  }
  await apply(id, [{ deleteNode: { key: "village1-house5" } }]);
  while ((await refusal(id, revision)) === "") await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(snapshots, 1);
  await page.unroute(WATCH);
  await page.waitForFunction(() => window.__weft.stats().nodes === 51, null, { timeout: 30_000 });
  assert.equal(snapshots, 2, "the graph was read anew, once");
  await live(page);
  // The node at hand is still at hand, and what comes after the new snapshot is followed.
  await page.waitForSelector('[data-testid="panel"] h2:has-text("village0-house3")');
  await apply(id, [{ upsertNode: { node: { key: "after" } } }]);
  await page.waitForFunction(() => window.__weft.stats().nodes === 52);
  await page.context().close();
});

test("a position stream that is cut comes back by itself, and moves the same nodes", async () => {
  const id = await makeGraph(fresh("cut"), villages(3, 8));
  const page = await open(browser);
  const sockets = [];
  await page.routeWebSocket(/\/ws$/, (socket) => {
    socket.connectToServer();
    sockets.push(socket);
  });
  await openGraph(page, id);
  assert.equal(sockets.length, 1);
  const { frames } = await stats(page);
  await sockets[0].close({ code: 1011, reason: "cut by the test" });
  await page.waitForSelector('[data-testid="connection"][data-state="reconnecting"]');
  await live(page);
  assert.equal(sockets.length, 2);
  // A new stream tells its ids again: the map is the same graph, not its ghost.
  await page.waitForFunction((seen) => window.__weft.stats().frames > seen, frames, { timeout: 15_000 });
  await page.click('[aria-label="Reheat"]');
  const before = await place(page, "village1-house0");
  await page.waitForFunction(
    ([key, [x, y]]) => {
      const at = window.__weft.place(key);
      return at !== null && Math.hypot(at[0] - x, at[1] - y) > 0;
    },
    ["village1-house0", before],
    { timeout: 15_000 },
  );
  const { nodes, placing } = await stats(page);
  assert.deepEqual([nodes, placing], [24, false]);
  await page.context().close();
});
