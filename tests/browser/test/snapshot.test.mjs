// Pictures of the map, as files: held against what is on the screen.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { call, fresh, makeGraph, villages } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, openGraph, shot, still } from "../lib/browser.mjs";

let browser;
let id;
const { nodes, edges } = villages(4, 9);
before(async () => {
  browser = await launch();
  id = await makeGraph(fresh("picture"), { nodes, edges });
});
after(() => browser?.close());

const dialog = "dialog.snapshot";

async function settle(page) {
  await page.waitForSelector('.layout-state:has-text("settled")', { timeout: 60_000 });
  await still(page);
}

/** Chooses, saves, and gives the file. */
async function save(page, ...choices) {
  await page.keyboard.press("s");
  await page.waitForSelector(dialog);
  for (const choice of choices) await page.click(`${dialog} label:has-text("${choice}")`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(`${dialog} button[type=submit]`)]);
  await page.waitForSelector(dialog, { state: "detached" });
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/** Width, height, and the colours at some places, as the browser reads the file. */
const pixels = (page, bytes, places) =>
  page.evaluate(
    async ([data, at]) => {
      const blob = new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type: "image/png" });
      const image = await createImageBitmap(blob, { premultiplyAlpha: "none" });
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      return { width: image.width, height: image.height, colors: at.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data]) };
    },
    [bytes.toString("base64"), places],
  );

const places = (page, keys) =>
  page.evaluate((list) => list.map((key) => ({ at: window.__weft.screen(key), color: window.__weft.look(key) })), keys);

const halls = ["village0-house0", "village1-house0", "village2-house0", "village3-house0"];
const near = (found, wanted, slack = 6) => found.every((part, at) => Math.abs(part - wanted[at]) <= slack);

for (const theme of ["dark", "light"]) {
  test(`a PNG has the view's size and its nodes where they are (${theme})`, async () => {
    const page = await open(browser, { theme });
    await openGraph(page, id);
    await settle(page);
    const box = await page.locator(".map").boundingBox();
    const seen = await places(page, halls);
    await page.keyboard.press("s");
    await page.waitForSelector(dialog);
    await assertAccessible(page, "the choice of a picture");
    await shot(page, `snapshot-${theme}`);
    await page.keyboard.press("Escape");
    await page.waitForSelector(dialog, { state: "detached" });
    const { name, bytes } = await save(page);
    assert.match(name, new RegExp(`^${id}-\\d{4}-\\d\\d-\\d\\d-\\d{6}\\.png$`));
    const picture = await pixels(page, bytes, [[2, 2], ...seen.map(({ at }) => at.map(Math.round))]);
    assert.deepEqual([picture.width, picture.height], [Math.round(box.width), Math.round(box.height)]);
    const ground = theme === "dark" ? [13, 17, 22, 255] : [251, 251, 250, 255];
    assert.deepEqual(picture.colors[0], ground);
    seen.forEach(({ color }, at) => assert.ok(near(picture.colors[at + 1], [...color, 255]), `${halls[at]}: ${picture.colors[at + 1]}, not ${color}`));

    const fine = await save(page, "Four times as fine", "Transparent");
    const large = await pixels(page, fine.bytes, [[2, 2], ...seen.map(({ at: [x, y] }) => [Math.round(x * 4), Math.round(y * 4)])]);
    assert.deepEqual([large.width, large.height], [Math.round(box.width * 4), Math.round(box.height * 4)]);
    assert.equal(large.colors[0][3], 0, "the ground is clear");
    seen.forEach(({ color }, at) => assert.ok(near(large.colors[at + 1], [...color, 255]), `${halls[at]}: ${large.colors[at + 1]}, not ${color}`));
    assertQuiet(page);
    await page.context().close();
  });
}

