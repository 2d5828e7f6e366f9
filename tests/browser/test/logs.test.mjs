// Logs and traces as pages: found by words and attributes, followed as they arrive,
// and a trace with its spans and what was said in it.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { adminKey, call, fresh, makeKey, url } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

const project = fresh("said");
const TRACE = randomBytes(16).toString("hex");
const LARGE = randomBytes(16).toString("hex");
const MANY = 1_200;
const SPANS = 10_000;

let browser;
before(async () => {
  browser = await launch();
  await sendShop();
  await sendMany();
  await sendLarge();
});
after(() => browser?.close());

const value = (of) =>
  typeof of === "number" ? { intValue: String(of) } : typeof of === "boolean" ? { boolValue: of } : { stringValue: of };
const pairs = (of) => Object.entries(of).map(([key, one]) => ({ key, value: value(one) }));
const nanos = (millis) => `${Math.round(millis * 1_000)}000`;
const spanId = (number) => (number + 1).toString(16).padStart(16, "0");

async function send(kind, body, to = project) {
  const response = await fetch(`${url}/v1/${kind}`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json", "x-scope-orgid": to },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  assert.equal(response.status, 200, answer);
  assert.ok(!answer.includes("rejected"), answer);
}

function record({ at = Date.now(), severity = 9, text, attributes = {}, trace, span }) {
  return {
    timeUnixNano: nanos(at),
    severityNumber: severity,
    body: typeof text === "string" ? { stringValue: text } : text,
    attributes: pairs(attributes),
    traceId: trace,
    spanId: span,
  };
}

function say(service, records, resource = {}) {
  const attributes = pairs({ "service.name": service, ...resource });
  return send("logs", { resourceLogs: [{ resource: { attributes }, scopeLogs: [{ scope: { name: `${service}.http` }, logRecords: records }] }] });
}

function span({ number, parent, name, from, took, error, kind = 1, attributes = {}, events = [], links = [], trace = TRACE }) {
  return {
    traceId: trace,
    spanId: spanId(number),
    parentSpanId: parent === undefined ? "" : spanId(parent),
    name,
    kind,
    startTimeUnixNano: nanos(from),
    endTimeUnixNano: nanos(from + took),
    status: error ? { code: 2, message: error } : {},
    attributes: pairs(attributes),
    events,
    links,
  };
}

function trace(services) {
  const resourceSpans = Object.entries(services).map(([service, spans]) => ({
    resource: { attributes: pairs({ "service.name": service, "deployment.environment": "test" }) },
    scopeSpans: [{ scope: { name: "tracer", version: "1.0" }, spans }],
  }));
  return send("traces", { resourceSpans });
}

/** An order of three services, of which one declines the card; and what they said of it. */
async function sendShop() {
  const began = Date.now() - 60_000;
  const declined = { timeUnixNano: nanos(began + 48), name: "declined", attributes: pairs({ reason: "limit" }) };
  await trace({
    shop: [
      span({ number: 0, name: "POST /orders", from: began, took: 120, kind: 2, attributes: { "http.request.method": "POST" } }),
      span({ number: 1, parent: 0, name: "charge", from: began + 10, took: 44, kind: 3, links: [{ traceId: LARGE, spanId: spanId(0) }] }),
    ],
    pay: [span({ number: 2, parent: 1, name: "authorize", from: began + 14, took: 36, kind: 2, error: "card declined", attributes: { "card.brand": "visa" }, events: [declined] })],
    stock: [
      span({ number: 3, parent: 0, name: "reserve", from: began + 60, took: 50 }),
      // Its parent has not been sent.
      span({ number: 4, parent: 99, name: "restock", from: began + 70, took: 20 }),
    ],
  });
  const of = (number) => ({ trace: TRACE, span: spanId(number) });
  await say("shop", [
    record({ at: began + 2, text: "order 4711 received from 10.0.0.7", attributes: { order: 4711, paid: false }, ...of(0) }),
    record({ at: began + 9, severity: 5, text: "charging the card", attributes: { order: 4711 }, ...of(1) }),
    record({ at: began + 119, severity: 17, text: "order 4711 failed:\n  card declined", attributes: { order: 4711, "code.function": "orders::post" }, ...of(0) }),
    record({ at: began + 130, text: "order 4712 received from 10.0.0.8", attributes: { order: 4712, paid: true } }),
  ], { "host.name": "node7" });
  const entry = (key, one) => ({ key, value: one });
  const structure = { kvlistValue: { values: [entry("why", { stringValue: "limit reached" }), entry("tries", { intValue: "2" })] } };
  await say("pay", [
    record({ at: began + 48, severity: 13, text: structure, attributes: { "card.brand": "visa" }, ...of(2) }),
    record({ at: began - 5_000, severity: 21, text: "the terminal is gone" }),
  ]);
}

/** More than a page, some time ago. */
async function sendMany() {
  const began = Date.now() - 30 * 60_000;
  await say("batch", Array.from({ length: MANY }, (_, at) => record({ at: began + at * 100, severity: at % 50 ? 9 : 13, text: `row ${at} is written`, attributes: { row: at } })));
}

/** As many spans as a trace is shown with: each tenth has nine below it. */
async function sendLarge() {
  const began = Date.now() - 20 * 60_000;
  const spans = Array.from({ length: SPANS }, (_, number) =>
    number === 0
      ? span({ number, name: "import", from: began, took: SPANS, trace: LARGE })
      : span({ number, parent: number % 10 === 1 ? 0 : number - ((number - 1) % 10), name: number % 10 === 1 ? "batch" : `row ${number}`, from: began + number, took: number % 10 === 1 ? 10 : 1, trace: LARGE }),
  );
  for (let at = 0; at < SPANS; at += 5_000) await trace({ importer: spans.slice(at, at + 5_000) });
}

const lines = (page) => page.locator(".log-line");
const line = (page, text) => page.locator(".log-line", { hasText: text });
const rows = (page) => page.locator(".span-row");
const row = (page, text) => page.locator(".span-row", { hasText: text });
const at = (page) => new URL(page.url()).searchParams;
const counted = (page, text) => page.locator(".toolbar-count", { hasText: text }).waitFor();

for (const theme of ["light", "dark"]) {
  test(`logs are found by words, severity and attributes, and lead to their trace (${theme})`, async () => {
    const page = await open(browser, { theme });
    await signIn(page, `/logs?project=${project}&last=15m`);
    await counted(page, /^6$/);
    // The newest is the first.
    assert.match(await lines(page).first().innerText(), /order 4712/);
    await assertAccessible(page, `logs in ${theme}`);
    await shot(page, `logs-${theme}`);
    await page.keyboard.press("/");
    await page.keyboard.type('"card declined" order -4712');
    await counted(page, /^1$/);
    assert.equal(at(page).get("q"), '"card declined" order -4712');
    assert.deepEqual(await page.locator(".log-line mark").allInnerTexts(), ["order", "card declined"]);
    await page.keyboard.press("Control+A");
    await page.keyboard.type("recei*");
    await counted(page, /^2$/);
    // An attribute of a record becomes a filter.
    await line(page, "order 4711").click();
    await page.waitForSelector('section[aria-label="Resource"] >> text="node7"');
    await assertAccessible(page, `an open record in ${theme}`);
    await shot(page, `logs-open-${theme}`);
    await page.click('section[aria-label="Attributes"] [aria-label="Only with order=4711"]');
    await counted(page, /^1$/);
    assert.deepEqual(JSON.parse(at(page).get("attr")), ["order=4711"]);
    await page.fill('input[aria-label="Search logs"]', "");
    await page.keyboard.press("Enter");
    await counted(page, /^3$/);
    await page.selectOption('select[aria-label="Severity"]', "error");
    await counted(page, /^1$/);
    assert.equal(at(page).get("severity"), "error");
    // Back is undo, and another browser sees the same.
    await page.goBack();
    await counted(page, /^3$/);
    await page.reload();
    await counted(page, /^3$/);
    await page.click('[aria-label="Remove order=4711"]');
    await counted(page, /^6$/);
    await page.fill('input[aria-label="Service"]', "pay");
    await counted(page, /^2$/);
    await line(page, "limit reached").click();
    await page.click("text=Logs of this trace");
    await page.waitForURL((to) => to.searchParams.get("trace") === TRACE);
    await counted(page, /^4$/);
    await line(page, "failed").click();
    await shot(page, `logs-trace-${theme}`);
    await page.click("text=Open the trace");
    await page.waitForURL((to) => to.pathname === `/traces/${project}/${TRACE}`);
    await page.waitForSelector('section[aria-label="Chosen span"] h2:has-text("POST /orders")');
    assertQuiet(page);
    await page.context().close();
  });

  test(`a trace is found, and shows its spans, their errors and their logs (${theme})`, async () => {
    const page = await open(browser, { theme });
    await signIn(page, `/traces?project=${project}`);
    await counted(page, /^2$/);
    await assertAccessible(page, `traces in ${theme}`);
    await shot(page, `traces-${theme}`);
    await page.fill('input[aria-label="Took at least"]', "soon");
    await page.waitForSelector('input[aria-label="Took at least"][aria-invalid="true"]');
    await page.fill('input[aria-label="Took at least"]', "1s");
    await counted(page, /^1$/);
    await page.fill('input[aria-label="Took at least"]', "");
    await page.check("text=Errors only");
    await page.waitForURL(/errors=true/);
    await page.fill('input[aria-label="Add a filter"]', "card.brand=visa");
    await page.keyboard.press("Enter");
    await page.waitForSelector('[aria-label="Remove card.brand=visa"]');
    await page.click('.traces-table >> text="POST /orders"');
    await rows(page).nth(4).waitFor();
    assert.equal(await rows(page).count(), 5);
    // One whose parent is missing is there, and says so.
    await row(page, "restock").locator("text=its parent is not here").waitFor();
    await row(page, "authorize").locator('[data-bad="true"]').waitFor();
    await page.click("text=Next error");
    const pane = page.locator('section[aria-label="Chosen span"]');
    await pane.locator("text=card declined").waitFor();
    await pane.locator('section[aria-label="Events"] >> text=declined').first().waitFor();
    await pane.locator('section[aria-label="Logs"] >> text=limit reached').waitFor();
    await assertAccessible(page, `a trace in ${theme}`);
    await shot(page, `trace-${theme}`);
    await pane.locator("text=/^trace \\(4\\)$/").click();
    await pane.locator("text=order 4711 received").waitFor();
    // Up to its parent, which folds; and the keys go through what is in sight.
    await page.focus('[role="tree"]');
    await page.keyboard.press("ArrowLeft");
    await pane.locator("h2", { hasText: "charge" }).waitFor();
    await page.waitForURL((to) => to.searchParams.get("span") === spanId(1) || to.search.includes(spanId(1)));
    await page.keyboard.press("ArrowLeft");
    await row(page, "authorize").waitFor({ state: "detached" });
    assert.equal(await row(page, "charge").getAttribute("aria-expanded"), "false");
    await page.keyboard.press("ArrowDown");
    await pane.locator("h2", { hasText: "reserve" }).waitFor();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    await row(page, "authorize").waitFor();
    // A link to another trace.
    await pane.locator('section[aria-label="Links"] a').click();
    await page.waitForURL((to) => to.pathname === `/traces/${project}/${LARGE}`);
    await page.goBack();
    await pane.locator("h2", { hasText: "charge" }).waitFor();
    await pane.locator("text=Open in Logs").click();
    await page.waitForURL((to) => to.pathname === "/logs" && to.searchParams.get("trace") === TRACE);
    await counted(page, /^4$/);
    assertQuiet(page);
    await page.context().close();
  });
}

test("what arrives is on top, waits while somebody reads, and is not there twice", async () => {
  const page = await open(browser, { theme: "dark" });
  const service = fresh("live");
  await say(service, [record({ text: "said before" })]);
  await signIn(page, `/logs?project=${project}&service=${service}`);
  await counted(page, /^1$/);
  // The watch has begun, and the search after it has answered.
  const answered = page.waitForResponse((response) => response.url().endsWith("/SearchLogs"));
  await page.click('[role="switch"]');
  await page.waitForURL(/live=true/);
  await (await answered).finished();
  await say(service, [record({ text: "first" }), record({ text: "second", severity: 17 })]);
  await line(page, "second").waitFor();
  const texts = () => lines(page).evaluateAll((all) => all.map((one) => one.querySelector(".log-text").innerText.trim()));
  await page.waitForFunction(() => document.querySelectorAll(".log-line").length === 3);
  assert.deepEqual(await texts(), ["second", "first", "said before"]);
  await say("other", [record({ text: "of somebody else" })]);
  // While a record is open, and while it is paused, nothing moves.
  await line(page, "first").click();
  await say(service, [record({ text: "third" })]);
  await page.waitForSelector("text=1 new");
  assert.deepEqual(await texts(), ["second", "first", "said before"]);
  await assertAccessible(page, "logs that wait");
  await shot(page, "logs-live");
  await line(page, "first").click();
  await line(page, "third").waitFor();
  await page.click('button:has-text("Pause")');
  await say(service, [record({ text: "fourth" }), record({ text: "fifth" })]);
  await page.waitForSelector("text=2 new");
  assert.equal((await texts())[0], "third");
  await page.click("text=2 new");
  await line(page, "fifth").waitFor();
  await page.click("text=Go on");
  // Many: who has scrolled stays where they are.
  await say(service, Array.from({ length: 100 }, (_, number) => record({ text: `many ${number}` })));
  await line(page, "many 99").waitFor();
  await counted(page, /^106$/);
  const box = page.locator('[aria-label="Records"]');
  await box.evaluate((element) => element.scrollTo({ top: 600 }));
  await line(page, "many 75").waitFor();
  await say(service, [record({ text: "the last" })]);
  await page.waitForSelector("text=1 new");
  await shot(page, "logs-live-scrolled");
  await page.click("text=1 new");
  await line(page, "the last").waitFor();
  assert.equal(await box.evaluate((element) => element.scrollTop), 0);
  await page.click('[role="switch"]');
  await page.waitForURL((to) => !to.searchParams.has("live"));
  await counted(page, /^107$/);
  assertQuiet(page);
  await page.context().close();
});

test("a line that breaks is told of, and a new search has what came meanwhile", async () => {
  const page = await open(browser, { theme: "light" });
  const service = fresh("broken");
  const sockets = [];
  await page.routeWebSocket(/\/ws$/, (socket) => {
    socket.connectToServer();
    sockets.push(socket);
  });
  await say(service, [record({ text: "before" })]);
  await signIn(page, `/logs?project=${project}&service=${service}&live=true`);
  await line(page, "before").waitFor();
  assert.equal(sockets.length, 1);
  await sockets[0].close({ code: 1011, reason: "cut by the test" });
  await page.waitForSelector("text=The line was broken");
  await shot(page, "logs-broken");
  await say(service, [record({ text: "after" })]);
  await line(page, "after").waitFor();
  await page.click(".note >> text=Search again");
  await page.waitForSelector("text=The line was broken", { state: "detached" });
  await counted(page, /^2$/);
  await page.context().close();
});

test("pages come as somebody scrolls, keys open records, and what came around one is found", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/logs?project=${project}&service=batch`);
  await counted(page, /^200\+$/);
  const box = page.locator('[aria-label="Records"]');
  while (!(await page.locator(".toolbar-count", { hasText: /^1,200$/ }).count())) {
    await box.evaluate((element) => element.scrollTo({ top: element.scrollHeight }));
    await page.waitForTimeout(50);
  }
  await box.evaluate((element) => element.scrollTo({ top: element.scrollHeight }));
  await line(page, "row 0 is").waitFor();
  // Only what is in sight is drawn.
  assert.ok((await lines(page).count()) < 100);
  await line(page, "row 0 is").focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowRight");
  await page.waitForSelector('.log-row[data-open="true"] >> text=row 1 is');
  await page.keyboard.press("ArrowLeft");
  await page.waitForSelector('.log-row[data-open="true"]', { state: "detached" });
  await page.keyboard.press("Enter");
  await page.click("text=What came around it");
  await page.waitForURL((to) => Number(to.searchParams.get("to")) - Number(to.searchParams.get("from")) === 60_000);
  await counted(page, /^200\+$|^30\d$/);
  await page.waitForSelector('input[aria-label="From"]');
  await shot(page, "logs-around");
  await page.context().close();
});

test("a trace of ten thousand spans scrolls, folds, zooms and is searched", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/traces/${project}/${LARGE}`);
  await page.waitForSelector("text=10,000 spans in sight");
  assert.ok((await rows(page).count()) < 120);
  await page.focus('[role="tree"]');
  await page.keyboard.press("End");
  await row(page, "row 9999").waitFor();
  await page.waitForSelector('section[aria-label="Chosen span"] h2:has-text("row 9999")');
  await shot(page, "trace-large");
  await page.fill('input[aria-label="Find spans"]', "row 5555");
  await page.waitForSelector("text=1 span found");
  await page.click("text=Fold all");
  await page.waitForSelector("text=/^1 span in sight/");
  await page.focus('input[aria-label="Find spans"]');
  await page.keyboard.press("Enter");
  await page.waitForSelector('[role="treeitem"][aria-selected="true"]:has-text("row 5555")');
  await page.click("text=Zoom to span");
  await page.waitForSelector("text=Whole time");
  await shot(page, "trace-zoomed");
  await page.context().close();
});

