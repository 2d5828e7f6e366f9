// What a layout is told to keep to, by hand on the map.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, fresh, makeGraph, makeKey, villages } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, openGraph, place, screen, shot } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const settled = (page) => page.waitForSelector('.layout-state:has-text("settled")', { timeout: 60_000 });
const constraints = async (id) =>
  (await call("GET", `/v1/projects/default/graphs/${id}/layouts/main/constraints`)).constraints ?? [];

async function mark(page, ...keys) {
  await page.keyboard.down("Shift");
  for (const key of keys) {
    const [x, y] = await screen(page, key);
    await page.mouse.click(x, y);
  }
  await page.keyboard.up("Shift");
}

for (const theme of ["dark", "light"]) {
  test(`nodes are marked one by one and set in a row (${theme})`, async () => {
    const page = await open(browser, { theme });
    const id = await makeGraph(fresh("row"), villages(5, 8));
    await openGraph(page, id);
    await settled(page);
    const halls = [0, 2, 4].map((village) => `village${village}-house0`);
    await mark(page, ...halls);
    await page.waitForSelector('.marked-bar:has-text("3 nodes")');
    await assertAccessible(page, "marked nodes");
    await shot(page, `marked-${theme}`);
    await page.click('.marked-bar >> text="Row"');
    await page.waitForSelector(".marked-bar", { state: "detached" });
    await page.waitForFunction(
      (keys) => {
        const heights = keys.map((key) => window.__weft.place(key)[1]);
        return Math.max(...heights) - Math.min(...heights) < 0.5;
      },
      halls,
      { timeout: 30_000 },
    );
    await page.click('[aria-label="Constraints"]');
    await page.waitForSelector('.constraints li:has-text("Row of 3 nodes")');
    await page.click('.constraints >> text="Arrows down"');
    await page.waitForSelector('.constraints li:has-text("Arrows down") >> text="40 nodes"');
    await settled(page);
    await assertAccessible(page, "the constraints");
    await shot(page, `constraints-${theme}`);
    assert.deepEqual((await constraints(id)).length, 2);
    await page.click('[aria-label="Remove Row of 3 nodes"]');
    await page.waitForSelector('.constraints li:has-text("Row of 3 nodes")', { state: "detached" });
    assert.deepEqual((await constraints(id)).length, 1);
    assertQuiet(page);
    await page.context().close();
  });
}

test("a line round nodes marks them; they are pinned and grouped together", async () => {
  const page = await open(browser);
  const id = await makeGraph(fresh("lasso"), villages(4, 8));
  await openGraph(page, id);
  await settled(page);
  const keys = Array.from({ length: 8 }, (_, house) => `village3-house${house}`);
  const places = [];
  for (const key of keys) places.push(await screen(page, key));
  const [left, right] = [Math.min(...places.map(([x]) => x)) - 14, Math.max(...places.map(([x]) => x)) + 14];
  const [top, bottom] = [Math.min(...places.map(([, y]) => y)) - 14, Math.max(...places.map(([, y]) => y)) + 14];
  await page.keyboard.down("Shift");
  await page.mouse.move(left, top);
  await page.mouse.down();
  for (const [x, y] of [[right, top], [right, bottom], [left, bottom]]) await page.mouse.move(x, y, { steps: 6 });
  await page.waitForSelector(".lasso polygon");
  await shot(page, "lasso-dark");
  await page.mouse.up();
  await page.keyboard.up("Shift");
  await page.waitForSelector(".marked-bar");
  assert.equal(await page.locator(".lasso").count(), 0);
  const marked = Number((await page.locator(".marked-bar strong").textContent()).split(" ")[0]);
  assert.ok(marked >= keys.length, `${marked} nodes are marked`);
  await page.click('.marked-bar >> text="Group"');
  await page.waitForSelector(".marked-bar", { state: "detached" });
  const [made] = await constraints(id);
  assert.ok(made.cluster.exclusive && made.cluster.nodes.keys.keys.length === marked);

  await mark(page, "village0-house0");
  await page.click('.marked-bar >> text="Pin"');
  await page.waitForSelector('text="1 node pinned"');
  const before = await place(page, "village0-house0");
  await page.click('[aria-label="Reheat"]');
  await page.waitForTimeout(500);
  const now = await place(page, "village0-house0");
  // Frames come in steps of the whole picture.
  assert.ok(Math.hypot(now[0] - before[0], now[1] - before[1]) < 0.5, `${before} ${now}`);
  await page.keyboard.press("Escape");
  await page.waitForSelector(".marked-bar", { state: "detached" });
  assertQuiet(page);
  await page.context().close();
});

test("a viewer sees what a layout keeps to, and cannot change it", async () => {
  const page = await open(browser);
  const id = await makeGraph(fresh("seen"), villages(2, 6));
  await openGraph(page, id);
  await call("POST", `/v1/projects/default/graphs/${id}/layouts/main/constraints`, { collision: { radius: 2 } });
  await page.context().close();
  const eye = await open(browser);
  await openGraph(eye, id, { key: await makeKey("ROLE_VIEWER") });
  await eye.click('[aria-label="Constraints"]');
  await eye.waitForSelector('.constraints li:has-text("No overlaps")');
  assert.equal(await eye.locator(".constraints button").count(), 0);
  await mark(eye, "village0-house0");
  await eye.waitForSelector('.marked-bar:has-text("1 node")');
  assert.equal(await eye.locator('.marked-bar >> text="Pin"').count(), 0);
  assertQuiet(eye);
  await eye.context().close();
});
