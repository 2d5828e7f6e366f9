// Limits of runs: made, seen in the way of a run, changed so that it starts, and deleted.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, fresh, makeKey } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";
import { makeWorkflow, node, start, way } from "../lib/workflows.mjs";

let browser;
let held;
before(async () => {
  browser = await launch();
  const changes = [node("in", "input"), node("go", "signal", { signal: "go" }), way("in", "go")];
  held = await makeWorkflow(fresh("held"), changes);
});
after(() => browser?.close());

for (const theme of ["light", "dark"]) {
  test(`a limit is made, keeps a run waiting, is changed and deleted (${theme})`, async () => {
    const id = fresh("one");
    const page = await open(browser, { theme });
    await signIn(page, "/executions");
    await page.click('.runs-toolbar >> text="Limits"');
    await page.click("text=New limit");
    await assertAccessible(page, `the form of a limit in ${theme}`);
    await page.fill('dialog label:has-text("Name") input', id);
    await page.locator('dialog label:has-text("Workflow") select').selectOption(`projects/default/graphs/${held}`);
    await page.fill('dialog label:has-text("For each") input', "input.(");
    await page.click('dialog >> text="Create"');
    await page.locator("dialog [role=alert]", { hasText: "run_limit.key" }).waitFor();
    await page.fill('dialog label:has-text("For each") input', "input.customer");
    await shot(page, `limit-form-${theme}`);
    await page.click('dialog >> text="Create"');
    const row = page.locator("tr", { hasText: id });
    await row.waitFor();
    assert.match(await row.innerText(), /for each input\.customer[^]*1 at once[^]*waits/);

    const runs = [];
    for (let at = 0; at < 2; at++) runs.push(await start(held, { customer: "ada" }));
    await row.locator("td:nth-child(4) >> text=1").waitFor();
    await row.locator("td:nth-child(5) >> text=1").waitFor();
    await assertAccessible(page, `limits in ${theme}`);
    await shot(page, `limits-${theme}`);

    // Why it waits is said on its page and in the list.
    await page.goto(new URL(`/executions?workflow=${held}&state=queued`, page.url()).href);
    await page.locator(".runs-table", { hasText: `number 1 of ${id} for ada` }).waitFor();
    await page.goto(new URL(`/executions/default/${runs[1]}`, page.url()).href);
    await page.locator('.bar .state[data-state="queued"]').waitFor();
    await page.locator(".waits", { hasText: `number 1 of ${id} for ada` }).waitFor();
    await page.locator(".step-pane", { hasText: "Waits for its run to start." }).waitFor();
    await assertAccessible(page, `a run in the queue in ${theme}`);
    await shot(page, `run-queued-${theme}`);

    // More may run: it starts, and its page says so by itself.
    await call("PATCH", `/v1/projects/default/runLimits/${id}`, { maxConcurrent: 2 });
    await page.locator('.bar .state[data-state="waiting"]').waitFor();
    await page.goto(new URL("/executions/limits", page.url()).href);
    await row.locator("text=Change").click();
    await page.fill('dialog label:has-text("Runs at once") input', "7");
    await page.click('dialog >> text="Save"');
    await row.locator("text=7 at once").waitFor();
    await row.locator("text=Delete").click();
    await page.click('dialog >> text="Delete"');
    await row.waitFor({ state: "detached" });
    for (const run of runs) await call("POST", `/v1/projects/default/executions/${run}:cancel`, {});
    assertQuiet(page);
    await page.context().close();
  });
}

test("who may not set limits sees which there are", async () => {
  const id = fresh("theirs");
  await call("POST", `/v1/projects/default/runLimits?runLimitId=${id}`, { maxConcurrent: 1000 });
  const key = await makeKey("ROLE_VIEWER");
  const page = await open(browser);
  await signIn(page, "/executions/limits", key);
  await page.locator("tr", { hasText: id }).waitFor();
  assert.equal(await page.locator("text=New limit").count(), 0);
  assert.equal(await page.locator("tr button").count(), 0);
  await call("DELETE", `/v1/projects/default/runLimits/${id}`);
  assertQuiet(page);
  await page.context().close();
});
