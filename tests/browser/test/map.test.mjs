// One graph on the map: it arrives, it moves, it answers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { apply, call, fresh, makeGraph, makeKey, villages } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, openGraph, place, screen, shot, signIn, stats, still } from "../lib/browser.mjs";

let browser;
let id;
const { nodes, edges } = villages(6, 12);
before(async () => {
  browser = await launch();
  id = await makeGraph(fresh("map"), { nodes, edges });
});
after(() => browser?.close());

for (const theme of ["dark", "light"]) {
  test(`a graph opens, frames arrive, and it looks right (${theme})`, async () => {
    const page = await open(browser, { theme });
    await openGraph(page, id);
    const seen = await stats(page);
    assert.deepEqual([seen.nodes, seen.edges], [nodes.length, edges.length]);
    assert.ok(seen.bytes > 0 && !seen.placing);
    await still(page);
    await assertAccessible(page, "the map");
    await shot(page, `map-${theme}`);
    assertQuiet(page);
    await page.context().close();
  });
}

test("search flies to a node, and the panel tells what it is", async () => {
  const page = await open(browser);
  await openGraph(page, id);
  await page.keyboard.press("/");
  await page.keyboard.type("village3-house0");
  // What is found for the first letters may stand there for a while.
  await page.waitForSelector('.search-result >> nth=0 >> text=village3-house0');
  const before = await page.evaluate(() => window.__weft.camera());
  await page.keyboard.press("Enter");
  await page.waitForSelector('[data-testid="panel"] >> text=village3-house0');
  await page.waitForFunction((scale) => window.__weft.camera().scale > scale * 1.3, before.scale);
  await page.click('.panel .button:has-text("Show")');
  await page.waitForTimeout(2_000);
  const [x, y] = await page.evaluate((key) => window.__weft.screen(key), "village3-house0");
  const box = await page.locator(".map").boundingBox();
  assert.ok(Math.abs(x - box.width / 2) < 60 && Math.abs(y - box.height / 2) < 60, `at ${x}, ${y}`);
  assert.match(page.url(), /node=village3-house0/);
  await page.locator(".neighbour").first().waitFor();
  await assertAccessible(page, "the panel");
  await shot(page, "panel-dark");
  await page.click("role=tab[name=Properties]");
  await page.waitForSelector("text=rooms");
  await page.click("role=tab[name=Related]");
  await page.waitForSelector(".related, .hint");
  await page.click("role=tab[name=Neighbours]");
  await page.fill('[aria-label="Filter neighbours"]', "house7");
  await page.click(".neighbour");
  await page.waitForSelector('[data-testid="panel"] h2:has-text("village3-house7")');
  assertQuiet(page);
  await page.context().close();
});

test("the shortest path between two nodes is shown", async () => {
  const page = await open(browser);
  await openGraph(page, `${id}?node=village0-house5`);
  await page.waitForSelector('[data-testid="panel"] h2:has-text("village0-house5")');
  await page.click("text=Path to…");
  await page.fill('[aria-label="Other node"]', "village2-house4");
  await page.click(".path-form .menu-item");
  await page.waitForSelector(".path-steps li");
  const steps = await page.locator(".path-steps li").allTextContents();
  assert.deepEqual(steps, ["village0-house5", "village0-house0", "village1-house0", "village2-house0", "village2-house4"]);
  await shot(page, "path-dark");
  await page.context().close();
});

test("a node under the pointer is named, a click selects it, Escape lets it go", async () => {
  const page = await open(browser);
  await openGraph(page, id);
  await page.waitForFunction(() => [3, 4].includes(window.__weft.stats().layoutState), null, { timeout: 60_000 });
  const [x, y] = await screen(page, "village1-house0");
  await page.mouse.move(x, y, { steps: 4 });
  await page.waitForSelector('.tip:has-text("village1-house0")');
  await page.mouse.click(x, y);
  await page.waitForSelector('[data-testid="panel"] h2:has-text("village1-house0")');
  await page.keyboard.press("Escape");
  await page.waitForSelector('[data-testid="panel"]', { state: "detached" });
  await page.context().close();
});

