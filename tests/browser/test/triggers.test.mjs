// Triggers as pages: a webhook by form, called with a right and a wrong signature; a schedule with its
// next times, held and made up for; and what is refused, at its field.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { call, fresh, makeKey, url } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";
import { makeWorkflow, node, way } from "../lib/workflows.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** A workflow that gives what it is given. */
const ECHO = [node("start", "input"), node("end", "output"), way("start", "end")];
const SECRET = "correct horse battery";
const PATIENCE = { timeout: 40_000 };

const field = (page, label) => page.locator("dialog").getByLabel(label, { exact: true });
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
/** A delivery in the table. */
const row = (page, text) => page.locator('section[aria-label="Deliveries"] tbody tr', { hasText: text });
/** A trigger in the list. */
const listed = (page, text) => page.locator('[aria-label="Triggers"] [role="row"]', { hasText: text });
const mark = (page, state) => page.locator(`.bar .state[data-state="${state}"]`).waitFor();

function send(address, body, headers) {
  return fetch(address, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
}

for (const theme of ["light", "dark"]) {
  test(`a webhook is made, called, looked into, tried and moved (${theme})`, async () => {
    const project = fresh("hooks");
    const workflow = await makeWorkflow("orders", ECHO, project);
    const page = await open(browser, { theme });
    await signIn(page, `/triggers?project=${project}`);
    await page.waitForSelector("text=Nothing starts a workflow by itself yet");
    await assertAccessible(page, `no triggers in ${theme}`);
    await shot(page, `triggers-empty-${theme}`);
    await page.click(".toolbar >> text=New trigger");
    await field(page, "Name").fill("Shop orders");
    assert.equal(await field(page, "Id").inputValue(), "shop-orders");
    await page.waitForSelector(`dialog select >> text=Story ${workflow}`, { state: "attached" });
    await field(page, "Header that names a delivery").fill("X-Delivery");
    await field(page, "Answer with what the run gives, if it ends within").fill("30s");
    await field(page, "Secret").fill("short");
    await field(page, "What the run is given").fill('{"said": "${event.bo');
    await page.locator('.cel-offers [role="option"]', { hasText: "event.body" }).first().waitFor();
    await page.keyboard.press("Escape");
    await field(page, "Only if").fill("event.");
    await press(page, "Create");
    // What the page can see it says at once; what only the mesh knows is said at its field, too.
    await page.locator('[data-field="input"] [role="alert"]', { hasText: "not JSON" }).waitFor();
    await field(page, "What the run is given").fill('{"said": "${event.body.hello}"}');
    await press(page, "Create");
    await page.locator('[data-field="webhook.secrets"] [role="alert"]').waitFor();
    await assertAccessible(page, `the form of a webhook in ${theme}`);
    await shot(page, `trigger-form-webhook-${theme}`);
    await field(page, "Secret").fill(SECRET);
    await press(page, "Create");
    await page.locator('[data-field="condition"] [role="alert"]').waitFor();
    await field(page, "Only if").fill("");
    await press(page, "Create");

    await page.waitForSelector("dialog >> text=only this once");
    const address = await page.innerText('dialog [aria-label="Address"]');
    assert.ok(address.startsWith(`${url}/hooks/`));
    assert.equal(await page.innerText('dialog [aria-label="Secret"]'), SECRET);
    await page.click("dialog summary");
    await assertAccessible(page, `a webhook that was made in ${theme}`);
    await shot(page, `trigger-made-${theme}`);
    // The lines for a shell are good as they are.
    const lines = await page.innerText('dialog [aria-label="Lines for a shell"]');
    const { stdout } = await promisify(execFile)("sh", ["-c", lines]);
    assert.deepEqual(JSON.parse(stdout), { said: "world" });
    await press(page, "I have it");

    await mark(page, "active");
    await row(page, "started").waitFor();
    const body = JSON.stringify({ hello: "again" });
    const sign = (secret) => createHmac("sha256", secret).update(body).digest("hex");
    const good = await send(address, body, { "x-signature": sign(SECRET), "x-delivery": "1" });
    assert.deepEqual([good.status, await good.json()], [200, { said: "again" }]);
    const bad = await send(address, body, { "x-signature": sign("another secret"), "x-delivery": "2" });
    assert.equal(bad.status, 401);
    // Both come by themselves.
    await row(page, "SIGNATURE_INVALID").locator("text=refused").waitFor(PATIENCE);
    await page.waitForFunction(() => document.querySelectorAll('section[aria-label="Deliveries"] tbody tr').length === 3);
    await page.click(".trigger-body summary >> text=Try it from a shell");
    await assertAccessible(page, `a webhook in ${theme}`);
    await shot(page, `trigger-webhook-${theme}`);
    await row(page, "started").first().locator("button").click();
    await page.waitForSelector('dialog [aria-label="Body"]:has-text("again")');
    assert.match(await page.innerText("dialog dl"), /127\.0\.0\.1/);
    // What came, without what proves a secret.
    await page.click("dialog summary >> text=Headers");
    const headers = await page.innerText('dialog [aria-label="Headers"]');
    assert.match(headers, /content-type\s+application\/json/);
    assert.match(headers, /x-signature\s+•••/);
    assert.ok(!headers.includes(sign(SECRET)));
    await assertAccessible(page, `a delivery in ${theme}`);
    await shot(page, `trigger-delivery-${theme}`);
    await page.click("dialog >> text=Open the run");
    await mark(page, "succeeded");
    await page.goBack();

    // Once more: a delivery of its own, that leads to the first one.
    await page.click('dialog >> button:has-text("Redeliver")');
    await page.waitForSelector("text=It was redelivered");
    await page.click("dialog >> text=an earlier one");
    await page.locator("dialog .fact", { hasText: "Called" }).waitFor();
    await page.locator("dialog >> text=an earlier one").waitFor({ state: "detached" });
    await page.waitForSelector("dialog >> text=Open the run");
    await page.keyboard.press("Escape");
    await row(page, "again").locator('.state[data-state="started"]').waitFor(PATIENCE);
    // What was refused is shown, and cannot be sent again.
    await row(page, "SIGNATURE_INVALID").locator("button").click();
    await page.waitForSelector('dialog [aria-label="Body"]:has-text("again")');
    assert.equal(await page.locator('dialog >> button:has-text("Redeliver")').count(), 0);
    await shot(page, `trigger-delivery-refused-${theme}`);
    await page.keyboard.press("Escape");
    await press(page, "Test");
    await field(page, /^Body/).fill('{"hello": "by hand"}');
    await press(page, "Start");
    await page.locator('dialog [role="status"]', { hasText: "started" }).waitFor();
    await assertAccessible(page, `a test in ${theme}`);
    await shot(page, `trigger-test-${theme}`);
    await page.click("dialog >> text=Open the run");
    await mark(page, "succeeded");
    await page.waitForSelector("text=by hand");
    await page.goBack();
    await row(page, "test").waitFor(PATIENCE);

    await press(page, "New address");
    await page.click('dialog >> button:has-text("New address")');
    await page.waitForSelector("text=It has another address");
    await page.waitForFunction((old) => document.querySelector('[aria-label="Whoever has it can try to call"]').innerText !== old, address);
    assert.equal((await send(address, body, { "x-signature": sign(SECRET) })).status, 404);

    // A change keeps the secret.
    await press(page, "Edit");
    await field(page, "What the run is given").fill('{"again": "${event.body.hello}"}');
    await press(page, "Save");
    await page.waitForSelector("dialog", { state: "detached" });
    await page.waitForSelector("text=again");
    const now = await page.innerText('[aria-label="Whoever has it can try to call"]');
    const changed = await send(now, body, { "x-signature": sign(SECRET), "x-delivery": "3" });
    assert.deepEqual(await changed.json(), { again: "again" });

    await press(page, "Pause");
    await page.waitForSelector("text=Requests are refused");
    assert.equal((await send(now, body, { "x-signature": sign(SECRET), "x-delivery": "4" })).status, 409);
    await page.click(".crumbs >> text=Triggers");
    await listed(page, "Shop orders").locator('.state[data-state="paused"]').waitFor();
    // What came last was refused, and the owner sees that.
    await listed(page, "Shop orders").locator('.state[data-state="refused"]').waitFor(PATIENCE);
    await assertAccessible(page, `triggers in ${theme}`);
    await shot(page, `triggers-${theme}`);
    assertQuiet(page, [/400/]);
    await page.context().close();
  });

  test(`dead letters are looked into, dismissed and redelivered (${theme})`, async () => {
    const project = fresh("dead");
    const trigger = { graph: `projects/${project}/graphs/later`, webhook: { provider: "WEBHOOK_PROVIDER_NONE" } };
    const made = await call("POST", `/v1/projects/${project}/triggers?triggerId=orders`, trigger);
    const page = await open(browser, { theme });
    await signIn(page, `/triggers?project=${project}`);
    await page.click(".toolbar >> text=Dead letters");
    await page.waitForSelector("text=There are no dead letters");
    await assertAccessible(page, `no dead letters in ${theme}`);
    for (const n of [1, 2, 3]) assert.equal((await send(`${url}${made.webhook.path}`, JSON.stringify({ n }), {})).status, 202);
    // They come by themselves.
    const dead = page.locator('table[aria-label="Dead letters"] tbody tr');
    await dead.nth(2).waitFor(PATIENCE);
    await dead.first().locator("text=GRAPH_NOT_FOUND").waitFor();
    await assertAccessible(page, `dead letters in ${theme}`);
    await shot(page, `dead-letters-${theme}`);
    await page.getByLabel("Filter dead letters").fill("reason = ");
    await page.locator('[role="alert"]').waitFor();
    await page.getByLabel("Filter dead letters").fill("reason = OTHER");
    await page.waitForSelector("text=No dead letter matches");
    await page.getByLabel("Filter dead letters").fill("reason = GRAPH_NOT_FOUND");
    await dead.nth(2).waitFor(PATIENCE);
    await dead.first().locator("a").first().click();
    await page.waitForSelector('dialog [aria-label="Body"]:has-text("n")');
    await page.waitForSelector('dialog >> button:has-text("Dismiss")');
    await assertAccessible(page, `a dead letter in ${theme}`);
    await shot(page, `dead-letter-${theme}`);
    await page.goBack();
    await dead.first().locator('input[type="checkbox"]').check();
    await shot(page, `dead-letters-chosen-${theme}`);
    await press(page, "Dismiss 1 chosen");
    await page.waitForSelector("text=1 dismissed");
    await dead.nth(2).waitFor({ state: "detached", ...PATIENCE });
    await makeWorkflow("later", ECHO, project);
    await press(page, "Redeliver all");
    await page.waitForSelector("text=2 redelivered");
    await page.waitForSelector("text=No dead letter matches", PATIENCE);
    await page.goto(`${url}/triggers/${project}/orders`);
    await row(page, "started").nth(1).waitFor(PATIENCE);
    assertQuiet(page, [/400/]);
    await page.context().close();
  });

  test(`a schedule says its times, is held, made up for and deleted (${theme})`, async () => {
    const project = fresh("times");
    await makeWorkflow("report", ECHO, project);
    await makeWorkflow("other", ECHO, project);
    const page = await open(browser, { theme });
    // From the workflow that it is for.
    await signIn(page, `/workflows/${project}/report`);
    await page.click(".wf-bar >> text=Triggers");
    await page.waitForSelector("text=Nothing starts report by itself");
    await page.click(".toolbar >> text=New trigger");
    await field(page, "Name").fill("Morning report");
    assert.equal(await field(page, "Workflow").inputValue(), "report");
    await page.click("dialog >> text=Times (schedule)");
    await field(page, "Time zone").fill("Asia/Kolkata");
    await field(page, "Cron").fill("61 9 * * *");
    // It is said while one types.
    await page.locator('[data-field="schedule.cron"] [role="alert"]').waitFor();
    await assertAccessible(page, `a wrong schedule in ${theme}`);
    await shot(page, `trigger-form-wrong-${theme}`);
    await press(page, "Create");
    await page.waitForSelector("text=It was refused: look at the fields that are marked");
    await field(page, "Cron").fill("30 9 * * MON-FRI");
    await page.locator('dialog .ticks-preview[aria-busy="false"] li').nth(4).waitFor();
    for (const time of await page.locator("dialog .ticks time").allInnerTexts()) assert.match(time, /^(Mon|Tue|Wed|Thu|Fri).* 09:30$/);
    assert.equal(await page.locator('[data-field="schedule.cron"] [role="alert"]').count(), 0);
    await assertAccessible(page, `the form of a schedule in ${theme}`);
    await shot(page, `trigger-form-schedule-${theme}`);
    await page.click("dialog >> text=Again and again");
    await field(page, "Every").fill("soon");
    await page.locator('[data-field="schedule.interval"] [role="alert"]').waitFor();
    await page.click("dialog >> text=By the calendar");
    await press(page, "Create");
    await mark(page, "active");
    await page.waitForSelector("text=Monday to Friday at 09:30, Asia/Kolkata");
    await page.waitForFunction(() => document.querySelectorAll('section[aria-label="The next times"] li').length === 5);
    await press(page, "Pause");
    await mark(page, "paused");

    await press(page, "Make up for");
    const day = 86_400_000;
    const local = (millis) => new Date(millis).toISOString().slice(0, 16);
    const today = Math.floor(Date.now() / day) * day;
    await field(page, "From").fill(local(today - 14 * day));
    await field(page, "Until").fill(local(today - 7 * day));
    await shot(page, `trigger-backfill-${theme}`);
    await page.click('dialog >> button:has-text("Make up for")');
    await page.waitForSelector("text=5 ticks made up for");
    await row(page, "made up for").nth(4).waitFor(PATIENCE);
    await page.locator('section[aria-label="Deliveries"] tr', { hasText: "started" }).first().waitFor(PATIENCE);
    await assertAccessible(page, `a schedule in ${theme}`);
    await shot(page, `trigger-schedule-${theme}`);
    await press(page, "Resume");
    await mark(page, "active");

    // Others are found by what they are.
    const others = [
      ["nightly", { cron: "0 2 * * *", timeZone: "Europe/Berlin" }],
      ["often", { interval: "5400s" }],
    ];
    for (const [id, schedule] of others)
      await call("POST", `/v1/projects/${project}/triggers?triggerId=${id}`, { graph: `projects/${project}/graphs/other`, schedule });
    await page.goto(`${url}/triggers?project=${project}`);
    await listed(page, "nightly").waitFor();
    await shot(page, `triggers-schedules-${theme}`);
    await page.getByLabel("Filter triggers").fill("kolkata");
    await listed(page, "nightly").waitFor({ state: "detached" });
    await listed(page, "Morning report").waitFor();
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Delete");
    await listed(page, "often").locator("text=every 90m").waitFor();
    await page.click("text=Morning report");
    await press(page, "Delete");
    await page.click('dialog >> button:has-text("Delete")');
    await listed(page, "nightly").waitFor();
    assert.equal(await listed(page, "Morning report").count(), 0);
    assertQuiet(page, [/400/]);
    await page.context().close();
  });
}

test("who may only look sees no buttons and no address", async () => {
  const project = "default";
  const workflow = await makeWorkflow(fresh("seen"), ECHO);
  const id = fresh("seen");
  await call("POST", `/v1/projects/${project}/triggers?triggerId=${id}`, {
    graph: `projects/${project}/graphs/${workflow}`,
    webhook: { provider: "WEBHOOK_PROVIDER_NONE" },
  });
  await call("POST", `/v1/projects/${project}/triggers/${id}:fire`, { body: { a: 1 } });
  const page = await open(browser, { theme: "light" });
  await signIn(page, "/triggers", await makeKey("ROLE_VIEWER"));
  await page.click(`text=${id}`);
  await row(page, "started").waitFor(PATIENCE);
  await row(page, "started").locator("button").click();
  await page.waitForSelector('dialog [aria-label="Body"]');
  assert.equal(await page.locator('dialog >> button:has-text("Redeliver")').count(), 0);
  await page.keyboard.press("Escape");
  for (const name of ["Test", "Pause", "Edit", "Delete", "New address"])
    assert.equal(await page.getByRole("button", { name, exact: true }).count(), 0, name);
  assert.equal(await page.locator("text=/hooks/").count(), 0);
  await shot(page, "trigger-viewer");
  await page.goto(`${url}/triggers?make=true`);
  await listed(page, id).waitFor();
  assert.equal(await page.locator("text=New trigger").count(), 0);
  assert.equal(await page.locator("dialog").count(), 0);
  await page.goto(`${url}/triggers/${project}/nothing-there`);
  await page.waitForSelector("text=The trigger cannot be shown");
  await page.context().close();
});
