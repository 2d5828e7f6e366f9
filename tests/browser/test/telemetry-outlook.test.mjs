// What is to come of lines, and when they were not as usual: two switches of the
// explorer, in its address.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { adminKey, fresh, url } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

const MINUTE = 60_000;
const DAY = 86_400_000;

let browser;
const project = fresh("outlook");
before(async () => {
  browser = await launch();
  await send(project);
});
after(async () => {
  await browser?.close();
});

/** Numbers that look like chance and are always the same. */
function noise(seed) {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296 - 0.5;
  };
}

/** Eight days: disks of two hosts that fill, and orders by day of a shop that stopped for two hours. */
async function send(to) {
  // At times that charts ask for.
  const now = Math.floor(Date.now() / (5 * MINUTE)) * 5 * MINUTE;
  const times = Array.from({ length: 8 * 288 + 1 }, (_, row) => now - 8 * DAY + row * 5 * MINUTE);
  const chance = noise(7);
  const point = (at, value, labels) => ({
    timeUnixNano: `${at}000000`,
    asDouble: value,
    attributes: Object.entries(labels).map(([key, text]) => ({ key, value: { stringValue: text } })),
  });
  const part = (at) => (at - now) / DAY;
  const disks = times.flatMap((at) => [
    point(at, 0.7 + 0.03 * part(at) + 0.01 * chance(), { host: "north" }),
    point(at, 0.4 + 0.01 * part(at) + 0.02 * chance(), { host: "south" }),
  ]);
  const orders = times.map((at) => {
    const stopped = at >= now - 8 * 60 * MINUTE && at < now - 6 * 60 * MINUTE;
    return point(at, stopped ? 1 : 100 + 40 * Math.sin(((at % DAY) / DAY) * 2 * Math.PI) + 10 * chance(), { shop: "west" });
  });
  const metrics = [
    { name: "disk_used", unit: "1", gauge: { dataPoints: disks } },
    { name: "orders_waiting", gauge: { dataPoints: orders } },
  ];
  const response = await fetch(`${url}/v1/metrics`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json", "x-scope-orgid": to },
    body: JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }),
  });
  assert.equal(response.status, 200, await response.text());
}

const at = (page) => new URL(page.url()).searchParams;
const forecast = (page) => page.locator('section[aria-label="Forecast"] tbody tr');
const anomalies = (page) => page.locator('section[aria-label="Anomalies"] tbody tr');

for (const theme of ["light", "dark"]) {
  test(`a disk is said to be full before it is (${theme})`, async () => {
    const page = await open(browser, { theme, height: 1100 });
    await signIn(page, `/telemetry?project=${project}&q=disk_used_ratio&last=7d&every=off`);
    await page.waitForFunction(() => document.querySelectorAll(".chart-legend tbody tr").length === 2);
    await page.click('button:text-is("Forecast")');
    await page.waitForURL((to) => to.searchParams.get("ahead") === "7d");
    await forecast(page).nth(1).waitFor();
    await page.selectOption('select[aria-label="Ahead"]', "30d");
    await page.waitForSelector('th >> text="In 30 days"');
    await page.fill('input[aria-label="Threshold"]', "1");
    await page.press('input[aria-label="Threshold"]', "Enter");
    await page.waitForURL((to) => to.searchParams.get("threshold") === "1");
    // 0.7 of it and 0.03 a day: in ten days.
    await page.waitForFunction(() => /in (9|10|11) days/.test(document.querySelector('section[aria-label="Forecast"]').innerText));
    assert.match(await forecast(page).nth(1).innerText(), /not in 30 days/);
    await assertAccessible(page, `a forecast in ${theme}`);
    await shot(page, `telemetry-forecast-${theme}`);
    // What is to come is under the cursor, too.
    const box = await page.locator(".chart .u-over").boundingBox();
    await page.mouse.move(box.x + box.width * 0.9, box.y + 40);
    await page.waitForSelector('th >> text="At cursor"');
    assert.doesNotMatch(await page.locator('[aria-label="Legend"] tbody td').first().innerText(), /–/);
    // The address is all there is to know.
    await page.goto(page.url());
    await page.waitForFunction(() => /in (9|10|11) days/.test(document.querySelector('section[aria-label="Forecast"]')?.innerText ?? ""));
    await page.selectOption('select[aria-label="Side"]', "below");
    await page.waitForURL((to) => to.searchParams.get("below") === "true");
    await page.waitForFunction(() => document.querySelector('section[aria-label="Forecast"]').innerText.includes("now"));
    await page.click('button:text-is("Forecast")');
    await page.waitForURL((to) => !to.searchParams.has("ahead") && !to.searchParams.has("threshold"));
    await forecast(page).first().waitFor({ state: "detached" });
    assertQuiet(page);
    await page.context().close();
  });

  test(`what was not as usual is shaded, and leads to its time (${theme})`, async () => {
    const page = await open(browser, { theme, height: 1100 });
    await signIn(page, `/telemetry?project=${project}&q=orders_waiting&last=2d&every=off`);
    await page.waitForFunction(() => document.querySelectorAll(".chart-legend tbody tr").length === 1);
    await page.click('button:text-is("Anomalies")');
    await page.waitForURL((to) => to.searchParams.get("anomalies") === "true");
    await anomalies(page).first().waitFor();
    assert.equal(await anomalies(page).count(), 1);
    await assertAccessible(page, `anomalies in ${theme}`);
    await shot(page, `telemetry-anomalies-${theme}`);
    await page.click('button:text-is("Forecast")');
    await forecast(page).first().waitFor();
    await shot(page, `telemetry-outlook-${theme}`);
    await anomalies(page).first().locator("button").click();
    await page.waitForURL((to) => to.searchParams.has("from"));
    const [from, to] = [Number(at(page).get("from")), Number(at(page).get("to"))];
    assert.ok(from < Date.now() - 8 * 60 * MINUTE && to > Date.now() - 6 * 60 * MINUTE && to - from < DAY, `${from} ${to}`);
    assertQuiet(page);
    await page.context().close();
  });
}

test("a query of nothing has neither, and one that is wrong says so once", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/telemetry?project=${project}&q=no_such_metric&ahead=1d&anomalies=true&every=off`);
  await page.waitForSelector("text=There is nothing in this time");
  assert.equal(await forecast(page).count() + await anomalies(page).count(), 0);
  await page.fill('input[aria-label="Query"]', "sum(");
  await page.keyboard.press("Enter");
  await page.locator('.telemetry-body [role="alert"]').first().waitFor();
  assert.equal(await page.locator('.telemetry-body [role="alert"]').count(), 1);
  await page.context().close();
});
