// A graph that is kept true to a folder: made, refreshed, changed, broken, deleted.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { apply, call, fresh, makeGraph, makeKey, notebook } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const PAGES = {
  "Engine.md": "---\nauthor: [Ada, Charles]\nconfidence: 0.9\n---\nThe engine weaves patterns, see [[Loom]].\n",
  "Loom.md": "---\nauthor: Joseph\n---\nCards tell it what to weave, and [[Punch]] makes the cards.\n",
};
const TORN = { "Torn.md": "---\nauthor: [Ada\n---\nIts front matter does not end.\n" };
const LIST = "**/weft.graph.v1.SourceService/ListSources";
const row = (page, name) => page.locator(".sources-table tbody tr", { hasText: name });
const newest = (page, state) => page.locator(`[data-testid="refresh"][data-state="${state}"]`).first();

test("a source is made, refreshed, and its nodes appear; a changed file comes with the next refresh", async () => {
  const id = await makeGraph(fresh("kept"));
  const book = notebook({ ...PAGES, ...TORN });
  const page = await open(browser);
  await signIn(page, `/graphs/default/${id}`);
  await page.click("text=Keep it true to a folder");
  await page.waitForURL(/view=sources/);
  await page.waitForSelector("text=No sources yet");
  await assertAccessible(page, "a graph without sources");
  await shot(page, "sources-none-dark");

  await page.click("text=New source >> nth=-1");
  await page.fill("dialog input >> nth=0", "Team notes");
  await page.fill('dialog input[placeholder="the whole folder"]', book.path);
  await page.fill('dialog textarea[placeholder="**/*.md"]', "**/*.md");
  await page.click("dialog >> text=author → creator");
  await assertAccessible(page, "the form of a source");
  await shot(page, "source-form-dark");
  await page.click("dialog >> text=Create and refresh");
  await newest(page, "succeeded").waitFor();
  // Three pages, one that is only linked to, and three people; the bar counts them without a reload.
  await page.waitForSelector('.bar-counts:has-text("7 nodes")');
  const { nodes } = await call("GET", `/v1/projects/default/graphs/${id}/nodes?filter=${encodeURIComponent("type = creator AND origin = team-notes")}`);
  assert.deepEqual(nodes.map((node) => node.displayName || node.key).sort(), ["Ada", "Charles", "Joseph"]);
  await assertAccessible(page, "the sources");
  await shot(page, "sources-dark");
  // What was odd is told, and does not fail it.
  await newest(page, "succeeded").locator("summary").click();
  await page.waitForSelector(".warnings >> text=not YAML");

  book.write({ "Card.md": "A [[Loom]] reads it.\n" });
  await row(page, "Team notes").locator("text=Refresh").click();
  await page.waitForSelector('[data-testid="refresh"] >> text=no. 2');
  await page.waitForSelector('.bar-counts:has-text("8 nodes")');
  await page.waitForSelector('[data-testid="refresh"] >> text=/1 node new/i');

  // Each node says where it is from, and leads back to its source.
  await page.goto(page.url().replace(/\?.*/, "?node=Card"));
  await page.click('[data-testid="panel"] >> text=team-notes');
  await page.waitForSelector('[data-testid="source-panel"] h2:has-text("Team notes")');
  assertQuiet(page);
  await page.context().close();
});