test("a dragged node moves for every other viewer", async () => {
  const hand = await open(browser, { width: 1000, height: 700 });
  const eye = await open(browser, { width: 1000, height: 700 });
  const key = "village2-house0";
  await openGraph(hand, id);
  await openGraph(eye, id, { key: await makeKey("ROLE_VIEWER") });
  await hand.waitForFunction(() => [3, 4].includes(window.__weft.stats().layoutState), null, { timeout: 60_000 });
  await hand.waitForTimeout(500);
  const before = await place(eye, key);
  const [x, y] = await screen(hand, key);
  await hand.mouse.move(x, y);
  await hand.mouse.down();
  await hand.mouse.move(x + 60, y - 50, { steps: 6 });
  await hand.mouse.move(x + 170, y - 120, { steps: 8 });
  const target = await place(hand, key);
  await eye.waitForFunction(
    ([k, [tx, ty], near]) => {
      const at = window.__weft.place(k);
      return Math.hypot(at[0] - tx, at[1] - ty) < near;
    },
    [key, target, 0.05 * Math.hypot(target[0] - before[0], target[1] - before[1])],
    { timeout: 10_000 },
  );
  await hand.mouse.up();
  assertQuiet(hand);
  assertQuiet(eye);
  await hand.context().close();
  await eye.context().close();
});

test("a viewer sees the layout move and cannot move it", async () => {
  const page = await open(browser);
  await openGraph(page, id, { key: await makeKey("ROLE_VIEWER") });
  assert.equal(await page.locator('[aria-label="Reheat"]').count(), 0);
  assertQuiet(page);
  await page.context().close();
});

test("changes by others appear, and what was missed comes after a break", async () => {
  const page = await open(browser);
  const own = await makeGraph(fresh("watched"), villages(2, 6));
  await openGraph(page, own);
  const node = (key) => ({ upsertNode: { node: { key, type: "new" } } });
  const edge = (target) => ({ upsertEdge: { edge: { source: "village0-house0", target } } });
  await apply(own, [node("newcomer"), edge("newcomer")]);
  await page.waitForFunction(() => window.__weft.stats().nodes === 13);
  // The newcomer gets a place of its own without a reload.
  await page.waitForFunction(() => window.__weft.place("newcomer") !== null, null, { timeout: 15_000 });
  await page.context().setOffline(true);
  await page.waitForSelector("text=You are offline");
  await shot(page, "offline-dark");
  await apply(own, [node("missed")]);
  await page.context().setOffline(false);
  await page.waitForFunction(() => window.__weft.stats().nodes === 14, null, { timeout: 30_000 });
  await page.waitForSelector('[data-testid="connection"][data-state="live"]', { timeout: 30_000 });
  await page.context().close();
});

