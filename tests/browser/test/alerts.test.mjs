// Alerts as a page: a rule by form, what fires, a silence, and who is told.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, fresh, makeKey } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const card = (page, text) => page.locator(".alert-card", { hasText: text });

for (const theme of ["light", "dark"]) {
  test(`a rule is made, fires, is silenced, changed and deleted (${theme})`, async () => {
    const project = fresh("alerts");
    const page = await open(browser, { theme });
    await signIn(page, `/alerts?project=${project}`);
    await page.waitForSelector("text=Nothing is wrong");
    await assertAccessible(page, `no alerts in ${theme}`);
    await shot(page, `alerts-empty-${theme}`);
    await page.click("text=New rule");
    await page.fill('dialog label:has-text("Name") input', "disk-full");
    await page.fill('dialog label:has-text("When") textarea', "sum by (");
    await page.fill('dialog label:has-text("What people read") input', "{{ $labels.host }} is full");
    await page.selectOption('dialog label:has-text("How bad") select', { label: "critical" });
    await page.click('dialog >> text="Create"');
    // What is wrong the server says.
    await page.locator('dialog [role="alert"]', { hasText: "expression" }).waitFor();
    await assertAccessible(page, `the form in ${theme}`);
    await shot(page, `alerts-form-${theme}`);
    await page.fill('dialog label:has-text("When") textarea', 'label_replace(vector(1), "host", "node7", "", "")');
    await page.fill('dialog label:has-text("Webhook") input', "http://127.0.0.1:9/hook");
    await page.click('dialog >> text="Create"');
    await page.locator('dialog [role="alert"]', { hasText: "may not be called" }).waitFor();
    await page.fill('dialog label:has-text("Webhook") input', "");
    await page.click('dialog >> text="Create"');
    await page.waitForSelector("dialog", { state: "detached" });
    // It comes by itself.
    await card(page, "node7 is full").locator("text=firing").waitFor({ timeout: 40_000 });
    await page.waitForSelector("text=Now (1 firing)");
    await assertAccessible(page, `an alert in ${theme}`);
    await shot(page, `alerts-firing-${theme}`);
    await card(page, "node7").locator("button >> text=Silence").click();
    assert.match(await page.inputValue("dialog textarea"), /host="node7"/);
    await page.fill('dialog label:has-text("Why") input', "somebody is there");
    await page.click('dialog >> button:has-text("Silence")');
    await page.waitForSelector("dialog", { state: "detached" });
    await card(page, "Nobody is told").waitFor({ timeout: 40_000 });
    await page.click("nav.views >> text=Silences");
    await card(page, "somebody is there").locator("button >> text=End").click();
    await card(page, "somebody is there").locator("text=ended").waitFor();
    await assertAccessible(page, `silences in ${theme}`);
    await shot(page, `alerts-silences-${theme}`);
    await page.click("nav.views >> text=Rules");
    await card(page, "disk-full").locator("button >> text=Edit").click();
    await page.fill('dialog label:has-text("For") input', "soon");
    assert.ok(await page.isDisabled('dialog >> text="Save"'));
    await page.fill('dialog label:has-text("For") input', "5m");
    await page.click('dialog >> text="Save"');
    await card(page, "for 5m").waitFor();
    await assertAccessible(page, `rules in ${theme}`);
    await shot(page, `alerts-rules-${theme}`);
    const [rule] = (await call("GET", `/v1/projects/${project}/alertRules`)).alertRules;
    assert.deepEqual([rule.holdDuration, rule.severity], ["300s", "ALERT_SEVERITY_CRITICAL"]);
    await card(page, "disk-full").locator("button >> text=Delete").click();
    await page.click('dialog >> button:has-text("Delete")');
    await page.waitForSelector("text=There are no rules yet");
    assertQuiet(page, [/400/]);
    await page.context().close();
  });
}

test("who may only look sees no buttons", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, "/alerts", await makeKey("ROLE_VIEWER"));
  await page.waitForSelector("text=Nothing is wrong");
  assert.equal(await page.locator("text=New rule").count(), 0);
  await page.context().close();
});
