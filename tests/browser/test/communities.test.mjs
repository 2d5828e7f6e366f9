// Communities while the graph changes: colours, numbers and words on the map.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { apply, call, fresh, makeGraph, makeKey } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, Calls, launch, open, openGraph, shot } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const SIZE = 8;
const names = (group) => Array.from({ length: SIZE }, (_, at) => `${group}${at}`);

/** Everybody of a group knows everybody else of it. */
function clique(group) {
  const keys = names(group);
  return keys.flatMap((source, at) => keys.slice(at + 1).map((target) => [source, target]));
}

async function cliques(...groups) {
  const nodes = groups.flatMap(names).map((key) => ({ key, type: "person" }));
  const edges = groups.flatMap(clique);
  groups.forEach((group, at) => at > 0 && edges.push([`${groups[at - 1]}0`, `${group}0`]));
  return makeGraph(fresh("live"), { nodes, edges });
}

const box = '[data-testid="communities"]';
const color = (page, key) => page.evaluate((k) => window.__weft.look(k), key);
const says = (page, words) => page.waitForSelector(`${box} >> text=${words}`, { timeout: 30_000 });
const entries = (page) => page.locator(".legend-name").allTextContents();
const watch = (page) => page.selectOption(".legend select >> nth=0", "communities");

/** The calls of a method that are open on the page's sockets. */
function streams(page, method) {
  const calls = new Calls(method);
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => calls.sent(socket.url(), payload));
    socket.on("close", () => calls.open.clear());
  });
  return calls.open;
}

async function gone(page, calls) {
  for (let tries = 0; tries < 100 && calls.size > 0; tries++) await page.waitForTimeout(50);
  assert.equal(calls.size, 0, "a stream was left running");
}

test("communities are coloured by their numbers, and follow what others change", async () => {
  const id = await cliques("a", "b", "c");
  const page = await open(browser);
  await openGraph(page, id);
  await watch(page);
  await says(page, "3 communities · modularity 0.");
  await assertAccessible(page, "live communities");
  await shot(page, "communities-dark");
  const first = Object.fromEntries(await Promise.all(["a", "b", "c"].map(async (group) => [group, await color(page, `${group}3`)])));
  assert.equal(new Set(Object.values(first).map(String)).size, 3, "each has its colour");
  for (const group of ["a", "b", "c"])
    for (const key of names(group)) assert.deepEqual(await color(page, key), first[group], key);
  const before = await entries(page);
  assert.equal(before.filter((name) => /^\d+ · /.test(name)).length, 3);

  // A fourth joins: it gets a colour of its own, and nobody else's changes.
  await apply(id, [
    ...names("d").map((key) => ({ upsertNode: { node: { key, type: "person" } } })),
    ...clique("d").map(([source, target]) => ({ upsertEdge: { edge: { source, target, type: "needs" } } })),
  ]);
  await says(page, "4 communities");
  await page.waitForFunction((others) => !others.includes(String(window.__weft.look("d3"))), Object.values(first).map(String));
  for (const group of ["a", "b", "c"]) assert.deepEqual(await color(page, `${group}3`), first[group], group);
  const numbers = (list) => list.filter((name) => /^\d+ · /.test(name)).map((name) => name.split(" ")[0]);
  const kept = numbers(await entries(page));
  assert.ok(numbers(before).every((number) => kept.includes(number)), "numbers stay");

  // One falls away from its group and joins another.
  await apply(id, [
    ...names("a").slice(0, 7).map((target) => ({ deleteEdge: { source: target, target: "a7", type: "needs" } })),
    ...names("b").map((target) => ({ upsertEdge: { edge: { source: "a7", target, type: "needs" } } })),
  ]);
  await page.waitForFunction((b) => String(window.__weft.look("a7")) === b, String(first.b), { timeout: 30_000 });
  assert.deepEqual(await color(page, "a3"), first.a);
  await page.waitForSelector('.legend-entry:has-text(" · b") >> text=9');
  assertQuiet(page);
  await page.context().close();
});

