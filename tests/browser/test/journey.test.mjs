// One way through the product as a person goes it: a workflow is drawn, a webhook for it made by form and called by
// somebody outside; the mesh loses its power while a request hangs and again while a person is asked; and the page
// that was open all the time sees the run to its end, each effect once.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { freePort, startMesh } from "../lib/mesh.mjs";

// A mesh of its own, because it is killed: what the other tests share is left alone.
const port = await freePort();
let mesh = await startMesh({ port });
Object.assign(process.env, mesh.env);
const { startAgent } = await import("../lib/agents.mjs");
const { call, fresh } = await import("../lib/api.mjs");
const { assertAccessible, launch, open, shot, signIn } = await import("../lib/browser.mjs");

const SECRET = "a secret of the shop";
const PATIENCE = { timeout: 90_000 };

/** What the workflow charges: each charge counts once, by its key. It answers when it is told to. */
const bank = {
  charges: new Map(),
  /** Keys of the requests that came, in their order. */
  asked: [],
  hangs: true,
  server: createServer((request, answer) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      const key = request.headers["idempotency-key"];
      bank.asked.push(key);
      if (!bank.charges.has(key)) bank.charges.set(key, { receipt: bank.charges.size + 1, of: JSON.parse(body) });
      if (bank.hangs) return;
      answer.setHeader("content-type", "application/json");
      answer.end(JSON.stringify(bank.charges.get(key)));
    });
  }),
};

