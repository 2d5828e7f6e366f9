// What a layout is told to keep to, by hand on the map.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, fresh, makeGraph, makeKey, villages } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, openGraph, place, screen, shot, stats, still } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** At rest: the layout, and the view that has followed it. */
async function settled(page) {
  await page.waitForSelector('.layout-state:has-text("settled")', { timeout: 60_000 });
  await still(page);
}

/** Until nodes are in line: their places differ along another axis only. */
const inLine = (page, keys, axis) =>
  page.waitForFunction(
    ([all, along]) => {
      const values = all.map((key) => window.__weft.place(key)[along]);
      return Math.max(...values) - Math.min(...values) < 0.5;
    },
    [keys, axis],
    { timeout: 30_000 },
  );
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
    await inLine(page, halls, 1);
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
  const { sequence } = await stats(page);
  await page.click('[aria-label="Reheat"]');
  // A small graph is at rest again so soon that there may be one picture of it only.
  await page.waitForFunction((old) => window.__weft.stats().sequence > old, sequence, { timeout: 30_000 });
  await settled(page);
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

test("with the keyboard and the tool alone: marked, set in line, grouped; the bar stands beside its nodes", async () => {
  const page = await open(browser);
  const id = await makeGraph(fresh("keys"), villages(4, 8));
  await openGraph(page, id);
  await settled(page);
  // Found, chosen and marked without a mouse.
  for (const key of ["village1-house0", "village2-house0"]) {
    await page.keyboard.press("/");
    await page.keyboard.press("Control+A");
    await page.keyboard.type(key);
    await page.waitForSelector(`.search-result:has-text("${key}")`);
    await page.keyboard.press("Enter");
    await page.waitForSelector(`[data-testid="panel"] h2:has-text("${key}")`);
    await page.locator(".map").focus();
    await page.keyboard.press("m");
  }
  await page.waitForSelector('.marked-bar:has-text("2 nodes")');
  await page.keyboard.press("c");
  await page.waitForSelector(".marked-bar", { state: "detached" });
  const [made] = await constraints(id);
  assert.deepEqual([made.alignment.nodes.keys.keys, made.alignment.direction.y], [["village1-house0", "village2-house0"], 1]);
  await page.keyboard.press("Escape");
  await page.keyboard.press("f");
  // It was at rest before, too: what was asked for has to be seen first.
  await inLine(page, ["village1-house0", "village2-house0"], 0);
  await settled(page);

  // With the tool in hand a drag draws a line, and a click marks, also on a node.
  await page.keyboard.press("l");
  assert.equal(await page.getAttribute('[aria-label="Draw lines round nodes"]', "aria-pressed"), "true");
  // The hall nearest to the middle has room all round it.
  const stage = await page.locator(".map").boundingBox();
  const off = ([left, top]) => Math.hypot(left - stage.x - stage.width / 2, top - stage.y - stage.height / 2);
  const halls = [];
  for (const village of [0, 1, 2, 3]) halls.push(await screen(page, `village${village}-house0`));
  const [x, y] = halls.sort((a, b) => off(a) - off(b))[0];
  const camera = await page.evaluate(() => window.__weft.camera());
  await page.mouse.click(x, y);
  await page.waitForSelector('.marked-bar:has-text("1 node")');
  const box = await page.locator(".marked-bar").boundingBox();
  assert.ok(Math.abs(box.x + box.width / 2 - x) < 400 && Math.abs(box.y - y) < 160, `the bar is at ${box.x}, ${box.y}; the node at ${x}, ${y}`);
  // From beside the bar.
  await page.mouse.move(x - 140, y + 140);
  await page.mouse.down();
  for (const [dx, dy] of [[-140, -140], [140, -140], [140, 140]]) await page.mouse.move(x + dx, y + dy, { steps: 5 });
  await page.mouse.up();
  assert.deepEqual(await page.evaluate(() => window.__weft.camera()), camera, "the view stays");
  const marked = Number((await page.locator(".marked-bar strong").textContent()).split(" ")[0]);
  assert.ok(marked > 1, `${marked} marked`);
  await assertAccessible(page, "the tool in hand");
  await shot(page, "lasso-tool-dark");
  await page.keyboard.press("g");
  await page.waitForSelector(".marked-bar", { state: "detached" });
  const all = await constraints(id);
  assert.equal(all.find((one) => one.cluster).cluster.nodes.keys.keys.length, marked);
  await page.keyboard.press("Escape");
  assert.equal(await page.getAttribute('[aria-label="Draw lines round nodes"]', "aria-pressed"), "false");
  assertQuiet(page);
  await page.context().close();
});

test("a key that is held down does what it does once, and what is under way is not begun again", async () => {
  const page = await open(browser);
  const id = await makeGraph(fresh("held"), villages(2, 6));
  await openGraph(page, `${id}?node=village0-house0`);
  await page.waitForSelector('[data-testid="panel"] h2:has-text("village0-house0")');
  await settled(page);
  await page.locator(".map").focus();
  // An even number of times: what every repeat undid would be undone in the end.
  const hold = async (key) => {
    for (let times = 0; times < 4; times++) await page.keyboard.down(key);
    await page.keyboard.up(key);
  };
  await hold("l");
  assert.equal(await page.getAttribute('[aria-label="Draw lines round nodes"]', "aria-pressed"), "true");
  await page.keyboard.press("l");
  await hold("m");
  await page.waitForSelector('.marked-bar:has-text("1 node")');
  const camera = await page.evaluate(() => window.__weft.camera());
  await hold("ArrowLeft");
  const moved = await page.evaluate(() => window.__weft.camera());
  assert.ok(Math.abs((moved.x - camera.x) * camera.scale) > 3 * 70, "a held arrow goes on moving the view");
  await page.keyboard.press("f");
  await still(page);

  await mark(page, "village1-house0");
  await page.waitForSelector('.marked-bar:has-text("2 nodes")');
  await page.evaluate(() => {
    for (const key of ["r", "r", "g"]) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  });
  await page.waitForSelector(".marked-bar", { state: "detached" });
  await inLine(page, ["village0-house0", "village1-house0"], 1);
  const made = await constraints(id);
  assert.deepEqual(made.map((one) => Boolean(one.alignment)), [true]);
  assertQuiet(page);
  await page.context().close();
});

test("a second finger ends the line, and pinches", async () => {
  const page = await open(browser, { context: { hasTouch: true } });
  const id = await makeGraph(fresh("fingers"), villages(2, 6));
  await openGraph(page, id);
  await settled(page);
  await page.click('[aria-label="Draw lines round nodes"]');
  const { x, y, width, height } = await page.locator(".map").boundingBox();
  const hand = await page.context().newCDPSession(page);
  const touch = (type, ...points) =>
    hand.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: points.map(([dx, dy], id) => ({ x: x + width / 2 + dx, y: y + height / 2 + dy, id })),
    });
  await touch("touchStart", [0, 0]);
  await touch("touchMove", [40, 0]);
  await touch("touchMove", [40, 40]);
  await page.waitForSelector(".lasso polygon");
  const camera = await page.evaluate(() => window.__weft.camera());
  await touch("touchStart", [40, 40], [-40, -40]);
  await page.waitForSelector(".lasso polygon", { state: "detached" });
  await touch("touchMove", [80, 80], [-80, -80]);
  await page.waitForFunction((scale) => window.__weft.camera().scale > scale * 1.5, camera.scale);
  await touch("touchEnd");
  assert.equal(await page.locator(".lasso polygon, .marked-bar").count(), 0);
  assertQuiet(page);
  await page.context().close();
});
