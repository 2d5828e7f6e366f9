// Numbers over time as pages: what hosts report, live; and the explorer, in which
// everything that is set is in the address.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startAgent } from "../lib/agents.mjs";
import { adminKey, call, fresh, url } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

let browser;
let agent;
const project = fresh("numbers");
before(async () => {
  browser = await launch();
  agent = await startAgent(fresh("measured"));
  await send(project);
});
after(async () => {
  await browser?.close();
  await agent?.remove();
});

/** An hour of orders of three shops, one of which was closed for a while; and many sensors. */
async function send(to) {
  const now = Math.floor(Date.now() / 15_000) * 15_000;
  const point = (at, value, labels) => ({
    timeUnixNano: `${at}000000`,
    asDouble: value,
    attributes: Object.entries(labels).map(([key, text]) => ({ key, value: { stringValue: text } })),
  });
  const times = Array.from({ length: 241 }, (_, step) => now - (240 - step) * 15_000);
  const shops = ["north", "south", "west"].flatMap((shop, number) =>
    times
      .filter((_, step) => shop !== "south" || step < 90 || step > 140)
      .map((at, step) => point(at, 100 + step * (number + 1) + 20 * Math.sin(step / 12), { shop })),
  );
  const sensors = Array.from({ length: 40 }, (_, number) =>
    times.filter((_, step) => step % 8 === 0).map((at, step) => point(at, 18 + number / 4 + Math.sin(step / 3 + number), { sensor: `s${number}` })),
  ).flat();
  const metrics = [
    { name: "orders", description: "What was bought", sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: shops } },
    { name: "temperature", unit: "Cel", gauge: { dataPoints: sensors } },
  ];
  const response = await fetch(`${url}/v1/metrics`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json", "x-scope-orgid": to },
    body: JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }),
  });
  assert.equal(response.status, 200, await response.text());
}

const legend = (page) => page.locator(".chart-legend tbody tr");
const at = (page) => new URL(page.url()).searchParams;

for (const theme of ["light", "dark"]) {
  test(`a query is found, shown, compared and shared (${theme})`, async () => {
    const page = await open(browser, { theme });
    await signIn(page, `/telemetry?project=${project}`);
    await page.waitForSelector('.metrics >> text="orders_total"');
    await assertAccessible(page, `the metrics in ${theme}`);
    await shot(page, `telemetry-metrics-${theme}`);
    // The box knows what there is: a metric, a label, its values.
    await page.fill('input[aria-label="Query"]', "");
    await page.locator('input[aria-label="Query"]').pressSequentially("orde");
    await page.waitForSelector('[role="option"] >> text="orders_total"');
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator('input[aria-label="Query"]').pressSequentially("{");
    await page.waitForSelector('[role="option"] >> text="shop"');
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForSelector('[role="option"] >> text="south"');
    await shot(page, `telemetry-offers-${theme}`);
    await page.locator('input[aria-label="Query"]').pressSequentially('"}');
    await page.fill('input[aria-label="Query"]', "orders_total");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll(".chart-legend tbody tr").length === 3);
    assert.equal(at(page).get("q"), "orders_total");
    await assertAccessible(page, `a chart in ${theme}`);
    await shot(page, `telemetry-chart-${theme}`);
    // Buttons write PromQL.
    await page.click('.writers >> text="rate"');
    await page.waitForURL(/rate/);
    await page.selectOption('select[aria-label="sum by"]', "shop");
    await page.waitForURL((to) => to.searchParams.get("q") === "sum by (shop) (rate(orders_total[1m]))");
    await page.waitForFunction(() => document.querySelectorAll(".chart-legend tbody tr").length === 3);
    await page.selectOption('select[aria-label="Compare"]', "1h");
    await page.waitForURL(/before=1h/);
    await page.selectOption('select[aria-label="Time"]', "15m");
    await page.waitForURL(/last=15m/);
    // Back is undo.
    await page.goBack();
    await page.waitForURL((to) => !to.searchParams.has("last"));
    assertQuiet(page);
    await page.context().close();
  });
}

