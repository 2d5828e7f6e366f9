// One page over a mesh whose processes die and come back: `node outage.mjs GRAPH`, run by
// tests/polyglot/test_processes.py, which kills and starts them. Each says a word to the other: this says what it
// has seen, on standard output, and waits for a line before it goes on.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { apply, call } from "./lib/api.mjs";
import { assertQuiet, launch, open, openGraph, stats } from "./lib/browser.mjs";

const PATIENCE = { timeout: 60_000 };
const id = process.argv[2];
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const state = (page, name) => page.waitForSelector(`[data-testid="connection"][data-state="${name}"]`, PATIENCE);

async function say(word) {
  console.log(word);
  assert.ok(!(await lines.next()).done, "whoever started this has gone");
}

const browser = await launch();
try {
  const page = await open(browser);
  await openGraph(page, id, PATIENCE);
  assert.equal((await stats(page)).nodes, 3, "what was imported is drawn");
  await page.keyboard.press("/");
  await page.keyboard.type("b");
  await page.waitForSelector(".search-result");
  await page.keyboard.press("Enter");
  await page.waitForSelector('[data-testid="panel"] h2:has-text("b")');
  await state(page, "live");
  assertQuiet(page);
  await say("open");

  await state(page, "reconnecting");
  await say("lost");

  // Back by itself: nothing is missing, a change appears, and the layout has a place for it.
  await state(page, "live");
  await apply(id, [
    { upsertNode: { node: { key: "newcomer" } } },
    { upsertEdge: { edge: { source: "b", target: "newcomer" } } },
  ]);
  await page.waitForFunction(() => window.__weft.stats().nodes === 4, null, PATIENCE);
  await page.waitForFunction(() => window.__weft.place("newcomer") !== null, null, PATIENCE);
  const statistics = await call("GET", `/v1/projects/default/graphs/${id}:statistics`);
  assert.equal(Number(statistics.nodeCount), 4);
  console.log("done");
} finally {
  await browser.close();
  process.stdin.destroy();
}