test("nothing, nonsense, no right and no trace say so", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/logs?project=${project}&q=nobodysaidthis`);
  await page.waitForSelector("text=Nothing matches in the last 1h");
  await assertAccessible(page, "nothing found");
  await shot(page, "logs-nothing");
  await page.click("text=Look in all that is kept");
  await page.waitForURL(/last=all/);
  await page.fill('input[aria-label="Search logs"]', '"not closed');
  const told = page.locator('.logs-body [role="alert"]');
  await told.waitFor();
  assert.match(await told.innerText(), /quote/);
  await assertAccessible(page, "a query that is wrong");
  await shot(page, "logs-wrong");
  const empty = fresh("empty");
  await page.goto(`${url}/logs?project=${empty}&last=all`);
  await page.waitForSelector("text=Nothing was said here yet");
  await page.goto(`${url}/traces?project=${empty}&last=all`);
  await page.waitForSelector("text=There are no traces yet");
  await assertAccessible(page, "no traces");
  await page.goto(`${url}/traces/${project}/${"ab".repeat(16)}`);
  await page.waitForSelector("text=The trace cannot be shown");
  await assertAccessible(page, "a trace that is not there");
  await shot(page, "trace-none");
  await page.context().close();
  const viewer = await open(browser, { theme: "light" });
  await signIn(viewer, `/logs?project=${project}&service=shop`, await makeKey("ROLE_VIEWER", project));
  await line(viewer, "order 4712").waitFor();
  await viewer.context().close();
});

test("both are found by the palette and in the navigation", async () => {
  const page = await open(browser, { theme: "dark", height: 700 });
  await signIn(page, "/graphs");
  await page.click('nav.rail >> text="Traces"');
  await page.waitForURL(/\/traces/);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("logs");
  await page.waitForSelector('[role="option"][aria-selected="true"]:has-text("Logs")');
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/logs/);
  await shot(page, "logs-low");
  const settings = await page.locator('nav.rail >> text="Settings"').boundingBox();
  assert.ok(settings && settings.y + settings.height <= 700, "all areas are in sight");
  await assert.rejects(call("GET", `/v1/projects/${project}/logs:search`, undefined, "weft_nobody"), /401/);
  await page.context().close();
});
