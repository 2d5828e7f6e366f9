// Runs as pages: started by a form, watched, answered, mended and let go on, found
// again among many; and what waits for a person, in one place.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { call, fresh, makeKey } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";
import { freePort, startMesh } from "../lib/mesh.mjs";
import { makeWorkflow, node, ORDERS, start, way } from "../lib/workflows.mjs";

let browser;
let orders;
before(async () => {
  browser = await launch();
  orders = await makeWorkflow(fresh("orders"), ORDERS);
});
after(() => browser?.close());

const row = (page, text) => page.locator(".runs-table .table-row", { hasText: text });
const bar = (page, state) => page.locator(`.bar .state[data-state="${state}"]`);
const step = (page, path) => page.locator(`.timeline-step[data-path="${path}"]`);

for (const theme of ["light", "dark"]) {
  test(`a run is started by its form, watched, and goes on when a person has answered (${theme})`, async () => {
    const page = await open(browser, { theme });
    const name = fresh(`three-${theme}`);
    await signIn(page, `/executions?workflow=${orders}`);
    await page.click("main .button-primary >> text=Run");
    await page.fill('dialog label:has-text("prices") textarea', "[100, 200, 300]");
    await page.click("dialog summary >> text=More");
    await page.fill('dialog label:has-text("Name for people") input', name);
    await assertAccessible(page, `the form of a run in ${theme}`);
    await shot(page, `run-form-${theme}`);
    await page.click('dialog button[type="submit"]');
    await page.waitForSelector(`h1 >> text=${name}`);
    // That it waits is said, though the contract calls it running.
    await bar(page, "waiting").waitFor();
    await page.waitForSelector("text=Waits for a person: Ship 3 of them?");
    await page.waitForSelector('.step-pane >> text="The first costs 119."');
    await assertAccessible(page, `a run that asks in ${theme}`);
    await shot(page, `run-waits-${theme}`);
    // What ran inside is folded, and unfolds by the keyboard.
    assert.equal(await step(page, "each[1]").count(), 0);
    await step(page, "each").focus();
    for (const key of ["ArrowRight", "ArrowDown", "ArrowDown", "ArrowRight"]) await page.keyboard.press(key);
    await step(page, "each[1]/taxed").click();
    await page.waitForSelector('section[aria-label="Step each[1]/taxed"] pre >> text="238"');
    await assertAccessible(page, `an unfolded run in ${theme}`);
    await shot(page, `run-unfolded-${theme}`);
    // In the other tab somebody sees it among what waits, and answers.
    await page.goto(new URL("/approvals", page.url()).href);
    const question = page.locator(".approval", { hasText: name });
    await question.locator("text=Ship 3 of them?").waitFor();
    await assertAccessible(page, `the approvals in ${theme}`);
    await shot(page, `approvals-${theme}`);
    await question.locator("select").selectOption("train");
    await question.locator('label:has-text("Comment") textarea').fill("go ahead");
    await question.locator("text=Approve").click();
    await question.waitFor({ state: "detached" });
    await page.goto(new URL(`/executions?workflow=${orders}&state=succeeded`, page.url()).href);
    await row(page, name).locator("a").click();
    await bar(page, "succeeded").waitFor();
    await page.locator(".run-values pre", { hasText: "train" }).waitFor();
    await assertAccessible(page, `a run that has ended in ${theme}`);
    await shot(page, `run-ended-${theme}`);
    assertQuiet(page);
    await page.context().close();
  });
}