test("a refresh that fails says why in full, and changes nothing", async () => {
  const id = await makeGraph(fresh("broken"));
  const book = notebook(PAGES);
  await source(id, "notes", { path: book.path });
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/graphs/default/${id}?view=sources&source=notes`);
  await page.click('[data-testid="source-panel"] >> text=Refresh');
  await newest(page, "succeeded").waitFor();
  book.remove();
  await page.click('[data-testid="source-panel"] >> text=Refresh');
  await newest(page, "failed").waitFor();
  await page.waitForSelector(".refresh-error >> text=FOLDER_");
  const { refreshes } = await call("GET", `/v1/projects/default/graphs/${id}/sources/notes/refreshes`);
  const told = await page.locator(".refresh-error p").first().textContent();
  assert.equal(told, refreshes[0].error.message);
  assert.equal((await call("GET", `/v1/projects/default/graphs/${id}`)).nodeCount, "3");
  await row(page, "notes").locator(".state-mark", { hasText: "failed" }).waitFor();
  await assertAccessible(page, "a failed refresh");
  await shot(page, "source-failed-light");
  assertQuiet(page);
  await page.context().close();
});

test("a refresh that somebody else began is followed, and survives leaving the page", async () => {
  const id = await makeGraph(fresh("long"));
  const pages = Array.from({ length: 600 }, (_, i) => [`p${i}.md`, `${"words ".repeat(300)}[[p${i + 1}]]\n`]);
  const book = notebook(Object.fromEntries(pages));
  await source(id, "notes", { path: book.path });
  const page = await open(browser);
  await signIn(page, `/graphs/default/${id}?view=sources`);
  await row(page, "notes").waitFor();
  await call("POST", `/v1/projects/default/graphs/${id}/sources/notes:refresh`, {});
  await page.goto(page.url().replace(/\?.*/, "?view=table"));
  await page.click('button:has-text("Sources")');
  await row(page, "notes").locator(".state-mark", { hasText: "succeeded" }).waitFor({ timeout: 60_000 });
  await page.waitForSelector('.bar-counts:has-text("nodes")');
  assertQuiet(page);
  await page.context().close();
});

test("a refresh that takes long tells how far it is, and is ended by hand", async () => {
  const id = await makeGraph(fresh("ended"));
  const lines = Array.from({ length: 4_000_000 }, (_, i) => `n${i}\tn${(i * 7) % 1_000_003}`);
  const book = notebook({ "big.tsv": lines.join("\n") });
  await source(id, "edges", { path: book.path, include: [] });
  const page = await open(browser);
  await signIn(page, `/graphs/default/${id}?view=sources&source=edges`);
  await page.click('[data-testid="source-panel"] >> text=Refresh');
  await page.waitForSelector('[data-testid="running"] >> text=/of 1 file/');
  assert.ok(await page.isDisabled('[aria-label="Refresh edges"]'));
  await assertAccessible(page, "a refresh that runs");
  await shot(page, "source-running-dark");
  // It goes on while nobody looks, and is found again.
  await page.reload();
  await page.click('[data-testid="running"] >> text=Cancel');
  await newest(page, "cancelled").waitFor();
  assert.equal((await call("GET", `/v1/projects/default/graphs/${id}`)).nodeCount ?? "0", "0");
  book.remove();
  assertQuiet(page);
  await page.context().close();
});

test("settings are changed, and a source is deleted with or without its content", async () => {
  const id = await makeGraph(fresh("deleted"));
  const book = notebook(PAGES);
  await source(id, "notes", { path: book.path });
  await apply(id, [{ upsertNode: { node: { key: "own" } } }]);
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/graphs/default/${id}?view=sources&source=notes`);
  await page.click('[data-testid="source-panel"] >> text=Edit');
  await page.fill("dialog input >> nth=0", "Renamed");
  await page.fill('dialog input[placeholder="the whole folder"]', "/etc");
  await page.waitForSelector("dialog >> text=does not begin with a slash");
  assert.ok(await page.isDisabled("dialog button[type=submit]"));
  await page.fill('dialog input[placeholder="the whole folder"]', book.path);
  await page.click("dialog button[type=submit]");
  await page.waitForSelector('[data-testid="source-panel"] h2:has-text("Renamed")');
  await page.click('[data-testid="source-panel"] >> text=Refresh');
  await newest(page, "succeeded").waitFor();
  assert.equal((await call("GET", `/v1/projects/default/graphs/${id}`)).nodeCount, "4");

  await page.click('[data-testid="source-panel"] >> text=Delete');
  await page.click("dialog >> text=Is deleted, too");
  await assertAccessible(page, "deleting a source");
  await shot(page, "source-delete-light");
  await page.click("dialog button[type=submit]");
  await page.waitForSelector("text=No sources yet");
  // What the source has not brought in is left alone.
  assert.equal((await call("GET", `/v1/projects/default/graphs/${id}`)).nodeCount, "1");
  assertQuiet(page);
  await page.context().close();
});

test("where no folder is open the page says who opens one, and how", async () => {
  const page = await open(browser, { theme: "light" });
  const id = await makeGraph(fresh("closed"));
  await page.route("**/weft.graph.v1.SourceService/ListFolders", (route) =>
    // An empty answer and a status of success, as gRPC-web frames them.
    route.fulfill({
      contentType: "application/grpc-web+proto",
      body: Buffer.from([0, 0, 0, 0, 0, 0x80, 0, 0, 0, 15, ...Buffer.from("grpc-status: 0\r\n").subarray(0, 15)]),
    }),
  );
  await signIn(page, `/graphs/default/${id}?view=sources`);
  await page.waitForSelector("text=No folder is open to this project");
  await page.waitForSelector("text=[graph.folders.notes]");
  await assertAccessible(page, "no folder");
  await shot(page, "sources-no-folder-light");
  await page.context().close();
});

test("while sources load there are skeletons; what fails says why, and tries again when asked", async () => {
  const id = await makeGraph(fresh("slow"));
  await source(id, "notes", {});
  const page = await open(browser);
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route(LIST, async (route) => {
    await held;
    await route.abort();
  });
  await signIn(page, `/graphs/default/${id}?view=sources`);
  await page.waitForSelector(".sources-table .skeleton");
  await shot(page, "sources-loading-dark");
  release();
  await page.waitForSelector("text=The sources cannot be listed", { timeout: 20_000 });
  await assertAccessible(page, "sources that cannot be listed");
  await shot(page, "sources-error-dark");
  await page.unroute(LIST);
  await page.click("text=Try again");
  await row(page, "notes").waitFor();
  await page.context().close();
});

test("who may only look sees sources and their history, and is not offered to change them", async () => {
  const id = await makeGraph(fresh("seen"));
  await source(id, "notes", {});
  const page = await open(browser);
  await signIn(page, `/graphs/default/${id}?view=sources&source=notes`, await makeKey("ROLE_VIEWER"));
  await page.waitForSelector('[data-testid="source-panel"] >> text=Nothing was brought in yet');
  for (const offer of ["New source", "Refresh", "Edit", "Delete"]) {
    assert.equal(await page.locator(`.sources-view button:has-text("${offer}")`).count(), 0, offer);
  }
  await page.keyboard.press("Control+k");
  await page.keyboard.type("sources of");
  await page.waitForSelector('.palette-item:has-text("Sources of this graph")');
  assertQuiet(page);
  await page.context().close();
});

function source(graph, id, { path = "", include = ["**/*.md"] }) {
  return call("POST", `/v1/projects/default/graphs/${graph}/sources?sourceId=${id}`, {
    folder: { folder: "projects/default/folders/notes", path, include },
  });
}