const parameters = async (own) => (await call("GET", `/v1/projects/default/graphs/${own}/layouts/main`)).parameters ?? {};
/** Until what was set is what the mesh has: the form waits for a hand to rest. */
async function kept(own, field, value) {
  for (let tries = 0; ; tries++) {
    const found = (await parameters(own))[field];
    if (found === value) return;
    assert.ok(tries < 100, `${field} is ${found}, not ${value}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("the layout is stopped, started, tuned and turned into space", async () => {
  const page = await open(browser);
  const own = await makeGraph(fresh("forces"), villages(4, 10));
  await openGraph(page, own);
  await page.waitForSelector('.layout-state:has-text("settled")', { timeout: 60_000 });
  const defaults = await parameters(own);
  const sequence = (await stats(page)).sequence;
  await page.click('[aria-label="Forces"]');
  await page.locator('.force input[type="range"]').first().fill("190");
  // A setting that is accepted moves a graph that had come to rest.
  await page.waitForFunction((old) => window.__weft.stats().sequence > old + 3, sequence, { timeout: 15_000 });
  await assertAccessible(page, "the forces");
  await shot(page, "forces-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForFunction(() => document.documentElement.dataset.theme === "light");
  await assertAccessible(page, "the forces in the light");
  await shot(page, "forces-light");
  await page.emulateMedia({ colorScheme: "dark" });
  const gravity = page.locator('.force:has-text("Gravity") input[type="number"]');
  await gravity.fill("0.3");
  await kept(own, "gravity", 0.3);
  await gravity.fill("101");
  await page.waitForSelector(".force >> text=From 0 to 100");
  assert.equal(await gravity.getAttribute("aria-invalid"), "true");
  await page.selectOption('.force:has-text("Attraction grows") select', "true");
  await kept(own, "linLog", true);
  assert.equal((await parameters(own)).gravity, 0.3, "what is out of range is not sent");
  await page.click('[aria-label="Attraction grows: default, with distance"]');
  await kept(own, "linLog", defaults.linLog);
  await page.click('.forces >> text="All defaults"');
  await kept(own, "gravity", defaults.gravity);
  assert.deepEqual(await parameters(own), defaults);
  await page.waitForFunction(() => document.querySelector('.force input[type="number"]').value === "10");
  await page.selectOption('.force:has-text("Refine") select', "true");
  await kept(own, "refine", true);
  // What is typed last is kept too where the form closes at once.
  await page.evaluate(() => {
    const field = document.querySelector('.force input[type="number"]');
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, "12");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  });
  await page.waitForSelector(".forces", { state: "detached" });
  await kept(own, "repulsion", 12);
  await page.click('[aria-label="Stop the layout"], [aria-label="Start the layout"]');
  await page.waitForSelector(".layout-state");
  await page.click('[aria-label="Dimensions"] >> text=3D');
  await page.waitForFunction(() => window.__weft.stats().placing === false && (window.__weft.place("village0-house0")?.[2] ?? 0) !== 0, null, { timeout: 30_000 });
  await still(page);
  await shot(page, "space-dark");
  assertQuiet(page);
  await page.context().close();
});

test("who may not make a layout is told that there is none in space", async () => {
  const page = await open(browser, { theme: "light" });
  const own = await makeGraph(fresh("flat"), villages(2, 5));
  await openGraph(page, own);
  await page.context().close();
  const eye = await open(browser, { theme: "light" });
  await openGraph(eye, own, { key: await makeKey("ROLE_VIEWER") });
  await eye.click('[aria-label="Dimensions"] >> text=3D');
  await eye.waitForSelector("text=nobody has made one in 3D yet");
  await shot(eye, "no-space-light");
  await eye.click('[aria-label="Dimensions"] >> text=2D');
  await eye.waitForFunction(() => window.__weft.stats().placing === false);
  await eye.context().close();
});

for (const theme of ["dark", "light"]) {
  test(`the meters say how fast everything is, while they are open (${theme})`, async () => {
    const page = await open(browser, { theme });
    const own = await makeGraph(fresh("meters"), villages(4, 10));
    await openGraph(page, own);
    await page.waitForSelector('.layout-state:has-text("settled")', { timeout: 60_000 });
    await page.click('[aria-label="Meters"]');
    const read = (patterns) =>
      page.waitForFunction(
        (wanted) => {
          const values = [...document.querySelectorAll('[data-testid="meters"] dd span')].map((one) => one.textContent);
          return values.length === 5 && wanted.every((pattern, at) => new RegExp(pattern).test(values[at]));
        },
        patterns,
        { timeout: 20_000 },
      );
    await read(["^at rest$", "^at rest$", "^at rest$", "", "^0 B a second$"]);
    await page.click('[aria-label="Reheat"]');
    await read(["^[1-9]\\d* a second$", "^\\d+\\.\\d ms a frame$", "^[1-9][\\d,]* steps? a second$", "^\\d+\\.\\d\\d ms on CPU$", "^[1-9][\\d.]* K?B a second$"]);
    await page.waitForTimeout(2_500);
    await assertAccessible(page, "the meters");
    await shot(page, `meters-${theme}`);
    await page.click('[aria-label="Close the meters"]');
    await page.waitForSelector('[data-testid="meters"]', { state: "detached" });
    assertQuiet(page);
    await page.context().close();
  });
}

test("the table lists, filters and says what is wrong with a filter", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/graphs/default/${id}?view=table`);
  await page.locator(".nodes-table .table-row-link").first().waitFor();
  await page.fill('[aria-label="Filter nodes"]', 'type = "hall"');
  await page.waitForFunction(() => document.querySelector(".toolbar-count")?.textContent === "6 nodes");
  await assertAccessible(page, "the table");
  await shot(page, "table-light");
  await page.fill('[aria-label="Filter nodes"]', "type ==");
  await page.waitForSelector(".field-error");
  await page.fill('[aria-label="Filter nodes"]', 'type = "hall"');
  await page.click(".row-link >> nth=0");
  await page.waitForSelector('[data-testid="panel"]');
  await page.context().close();
});

test("an empty graph, and one that is not there, say so", async () => {
  const page = await open(browser);
  const own = await makeGraph(fresh("nothing"));
  await signIn(page, `/graphs/default/${own}`);
  await page.waitForSelector("text=This graph is empty");
  await assertAccessible(page, "an empty graph");
  await page.goto(page.url().replace(own, "nowhere"));
  await page.waitForSelector("text=This graph is not there");
  await assertAccessible(page, "a missing graph");
  await page.context().close();
});

test("without WebGL 2 the page says so and offers the table", async () => {
  const page = await open(browser, { theme: "light" });
  await page.addInitScript(() => {
    const original = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
      return kind === "webgl2" ? null : original.call(this, kind, ...rest);
    };
  });
  await signIn(page, `/graphs/default/${id}`);
  await page.waitForSelector("text=This browser cannot draw the map");
  await shot(page, "no-webgl-light");
  await page.click("text=Show the table");
  await page.locator(".nodes-table .table-row-link").first().waitFor();
  await page.context().close();
});
