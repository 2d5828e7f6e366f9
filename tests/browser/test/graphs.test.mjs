// The list of graphs in all its states, and what can be done from it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, fresh, makeGraph, makeKey, villages } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const LIST = "**/weft.graph.v1.GraphService/ListGraphs";

test("the list shows, filters and sorts graphs, and its address can be shared", async () => {
  const id = fresh("listed");
  await makeGraph(id, villages(2, 5));
  const page = await open(browser);
  await signIn(page, `/graphs?q=${id}`);
  const row = page.locator(".table-row-link", { hasText: id });
  await row.waitFor();
  assert.equal(await page.locator(".table-row-link").count(), 1);
  assert.equal(await row.locator(".number").first().textContent(), "10");
  await page.click("text=Nodes");
  await page.waitForURL(/sort=nodes/);
  await assertAccessible(page, "graphs");
  await page.fill('[aria-label="Filter graphs"]', "");
  await shot(page, "graphs-dark");
  // On a mesh with many graphs the row may be far down, and rows that are not seen are not there.
  await page.fill('[aria-label="Filter graphs"]', id);
  await row.locator("a").click();
  await page.waitForURL(new RegExp(`/graphs/default/${id}`));
  assertQuiet(page);
  await page.context().close();
});

test("an empty project says how to begin", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/graphs?project=${fresh("empty")}`);
  await page.waitForSelector("text=No graphs here yet");
  await page.waitForSelector("text=weft graph import");
  await assertAccessible(page, "an empty project");
  await shot(page, "graphs-empty-light");
  assertQuiet(page);
  await page.context().close();
});

test("while the list loads there are skeletons, and no jump after it", async () => {
  const page = await open(browser);
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route(LIST, async (route) => {
    await held;
    await route.continue();
  });
  await signIn(page);
  await page.waitForSelector(".skeleton");
  const before = await page.locator(".table-head").boundingBox();
  await shot(page, "graphs-loading-dark");
  release();
  await page.waitForSelector(".table-row-link");
  assert.deepEqual(await page.locator(".table-head").boundingBox(), before);
  await page.context().close();
});

test("a list that fails says why, and tries again when asked", async () => {
  const page = await open(browser, { theme: "light" });
  await page.route(LIST, (route) => route.abort());
  await signIn(page);
  await page.waitForSelector("text=The graphs cannot be listed", { timeout: 20_000 });
  await page.waitForSelector("text=The mesh cannot be reached");
  await assertAccessible(page, "a failed list");
  await shot(page, "graphs-error-light");
  await page.unroute(LIST);
  await page.click("text=Try again");
  await page.waitForSelector(".table-row-link");
  await page.context().close();
});

test("a graph is made, filled from a file, exported and deleted", async () => {
  const id = fresh("made");
  const page = await open(browser);
  await signIn(page);
  await page.click("text=New graph");
  await page.fill("dialog input >> nth=0", id);
  await page.click("text=Create and import files");
  await page.setInputFiles("dialog input[type=file]", {
    name: "roads.tsv",
    mimeType: "text/tab-separated-values",
    buffer: Buffer.from("a\tb\nb\tc\nc\ta\nc\td\n"),
  });
  await page.click("dialog button[type=submit]");
  await page.waitForSelector('[data-testid="import-done"]');
  await page.click("dialog >> text=Close");
  const graph = await call("GET", `/v1/projects/default/graphs/${id}`);
  assert.deepEqual([graph.nodeCount, graph.edgeCount], ["4", "4"]);
  await page.click(`[aria-label="Export ${id}"]`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Edge list")]);
  assert.equal(download.suggestedFilename(), `${id}.tsv`);
  await page.click(`[aria-label="Delete ${id}"]`);
  assert.ok(await page.isDisabled("dialog .button-danger"));
  await page.fill("dialog input", id);
  await page.click("dialog .button-danger");
  await page.waitForSelector(`text=Deleted ${id}`);
  await assert.rejects(call("GET", `/v1/projects/default/graphs/${id}`), /404/);
  assertQuiet(page);
  await page.context().close();
});

test("who may only look is not offered to change", async () => {
  const id = fresh("seen");
  await makeGraph(id, villages(1, 3));
  const page = await open(browser);
  await signIn(page, "/graphs", await makeKey("ROLE_VIEWER"));
  await page.locator(".table-row-link", { hasText: id }).waitFor();
  assert.equal(await page.locator("text=New graph").count(), 0);
  assert.equal(await page.locator('[aria-label^="Delete"]').count(), 0);
  await page.context().close();
});

test("Ctrl K finds a graph by a few of its letters", async () => {
  const id = fresh("palette");
  await makeGraph(id, villages(1, 3));
  const page = await open(browser);
  await signIn(page);
  await page.keyboard.press("Control+k");
  await page.keyboard.type(`Story ${id}`);
  await page.waitForSelector(`.palette-item:has-text("${id}")`);
  await assertAccessible(page, "the palette");
  await shot(page, "palette-dark");
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(`/graphs/default/${id}`));
  await page.context().close();
});