test("the resolution is chosen; what is no number of the contract is said and not sent", async () => {
  const id = await cliques("a", "b", "c");
  const page = await open(browser, { theme: "light" });
  await openGraph(page, id);
  await watch(page);
  await says(page, "3 communities");
  const resolution = page.locator(`${box} input`);
  await resolution.fill("-1");
  await says(page, "A number from 0 to 1,000,000");
  assert.equal(await resolution.getAttribute("aria-invalid"), "true");
  await assertAccessible(page, "a resolution that is none");
  // What is hidden is of these communities, and not of others that are called by the same numbers.
  const shown = page.locator(".legend-entry");
  for (let at = 0; at < 3; at++) await shown.nth(at).click();
  assert.equal(await page.locator('.legend-entry[aria-pressed="false"]').count(), 3);
  await resolution.fill("0");
  // Without a price on it everybody who hangs together belongs together.
  await says(page, "1 community");
  await page.waitForSelector('.legend-entry:has-text(" · ")');
  assert.equal(await page.locator('.legend-entry[aria-pressed="false"]').count(), 0);
  await resolution.fill("40");
  await says(page, "24 communities");
  await page.waitForSelector(".legend >> text=14 more");
  await shot(page, "communities-fine-light");
  // It stays while something else is looked at.
  await page.keyboard.press("Escape");
  await page.locator(".segment >> text=Table").click();
  await page.waitForSelector(box, { state: "detached" });
  await page.locator(".segment >> text=Map").click();
  await says(page, "24 communities");
  assert.equal(await resolution.inputValue(), "40");
  assertQuiet(page);
  await page.context().close();
});

test("a viewer watches too, a break is mended, and who leaves leaves nothing running", async () => {
  const id = await cliques("a", "b");
  // A viewer may look at a layout, and not make one.
  await call("POST", `/v1/projects/default/graphs/${id}/layouts?layoutId=main`, {});
  const page = await open(browser);
  const watching = streams(page, "WatchCommunities");
  await openGraph(page, id, { key: await makeKey("ROLE_VIEWER") });
  assert.equal(watching.size, 0, "nobody has asked for it");
  await watch(page);
  await says(page, "2 communities");
  await page.context().setOffline(true);
  await page.waitForSelector("text=You are offline");
  await apply(id, [
    ...names("c").map((key) => ({ upsertNode: { node: { key, type: "person" } } })),
    ...clique("c").map(([source, target]) => ({ upsertEdge: { edge: { source, target, type: "needs" } } })),
  ]);
  await page.context().setOffline(false);
  await says(page, "3 communities");
  await page.waitForSelector('[data-testid="connection"][data-state="live"]', { timeout: 30_000 });
  assert.equal(watching.size, 1);
  // To another colour, and away: both end the stream.
  await page.selectOption(".legend select >> nth=0", "type");
  await page.waitForSelector(box, { state: "detached" });
  await gone(page, watching);
  await watch(page);
  await says(page, "3 communities");
  assert.equal(watching.size, 1);
  await page.click("nav.rail a >> nth=0");
  await page.waitForSelector(box, { state: "detached" });
  await gone(page, watching);
  assertQuiet(page, [/ERR_INTERNET_DISCONNECTED|WebSocket/]);
  await page.context().close();
});

test("what cannot be watched says why, and is tried again by hand", async () => {
  const id = await cliques("a", "b");
  const page = await open(browser);
  await openGraph(page, id);
  await watch(page);
  await says(page, "2 communities");
  await call("DELETE", `/v1/projects/default/graphs/${id}`);
  await page.waitForSelector(`${box} [role="alert"]`, { timeout: 30_000 });
  await page.waitForSelector(`${box} >> text=Try again`);
  await shot(page, "communities-gone-dark");
  await page.context().close();
});