test("an SVG has the nodes, edges and names that are in view", async () => {
  const page = await open(browser, { theme: "light" });
  await openGraph(page, id);
  await settle(page);
  const all = nodes.map(({ key }) => key);
  const seen = await places(page, all);
  const { name, bytes } = await save(page, "SVG");
  assert.match(name, /\.svg$/);
  const read = (data) =>
    page.evaluate((text) => {
      const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
      const each = (selector, ...names) =>
        [...root.querySelectorAll(selector)].map((one) => Object.fromEntries(names.map((attribute) => [attribute, one.getAttribute(attribute)])));
      return {
        tag: root.tagName,
        size: [root.getAttribute("width"), root.getAttribute("height")].map(Number),
        title: root.querySelector("title").textContent,
        about: root.querySelector("desc").textContent,
        ground: root.querySelector("rect")?.getAttribute("fill") ?? null,
        circles: each(".nodes circle", "cx", "cy", "r", "fill"),
        lines: each(".edges line", "x1", "y1", "x2", "y2"),
        names: [...root.querySelectorAll(".names text")].map((one) => one.textContent),
      };
    }, data.toString("utf8"));
  const drawing = await read(bytes);
  assert.equal(drawing.tag, "svg");
  assert.equal(drawing.title, `Story ${id}`);
  assert.match(drawing.about, new RegExp(`^${nodes.length} nodes, ${edges.length} edges`));
  assert.equal(drawing.ground, "#fbfbfa");
  assert.equal(drawing.circles.length, nodes.length);
  assert.equal(drawing.lines.length, edges.length);
  for (const { at, color } of seen) {
    const circle = drawing.circles.find(({ cx, cy }) => Math.hypot(cx - at[0], cy - at[1]) < 0.02);
    assert.ok(circle, `nobody is at ${at}`);
    assert.equal(circle.fill, `#${color.map((part) => part.toString(16).padStart(2, "0")).join("")}`);
  }
  assert.ok(halls.every((key) => drawing.names.includes(key)), `${drawing.names}`);

  // Nearer, only what is in view.
  await page.click('[aria-label="Zoom in"]');
  await page.click('[aria-label="Zoom in"]');
  await page.click('[aria-label="Zoom in"]');
  await still(page);
  const part = await read((await save(page, "SVG", "Transparent")).bytes);
  assert.equal(part.ground, null);
  const [width, height] = part.size;
  const inView = (await places(page, all)).filter(({ at: [x, y] }) => x >= 0 && y >= 0 && x <= width && y <= height);
  assert.ok(inView.length < nodes.length, "some are beyond the view");
  assert.ok(part.circles.length >= inView.length && part.circles.length < nodes.length, `${part.circles.length} circles, ${inView.length} in view`);
  for (const { x1, y1, x2, y2 } of part.lines)
    assert.ok([x1, x2].every((x) => x >= -4.01 && x <= width + 4.01) && [y1, y2].every((y) => y >= -4.01 && y <= height + 4.01));
  assertQuiet(page);
  await page.context().close();
});

test("what goes wrong on the way is said, and the map is drawn on as before", async () => {
  const page = await open(browser, { theme: "light" });
  await openGraph(page, id);
  await settle(page);
  await page.evaluate(() => {
    const { readPixels } = WebGL2RenderingContext.prototype;
    WebGL2RenderingContext.prototype.readPixels = function () {
      WebGL2RenderingContext.prototype.readPixels = readPixels;
      throw new Error("the driver gave up");
    };
  });
  await page.keyboard.press("s");
  await page.click(`${dialog} button[type=submit]`);
  await page.waitForSelector(`${dialog} [role="alert"] >> text=the driver gave up`);
  await page.keyboard.press("Escape");
  await page.waitForSelector(dialog, { state: "detached" });
  // Elsewhere than before, so that it has to be drawn anew.
  const [was] = await places(page, halls);
  await page.locator(".map").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await still(page);
  const [hall] = await places(page, halls);
  assert.ok(Math.abs(hall.at[0] - was.at[0]) > 100, `${was.at} ${hall.at}`);
  const box = await page.locator(".map").boundingBox();
  const screen = await page.screenshot();
  const at = [Math.round(box.x + hall.at[0]), Math.round(box.y + hall.at[1])];
  const [color] = (await pixels(page, screen, [at])).colors;
  assert.ok(near(color, [...hall.color, 255]), `${color}, not ${hall.color}`);
  // And so is the next picture.
  const { bytes } = await save(page);
  const [saved] = (await pixels(page, bytes, [hall.at.map(Math.round)])).colors;
  assert.ok(near(saved, [...hall.color, 255]), `${saved}, not ${hall.color}`);
  assertQuiet(page);
  await page.context().close();
});

test("more shapes than an SVG is good for are said to be, and a PNG is offered", async () => {
  // Discs alone are too many, wherever they lie: a view of the whole leaves out a few that have strayed.
  const beads = Array.from({ length: 54_000 }, (_, at) => ({ key: `n${at}`, type: "bead" }));
  const many = await makeGraph(fresh("beads"), { nodes: beads });
  const page = await open(browser, { width: 1800, height: 1300 });
  // Drawn without a GPU: everything takes its time.
  page.setDefaultTimeout(120_000);
  await openGraph(page, many, { timeout: 120_000 });
  await call("POST", `/v1/projects/default/graphs/${many}/layouts/main:stop`, {});
  await page.waitForFunction(() => [3, 4].includes(window.__weft.stats().layoutState));
  await page.keyboard.press("s");
  await page.click(`${dialog} label:has-text("SVG")`);
  await page.click(`${dialog} button[type=submit]`);
  await page.waitForSelector(`${dialog} [role="alert"] >> text=Save a PNG`);
  await assertAccessible(page, "a picture of too much");
  await shot(page, "snapshot-too-much-dark");
  await page.keyboard.press("Escape");
  await page.context().close();
});