test("what failed is mended, and goes on from there", async () => {
  const mended = await makeWorkflow(fresh("mended"), ORDERS);
  const id = await start(mended, { prices: [100, "200"] });
  const page = await open(browser, { theme: "dark" });
  await signIn(page, `/executions/default/${id}`);
  await bar(page, "failed").waitFor();
  await page.waitForSelector(".step-pane >> text=EXPRESSION_FAILED");
  await shot(page, "run-failed");
  const better = node("taxed", "set", { parent: "each", value: "${int(item) * 119 / 100}" });
  await call("POST", `/v1/projects/default/graphs/${mended}:applyChanges`, { changes: [better] });
  await page.click("text=Retry from here");
  await page.check("dialog input[type=checkbox]");
  await assertAccessible(page, "the dialog of a retry");
  await page.click('dialog button[type="submit"]');
  await bar(page, "succeeded").waitFor();
  await page.waitForSelector("text=retried 1 time");
  await page.waitForSelector('.run-values >> text="[119,238]"');
  // The same again, with what it was given.
  await page.click("text=Run again");
  assert.match(await page.inputValue('dialog label:has-text("prices") textarea'), /100/);
  assertQuiet(page);
  await page.context().close();
});

test("a run waits for a time and for a signal, is held, let go, and ended at once", async () => {
  const slow = await makeWorkflow(fresh("slow"), [
    node("start", "input"),
    node("later", "delay", { for: "30d" }),
    node("word", "signal", { signal: "go" }),
    node("said", "output"),
    node("end", "output"),
    way("start", "later"),
    way("start", "word"),
    way("word", "said"),
    way("later", "end"),
  ]);
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/executions/default/${await start(slow, {})}`);
  await bar(page, "waiting").waitFor();
  await page.waitForSelector("text=Waits for the signal go");
  await page.waitForSelector("text=Waits for a time:");
  await page.click("text=Pause");
  await bar(page, "paused").waitFor();
  await page.click("text=Resume");
  await bar(page, "waiting").waitFor();
  await step(page, "word").click();
  await page.click("text=Send it");
  assert.equal(await page.inputValue('dialog label:has-text("Signal") input'), "go");
  await page.fill('dialog label:has-text("What it brings") textarea', '{"by": "hand"}');
  await assertAccessible(page, "the dialog of a signal");
  await page.click('dialog button[type="submit"]');
  await page.waitForSelector('.step-pane >> text={"by":"hand"}');
  await shot(page, "run-signal");
  await page.click("text=Terminate");
  await page.click('dialog button[type="submit"]');
  await bar(page, "terminated").waitFor();
  assertQuiet(page);
  await page.context().close();
});

test("many runs are found by filters that are kept, and ended together", async () => {
  const project = fresh("runs");
  const asking = await makeWorkflow(
    "asking",
    [node("start", "input"), node("ask", "approval", { title: "Well?" }), node("end", "output"), way("start", "ask"), way("ask", "end", "approved")],
    project,
  );
  const page = await open(browser, { theme: "dark" });
  await signIn(page, `/executions?project=${project}`);
  await page.waitForSelector("text=Nothing was run yet");
  await assertAccessible(page, "no runs");
  await shot(page, "runs-empty");
  await page.goto(new URL(`/approvals?project=${project}`, page.url()).href);
  await page.waitForSelector("text=Nothing waits for a person");
  await assertAccessible(page, "no approvals");
  await shot(page, "approvals-empty");
  for (let at = 0; at < 450; at += 50) {
    const some = Array.from({ length: 50 }, (_, i) => start(asking, {}, { project, displayName: `Number ${at + i}` }));
    await Promise.all(some);
  }
  await page.goto(new URL(`/executions?project=${project}`, page.url()).href);
  await row(page, "waiting").first().waitFor();
  await page.locator('.runs-table [role="rowgroup"]').hover();
  // Page after page comes as somebody scrolls, and only what is in sight is drawn.
  while ((await page.locator(".toolbar-count", { hasText: /^450$/ }).count()) === 0) {
    await page.mouse.wheel(0, 20_000);
    await page.waitForTimeout(100);
  }
  await page.mouse.wheel(0, 1_000_000);
  await row(page, /Number \d+/).last().waitFor();
  assert.ok((await page.locator('[role="row"]').count()) < 60, "only what is in sight is drawn");
  await assertAccessible(page, "many runs");
  await page.fill('input[aria-label="Search names"]', "Number 44");
  await page.selectOption('select[aria-label="State"]', "waiting");
  await page.locator(".toolbar-count", { hasText: /^11$/ }).waitFor();
  await page.click('button[aria-label="Saved filters"]');
  await page.fill('input[aria-label="Name of the filter"]', "mine");
  await page.click('.saved-menu >> text="Save"');
  await page.check('input[aria-label="Choose all that are loaded"]');
  await shot(page, "runs-chosen");
  await assertAccessible(page, "chosen runs");
  await page.click("text=Cancel 11");
  await page.waitForSelector("text=11 runs cancelled");
  await page.waitForSelector("text=No run matches.");
  // The filter is in the address, and kept under its name.
  assert.match(page.url(), /state=waiting/);
  await page.goto(new URL(`/executions?project=${project}`, page.url()).href);
  await page.click('button[aria-label="Saved filters"]');
  await page.click('.saved-menu >> text="mine"');
  await page.waitForSelector("text=No run matches.");
  await page.selectOption('select[aria-label="State"]', "cancelled");
  await page.locator(".toolbar-count", { hasText: /^11$/ }).waitFor();
  assertQuiet(page);
  await page.context().close();
});

test("who may only look sees no buttons", async () => {
  const name = fresh("looked");
  const id = await start(orders, { prices: [1, 2, 3] }, { displayName: name });
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/executions/default/${id}`, await makeKey("ROLE_VIEWER"));
  await bar(page, "waiting").waitFor();
  await page.waitForSelector(".step-pane >> text=Ship 3 of them?");
  for (const text of ["Approve", "Cancel", "Pause"]) {
    assert.equal(await page.locator(`main button:has-text("${text}")`).count(), 0, text);
  }
  await page.click("nav.rail >> text=Runs");
  await row(page, name).waitFor();
  assert.equal(await page.locator("main .button-primary").count(), 0);
  assert.equal(await page.locator('input[type="checkbox"]').count(), 0);
  await page.context().close();
});

