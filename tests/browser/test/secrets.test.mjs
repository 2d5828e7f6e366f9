// Secrets of workflows: made, offered where they can be named, changed, deleted, and never shown.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, fresh, makeKey } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";
import { makeWorkflow, node } from "../lib/workflows.mjs";

const VALUE = "a-value-of-the-browser-test";
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

for (const theme of ["light", "dark"]) {
  test(`a secret is made, named, changed and deleted (${theme})`, async () => {
    const id = fresh("token");
    const page = await open(browser, { theme });
    await signIn(page, "/settings/secrets");
    await page.click("text=New secret");
    await assertAccessible(page, `the form of a secret in ${theme}`);
    await page.fill('dialog label:has-text("Name in expressions") input', id);
    await page.fill('dialog label:has-text("What it is for") input', "Token of the robot");
    await page.fill('dialog label:has-text("Value") textarea', VALUE);
    await page.fill('dialog label:has-text("May be sent to") input', "API.example.org, *.example.com");
    await shot(page, `secret-form-${theme}`);
    await page.click('dialog >> text="Create"');
    const row = page.locator("tr", { has: page.locator("code", { hasText: new RegExp(`^${id}$`) }) });
    await row.waitFor();
    assert.match(await row.innerText(), /Token of the robot[^]*api\.example\.org, \*\.example\.com/);
    assert.ok(!(await page.content()).includes(VALUE));
    await assertAccessible(page, `secrets in ${theme}`);
    await shot(page, `secrets-${theme}`);

    // Where a request is made it is offered.
    const graph = fresh("asks");
    await makeWorkflow(graph, [node("ask", "http", { url: "https://api.example.org/" })]);
    await page.goto(new URL(`/workflows/default/${graph}`, page.url()).href);
    await page.locator('[data-node="ask"] .wf-main').click();
    const url = page.locator('[data-setting-box="url"] textarea');
    await url.focus();
    await page.keyboard.press("End");
    await page.keyboard.type("${secrets");
    await page.keyboard.press("Control+Space");
    await page.locator('.cel-offers [role="option"]', { hasText: id }).first().waitFor();
    await page.keyboard.press("Escape");

    await page.goto(new URL("/settings/secrets", page.url()).href);
    await row.locator("text=Change").click();
    await page.fill('dialog label:has-text("What it is for") input', "Token of another robot");
    await page.fill('dialog label:has-text("May be sent to") input', "");
    await page.click('dialog >> text="Save"');
    await row.locator("text=Token of another robot").waitFor();
    assert.match(await row.innerText(), /every host/);
    await row.locator("text=Delete").click();
    await page.click('dialog >> text="Delete"');
    await row.waitFor({ state: "detached" });
    assertQuiet(page);
    await page.context().close();
  });
}

test("who may not set secrets sees which there are", async () => {
  const id = fresh("theirs");
  await call("POST", `/v1/projects/default/secrets?secretId=${id}`, { value: VALUE });
  const key = await makeKey("ROLE_VIEWER");
  const page = await open(browser);
  await signIn(page, "/settings/secrets", key);
  await page.locator("code", { hasText: new RegExp(`^${id}$`) }).waitFor();
  assert.equal(await page.locator("text=New secret").count(), 0);
  await call("DELETE", `/v1/projects/default/secrets/${id}`);
  await page.context().close();
});
