// Workflows as pages: one is drawn by the keyboard and the mouse, said what is wrong
// with it, run with a map, a request, a command and a person, and watched to its end.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { startAgent } from "../lib/agents.mjs";
import { call, fresh, makeKey } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";
import { makeWorkflow, ORDERS } from "../lib/workflows.mjs";

let browser;
let agent;
let shop;
before(async () => {
  browser = await launch();
  agent = await startAgent(fresh("worker"));
  // What the workflow asks: it says the price of what it is asked for.
  shop = createServer((request, answer) => {
    answer.setHeader("content-type", "application/json");
    answer.end(JSON.stringify({ asked: request.url }));
  });
  await new Promise((resolve) => shop.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  await browser?.close();
  await agent?.remove();
  shop?.close();
});

const node = (page, key) => page.locator(`[data-node="${key}"]`);
const setting = (page, name) => page.locator(`[data-setting-box="${name}"] :is(textarea, select)`);
const saved = (page) => page.locator(".wf-saved", { hasText: /^Saved$/ }).waitFor();

/** By the keyboard: after what is chosen, a node of this kind. */
async function add(page, kind) {
  await page.keyboard.press("a");
  await page.fill(".add-dialog input", kind);
  await page.keyboard.press("Enter");
  await page.locator(`[data-kind="${kind}"] .wf-main:focus`).waitFor();
}

/** By the keyboard, as one who has not touched the mouse. */
async function choose(page, key) {
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("Escape");
  await node(page, key).locator(".wf-main").focus();
  await page.locator(`[data-node="${key}"][data-selected="true"]`).waitFor();
}

test("a workflow is drawn, run, answered and seen to its end", async () => {
  const page = await open(browser, { theme: "dark", width: 1440, height: 860 });
  await signIn(page, "/workflows");
  const id = fresh("drawn");
  await page.click("text=New workflow");
  await page.fill('dialog label:has-text("Name") input', id);
  await assertAccessible(page, "the form of a workflow");
  await page.click('dialog >> text="Create"');
  await page.waitForSelector("text=Nothing happens here yet");
  await assertAccessible(page, "an empty workflow");
  await page.click("text=Begin with an input");
  await node(page, "input").waitFor();
  // A body comes with its beginning and its end; a node is put between them.
  await choose(page, "input");
  await add(page, "map");
  await node(page, "map_in").waitFor();
  await setting(page, "items").fill("input.n");
  await setting(page, "items").fill("input.names");
  await choose(page, "map_in");
  await add(page, "http");
  await setting(page, "url").fill(`http://127.0.0.1:${shop.address().port}/\${it`);
  await page.locator('.cel-offers [role="option"]', { hasText: "item" }).first().waitFor();
  await shot(page, "workflow-completion");
  await page.keyboard.press("Enter");
  await page.keyboard.type("}");
  assert.match(await setting(page, "url").inputValue(), /\$\{item\}$/);
  // The end of the body takes what was fetched, in place of what came in.
  await choose(page, "http");
  await page.keyboard.press("c");
  await page.locator("dialog select").nth(1).selectOption("map_out");
  await page.click('dialog button[type="submit"]');
  await node(page, "http").locator(".wf-main:focus").waitFor();
  await choose(page, "map");
  await add(page, "command");
  // What is missing is said at once, and the list leads to it.
  await page.locator(".wf-problems", { hasText: "problem" }).waitFor();
  await page.click(".wf-problems-head");
  await assertAccessible(page, "a workflow with problems");
  await shot(page, "workflow-problems");
  await page.locator(".wf-problems li", { hasText: "agents" }).locator("button").click();
  await page.locator('[data-setting-box="agents"] textarea:focus').waitFor();
  await page.keyboard.type(JSON.stringify([agent.id]));
  await setting(page, "command_type").fill("run-script");
  await setting(page, "arguments").fill('{"script": "say", "arguments": ["hello"]}');
  await choose(page, "command");
  await add(page, "approval");
  await setting(page, "title").fill("Keep it?");
  await choose(page, "approval");
  await add(page, "output");
  await saved(page);
  await page.locator(".wf-problems", { hasText: "Nothing is wrong" }).waitFor();
  await assertAccessible(page, "a workflow");
  await shot(page, "workflow-drawn");
  // A step back, and forward again.
  await page.keyboard.press("Control+z");
  await node(page, "output").waitFor({ state: "detached" });
  await page.keyboard.press("Control+Shift+Z");
  await node(page, "output").waitFor();
  await page.locator(".wf-bar .button-primary").click();
  await page.fill("dialog textarea", '{"names": ["ada", "bob"]}');
  await page.click('dialog button[type="submit"]');
  await page.waitForSelector("text=Waits for a person: Keep it?");
  await page.click(".decide >> text=Approve");
  await page.locator('.bar .state[data-state="succeeded"]').waitFor();
  await shot(page, "workflow-ran");
  await page.click('.timeline-step[data-path="map"]');
  await page.locator(".step-pane pre", { hasText: "/bob" }).waitFor();
  assertQuiet(page);
  await page.context().close();
});

for (const theme of ["light", "dark"]) {
  test(`nodes are moved, joined and taken away with the mouse (${theme})`, async () => {
    const id = await makeWorkflow(fresh("moved"), ORDERS);
    const page = await open(browser, { theme, width: 1440, height: 860 });
    await signIn(page, `/workflows/default/${id}`);
    await node(page, "start").waitFor();
    await assertAccessible(page, `a workflow in ${theme}`);
    await shot(page, `workflow-${theme}`);
    const at = await node(page, "start").boundingBox();
    await page.mouse.move(at.x + 40, at.y + 20);
    await page.mouse.down();
    await page.mouse.move(at.x + 60, at.y + 180, { steps: 4 });
    await page.mouse.up();
    await saved(page);
    const graph = `/v1/projects/default/graphs/${id}`;
    const start = async () => (await call("GET", `${graph}/nodes`)).nodes.find((one) => one.key === "start").properties;
    assert.ok((await start()).y > 150, "it is where it was put");
    await node(page, "start").locator(".wf-main").focus();
    await page.keyboard.press("Delete");
    await node(page, "start").waitFor({ state: "detached" });
    await page.locator(".wf-problems", { hasText: "problem" }).waitFor();
    await page.click('button[aria-label="A step back"]');
    await node(page, "start").waitFor();
    await page.locator(".wf-problems", { hasText: "Nothing is wrong" }).waitFor();
    assertQuiet(page);
    await page.context().close();
  });
}

test("who may only look changes nothing", async () => {
  const id = await makeWorkflow(fresh("looked"), ORDERS);
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/workflows/default/${id}`, await makeKey("ROLE_VIEWER"));
  await node(page, "many").locator(".wf-main").click();
  assert.equal(await setting(page, "condition").getAttribute("readonly"), "");
  assert.equal(await page.locator("text=Add a node").count(), 0);
  assert.equal(await page.locator(".wf-bar .button-primary").count(), 0);
  await page.context().close();
});
