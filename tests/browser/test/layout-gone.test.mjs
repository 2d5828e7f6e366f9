// A live page whose layout is taken away, or whose frames come damaged: it says so, and it recovers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, fresh, makeGraph, makeKey, villages } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, Calls, launch, open, openGraph, place, shot, signIn, stats } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const layout = (id) => `/v1/projects/default/graphs/${id}/layouts/main`;
const gone = ".layout-gone";
const settled = (page) => page.waitForSelector('.layout-state:has-text("settled")', { timeout: 60_000 });

for (const theme of ["dark", "light"]) {
  test(`a layout that is deleted under a live page is said to be, and made anew by hand (${theme})`, async () => {
    const id = await makeGraph(fresh("taken"), villages(3, 8));
    const page = await open(browser, { theme });
    await openGraph(page, id);
    await settled(page);
    const eye = await open(browser, { theme });
    await openGraph(eye, id, { key: await makeKey("ROLE_VIEWER") });
    const before = await place(page, "village1-house0");
    await call("DELETE", layout(id));
    await page.waitForSelector(`${gone} >> text=Somebody has deleted this layout`);
    await eye.waitForSelector(`${gone} >> text=Your role does not let you`);
    assert.equal(await eye.locator(`${gone} button`).count(), 0);
    assert.equal(await page.locator('[aria-label="Start the layout"], [aria-label="Reheat"]').count(), 0);
    assert.deepEqual(await place(page, "village1-house0"), before, "what was seen is seen");
    await assertAccessible(page, "a map whose layout is gone");
    await shot(page, `layout-gone-${theme}`);
    // Nobody who looks makes it again unasked.
    await assert.rejects(call("GET", layout(id)), /404/);

    const { frames } = await stats(eye);
    await page.click(`${gone} >> text=Make it anew`);
    await page.waitForSelector(gone, { state: "detached" });
    await settled(page);
    // Whoever else looks sees it too, and the same.
    await eye.waitForSelector(gone, { state: "detached", timeout: 30_000 });
    await eye.waitForFunction((old) => window.__weft.stats().frames > old, frames, { timeout: 30_000 });
    await settled(eye);
    await eye.waitForFunction(
      ([key, [x, y]]) => Math.hypot(window.__weft.place(key)[0] - x, window.__weft.place(key)[1] - y) < 1,
      ["village1-house0", await place(page, "village1-house0")],
    );
    assertQuiet(page, [/404/]);
    assertQuiet(eye, [/404/]);
    await eye.context().close();
    await page.context().close();
  });
}

test("a layout that is deleted during a break is not made again unasked", async () => {
  const id = await makeGraph(fresh("away"), villages(2, 6));
  const page = await open(browser);
  await openGraph(page, id);
  await settled(page);
  await page.context().setOffline(true);
  await page.waitForSelector("text=You are offline");
  await call("DELETE", layout(id));
  await page.context().setOffline(false);
  await page.waitForSelector(`${gone} >> text=Make it anew`, { timeout: 30_000 });
  await assert.rejects(call("GET", layout(id)), /404/);
  // In space there was none yet: that one is made by whoever looks first.
  await page.click('[aria-label="Dimensions"] >> text=3D');
  await page.waitForSelector(gone, { state: "detached" });
  await page.waitForFunction(() => window.__weft.stats().placing === false, null, { timeout: 30_000 });
  await page.click('[aria-label="Dimensions"] >> text=2D');
  await page.waitForFunction(() => window.__weft.stats().placing === false, null, { timeout: 30_000 });
  assertQuiet(page, [/ERR_INTERNET_DISCONNECTED|WebSocket|404/]);
  await page.context().close();
});

test("frames that cannot be read are asked for anew, ever less often, and the page says why it waits", async () => {
  const id = await makeGraph(fresh("damaged"), villages(2, 6));
  const page = await open(browser);
  const calls = new Calls("AttachLayout");
  let damaged = true;
  await page.routeWebSocket(/\/ws$/, (socket) => {
    const mesh = socket.connectToServer();
    socket.onMessage((message) => {
      calls.sent(socket.url(), message);
      mesh.send(message);
    });
    mesh.onMessage((message) => {
      const bytes = Buffer.from(message);
      const frame = bytes.indexOf("WFPF");
      // Of a version that nobody knows.
      if (damaged && frame >= 0) bytes[frame + 4] = 99;
      socket.send(bytes);
    });
  });
  await signIn(page, `/graphs/default/${id}`);
  await page.waitForSelector("text=The layout does not answer: position frame of unknown version 99");
  for (let tries = 0; calls.begun.length < 4; tries++) {
    assert.ok(tries < 600, `asked ${calls.begun.length} times`);
    await page.waitForTimeout(50);
  }
  // The third pause is at least four times as long as the shortest first one.
  const pause = calls.begun[3] - calls.begun[2];
  assert.ok(pause >= 780, `asked again after ${pause} ms`);
  assert.ok(calls.open.size <= 1, "a stream that was given up goes on");
  damaged = false;
  await page.waitForFunction(() => window.__weft?.stats().placing === false, null, { timeout: 30_000 });
  assert.equal(await page.locator("text=The layout does not answer").count(), 0);
  assert.equal(calls.open.size, 1);
  assertQuiet(page);
  await page.context().close();
});