test("a run that is not there, and a mesh that is not there", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, "/executions/default/x123456");
  await page.waitForSelector("text=The run cannot be shown");
  await assertAccessible(page, "a run that is not there");
  await page.route("**/weft.execution.v1.ExecutionService/List*", (route) => route.abort());
  await page.click("nav.rail >> text=Approvals");
  await page.waitForSelector("text=The approvals cannot be listed", { timeout: 30_000 });
  await page.unroute("**/weft.execution.v1.ExecutionService/List*");
  await page.click("text=Try again");
  await page.waitForSelector("text=The approvals cannot be listed", { state: "detached" });
  await page.context().close();
});

test("the page of a run goes on by itself after the mesh was killed", async () => {
  const port = await freePort();
  let mesh = await startMesh({ port });
  try {
    const key = readFileSync(mesh.env.WEFT_KEY_FILE, "utf8").trim();
    const url = `http://127.0.0.1:${port}`;
    const ask = async (path, body) => {
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
      const answer = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      assert.ok(answer.ok, `${path}: ${answer.status}`);
      return answer.json();
    };
    await ask("/v1/projects/default/graphs?graphId=orders", { kind: "GRAPH_KIND_WORKFLOW" });
    await ask("/v1/projects/default/graphs/orders:applyChanges", { changes: ORDERS });
    const run = { graph: "projects/default/graphs/orders", input: { prices: [1, 2, 3] } };
    await ask("/v1/projects/default/executions?executionId=killed", run);
    const page = await open(browser, { theme: "dark" });
    const { ticket } = await ask("/v1/tickets", {});
    await page.goto(`${url}/executions/default/killed#ticket=${ticket}`);
    await page.waitForSelector(".step-pane >> text=Ship 3 of them?");
    await mesh.kill();
    await page.waitForSelector('[data-testid="connection"][data-state="reconnecting"]');
    await shot(page, "run-mesh-away");
    mesh = await startMesh({ port, folder: mesh.folder });
    await page.waitForSelector('[data-testid="connection"][data-state="live"]', { timeout: 60_000 });
    await page.selectOption('.decide label:has-text("carrier") select', "boat");
    await page.click(".decide >> text=Approve");
    await bar(page, "succeeded").waitFor();
    await page.context().close();
  } finally {
    await mesh.stop();
  }
});