test("a chart is zoomed by mouse and by keys, and says what is under the cursor", async () => {
  const page = await open(browser, { theme: "dark" });
  await signIn(page, `/telemetry?project=${project}&q=orders_total&every=off`);
  await legend(page).first().waitFor();
  const over = page.locator(".chart .u-over");
  await over.hover();
  await page.waitForSelector('th >> text="At cursor"');
  // The legend's new column may have moved the chart.
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 40);
  const last = await legend(page).first().locator("td").first().innerText();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
  await page.waitForFunction((was) => document.querySelector(".chart-legend tbody td").innerText !== was, last);
  // South was closed: a gap has no value, and is no zero.
  await page.mouse.move(box.x + box.width * 0.48, box.y + 40);
  await page.waitForFunction(() => [...document.querySelectorAll(".chart-legend tbody tr")].some((row) => row.innerText.includes("south") && row.querySelector("td").innerText === "–"));
  await shot(page, "telemetry-cursor");
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 60, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL((to) => to.searchParams.has("from") && to.searchParams.has("to"));
  const width = () => Number(at(page).get("to")) - Number(at(page).get("from"));
  const marked = width();
  assert.ok(Math.abs(marked - 3_600_000 * 0.22) < 120_000, `${marked}`);
  await page.focus(".chart");
  await page.keyboard.press("-");
  await page.waitForFunction((was) => {
    const now = new URL(location.href).searchParams;
    return Number(now.get("to")) - Number(now.get("from")) > was;
  }, marked);
  const from = at(page).get("from");
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((was) => Number(new URL(location.href).searchParams.get("from")) < Number(was), from);
  await page.keyboard.press("[");
  await page.waitForSelector('th >> text="At cursor"');
  await page.focus(".chart");
  await page.keyboard.press("0");
  await page.waitForURL((to) => !to.searchParams.has("from"));
  // One line alone, and all again.
  await legend(page).first().locator("button").click({ modifiers: ["Control"] });
  await page.waitForFunction(() => document.querySelectorAll('.chart-legend tr[data-hidden="true"]').length === 2);
  await shot(page, "telemetry-alone");
  await legend(page).first().locator("button").click({ modifiers: ["Control"] });
  await page.waitForFunction(() => document.querySelectorAll('.chart-legend tr[data-hidden="true"]').length === 0);
  assertQuiet(page);
  await page.context().close();
});

test("an error says what is wrong, nothing says so, and many are many", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/telemetry?project=${project}&q=${encodeURIComponent("sum by (shop (orders_total)")}`);
  const told = page.locator('.telemetry-body [role="alert"]');
  await told.waitFor();
  assert.match(await told.innerText(), /query/);
  await assertAccessible(page, "a query that is wrong");
  await shot(page, "telemetry-error");
  await page.fill('input[aria-label="Query"]', "no_such_metric");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=There is nothing in this time");
  await shot(page, "telemetry-nothing");
  await page.fill('input[aria-label="Query"]', "temperature_celsius");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".chart-legend tbody tr").length === 40);
  await assertAccessible(page, "many series");
  await shot(page, "telemetry-many");
  await page.goto(`${url}/telemetry?project=${fresh("empty")}`);
  await page.waitForSelector("text=Nothing is measured here yet");
  await assertAccessible(page, "no metrics");
  await shot(page, "telemetry-empty");
  await page.route("**/weft.telemetry.v1.TelemetryService/QueryRange*", () => {});
  await page.goto(`${url}/telemetry?project=${project}&q=orders_total`);
  await page.waitForSelector(".chart-wait");
  await shot(page, "telemetry-loading");
  await page.context().close();
});

for (const theme of ["light", "dark"]) {
  test(`a host is seen live on its agent's page (${theme})`, async () => {
    const page = await open(browser, { theme, height: 1400 });
    await signIn(page, `/fleet/default/${agent.id}`);
    for (const title of ["Processors", "Memory in use", "Load", "Network", "Disk space in use"]) {
      await page.waitForSelector(`section[aria-label="${title}"] .chart-values li`, { timeout: 60_000 });
    }
    // Another answer comes by itself.
    const newest = () => page.evaluate(() => document.querySelector('section[aria-label="Load"] .chart canvas').toDataURL());
    const was = await newest();
    await page.waitForFunction((before) => document.querySelector('section[aria-label="Load"] .chart canvas').toDataURL() !== before, was, { timeout: 20_000 });
    await assertAccessible(page, `live charts in ${theme}`);
    await shot(page, `agent-live-${theme}`);
    await page.click('section[aria-label="Load"] >> text=Explore');
    await page.waitForURL(/\/telemetry/);
    await legend(page).nth(2).waitFor();
    assertQuiet(page);
    await page.context().close();
  });
}

test("the numbers of a project are its own", async () => {
  await assert.rejects(call("GET", `/v1/projects/${project}/series:query?query=up`, undefined, "weft_nobody"), /401/);
  const own = await call("GET", `/v1/projects/${project}/metrics`);
  assert.deepEqual(own.metrics.map((one) => one.metric), ["orders_total", "temperature_celsius"]);
});