let browser;
let agent;
before(async () => {
  browser = await launch();
  agent = await startAgent(fresh("worker"));
  await new Promise((resolve) => bank.server.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  await browser?.close();
  await agent?.remove();
  bank.server.closeAllConnections();
  bank.server.close();
  await mesh.stop();
});

const node = (page, key) => page.locator(`[data-node="${key}"]`);
const setting = (page, name) => page.locator(`[data-setting-box="${name}"] :is(textarea, select)`);
const field = (page, label) => page.locator("dialog").getByLabel(label, { exact: true });
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const state = (page, name) => page.locator(`.bar .state[data-state="${name}"]`).waitFor(PATIENCE);
const connection = (page, name) => page.waitForSelector(`[data-testid="connection"][data-state="${name}"]`, PATIENCE);

/** By the keyboard: after what is chosen, a node of this kind. */
async function add(page, after, kind) {
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("Escape");
  await node(page, after).locator(".wf-main").focus();
  await page.locator(`[data-node="${after}"][data-selected="true"]`).waitFor();
  await page.keyboard.press("a");
  await page.fill(".add-dialog input", kind);
  await page.keyboard.press("Enter");
  await page.locator(`[data-kind="${kind}"] .wf-main:focus`).waitFor();
}

/** Until something outside the page is so. */
async function until(isSo) {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** The power goes, and comes back: the page notices both. */
async function powerCut(page, meanwhile = () => {}) {
  await mesh.kill();
  meanwhile();
  await connection(page, "reconnecting");
  mesh = await startMesh({ port, folder: mesh.folder });
  await connection(page, "live");
}

async function draw(page, name) {
  await signIn(page, "/workflows");
  await page.click("text=New workflow");
  await page.fill('dialog label:has-text("Name") input', name);
  await page.click('dialog >> text="Create"');
  await page.click("text=Begin with an input");
  await node(page, "input").waitFor();
  await add(page, "input", "map");
  await setting(page, "items").fill("input.prices");
  // Between the beginning and the end of the map's body.
  await add(page, "map_in", "set");
  await setting(page, "value").fill("${item * 2}");
  await page.keyboard.press("Escape");
  await node(page, "set").locator(".wf-main").focus();
  await page.keyboard.press("c");
  await page.locator("dialog select").nth(1).selectOption("map_out");
  await page.click('dialog button[type="submit"]');
  await node(page, "set").locator(".wf-main:focus").waitFor();
  await add(page, "map", "http");
  await setting(page, "url").fill(`http://127.0.0.1:${bank.server.address().port}/charges`);
  await setting(page, "method").selectOption("POST");
  await setting(page, "body").fill('{"prices": "${input}"}');
  await add(page, "http", "command");
  await setting(page, "agents").fill(JSON.stringify([agent.id]));
  await setting(page, "command_type").fill("run-script");
  await setting(page, "arguments").fill('{"script": "say", "arguments": ["pack", "${string(steps.http.body.receipt)}"]}');
  await add(page, "command", "approval");
  await setting(page, "title").fill("Ship receipt ${steps.http.body.receipt}?");
  await add(page, "approval", "set");
  await setting(page, "value").fill('{"prices": "${steps.map}", "receipt": "${steps.http.body.receipt}", "why": "${input.comment}"}');
  const [last] = await page.locator('[data-kind="set"][data-selected="true"]').evaluateAll((all) => all.map((one) => one.dataset.node));
  await add(page, last, "output");
  await page.locator(".wf-saved", { hasText: /^Saved$/ }).waitFor();
  await page.locator(".wf-problems", { hasText: "Nothing is wrong" }).waitFor();
  await page.keyboard.press("f");
  await shot(page, "journey-drawn");
}

async function makeWebhook(page, name) {
  await page.click(".wf-bar >> text=Triggers");
  await page.click(".toolbar >> text=New trigger");
  await field(page, "Name").fill("Shop");
  assert.equal(await field(page, "Workflow").inputValue(), name);
  await field(page, "Secret").fill(SECRET);
  await field(page, "Header that names a delivery").fill("X-Order");
  await field(page, "What the run is given").fill('{"prices": "${event.body.prices}"}');
  await press(page, "Create");
  const address = await page.innerText('dialog [aria-label="Address"]');
  await press(page, "I have it");
  await state(page, "active");
  return address;
}

/** As the shop sends it. */
function order(address) {
  const body = JSON.stringify({ prices: [10, 20, 30] });
  const signature = createHmac("sha256", SECRET).update(body).digest("hex");
  const headers = { "content-type": "application/json", "x-signature": signature, "x-order": "order-1" };
  return fetch(address, { method: "POST", body, headers });
}

test("a workflow is drawn, called from outside and answered by a person, through two power cuts", async () => {
  const page = await open(browser, { theme: "dark", width: 1440, height: 900 });
  const name = fresh("journey");
  await draw(page, name);
  const address = await makeWebhook(page, name);

  const answer = await order(address);
  assert.equal(answer.status, 202);
  const rows = page.locator('section[aria-label="Deliveries"] tbody tr');
  await rows.filter({ hasText: "started" }).waitFor(PATIENCE);
  await shot(page, "journey-delivery");
  await rows.locator("a").click();

  // The power goes while the bank has done its part and not said so yet.
  await until(() => bank.asked.length > 0);
  await page.locator('.timeline-step[data-path="http"]').waitFor(PATIENCE);
  await shot(page, "journey-hangs");
  await powerCut(page, () => {
    bank.hangs = false;
  });
  await page.waitForSelector("text=Ship receipt 1?", PATIENCE);
  await state(page, "waiting");
  await assertAccessible(page, "a run that waits");
  await shot(page, "journey-waits");

  // And while a person thinks.
  await powerCut(page);
  await state(page, "waiting");
  // What the shop sends again is the same order.
  const again = await order(address);
  assert.deepEqual([again.status, await again.json()], [202, await answer.json()]);

  await page.click('nav.rail >> text="Approvals"');
  await page.locator(".approval", { hasText: "Ship receipt 1?" }).locator("textarea").fill("all is packed");
  await page.click(".decide >> text=Approve");
  await page.waitForSelector("text=Nothing waits for a person");
  await page.goBack();
  await state(page, "succeeded");
  await page.locator(".run-values pre", { hasText: "all is packed" }).waitFor();
  await shot(page, "journey-done");

  const { executions } = await call("GET", "/v1/projects/default/executions");
  assert.equal(executions.length, 1, "one order, one run");
  const { output } = await call("GET", `/v1/${executions[0].name}`);
  assert.deepEqual(output, { prices: [20, 40, 60], receipt: 1, why: "all is packed" });
  assert.deepEqual([...bank.charges.values()], [{ receipt: 1, of: { prices: [20, 40, 60] } }], "charged once");
  assert.ok(bank.asked.length > 1, "it was asked again after the first power cut");
  assert.equal(new Set(bank.asked).size, 1, "by the same key");
  const { commands } = await call("GET", "/v1/projects/default/commands");
  assert.equal(commands.length, 1, "one command");
  await page.context().close();
});
