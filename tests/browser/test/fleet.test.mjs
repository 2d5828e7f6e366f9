// The fleet and its commands as pages: agents as they come and go, what an
// operator does with one, and a command from its form to its last line.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { enrolMany, startAgent } from "../lib/agents.mjs";
import { call, fresh, makeKey, url } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

let browser;
let agent;
before(async () => {
  browser = await launch();
  agent = await startAgent(fresh("node"), { labels: { site: "north" } });
});
after(async () => {
  await browser?.close();
  await agent?.remove();
});

const row = (page, text) => page.locator('[role="row"]', { hasText: text });

for (const theme of ["light", "dark"]) {
  test(`an agent and what it is asked to do (${theme})`, async () => {
    const page = await open(browser, { theme });
    await signIn(page, "/fleet");
    await row(page, agent.id).locator("text=online").waitFor();
    await assertAccessible(page, `the fleet in ${theme}`);
    await shot(page, `fleet-${theme}`);
    await page.click(`text=${agent.id}`);
    await page.waitForSelector('section[aria-label="Host"] >> text=Processors');
    await page.waitForSelector('section[aria-label="Agent"] >> text=from 127.0.0.1');
    await page.click("button >> text=Command");
    await page.selectOption('dialog label:has-text("What") select', { label: "Run a script" });
    await page.fill('dialog label:has-text("script") input', "say");
    await page.fill('dialog label:has-text("arguments") textarea', "first\nsecond");
    await assertAccessible(page, `the form in ${theme}`);
    await shot(page, `command-form-${theme}`);
    agent.hold(true);
    await page.click("dialog >> text=Send");
    // What it writes is there before it has ended.
    await page.locator('[role="log"]', { hasText: "careful" }).waitFor();
    assert.match(await page.innerText('[role="log"]'), /first\nsecond\ncareful/);
    assert.match(await page.innerText(".bar"), /executing/);
    await shot(page, `command-runs-${theme}`);
    agent.hold(false);
    await page.locator(".bar .state", { hasText: "completed" }).waitFor();
    await page.waitForSelector('text="exitCode": 0');
    await assertAccessible(page, `a command in ${theme}`);
    await shot(page, `command-${theme}`);
    await page.click(`.target-pane >> text=${agent.id}`);
    await page.waitForSelector('section[aria-label="Commands"] >> text=completed');
    await assertAccessible(page, `an agent in ${theme}`);
    await shot(page, `agent-${theme}`);
    assertQuiet(page);
    await page.context().close();
  });
}

test("a command is cancelled, and one that is wrong is not sent", async () => {
  const page = await open(browser, { theme: "dark" });
  await signIn(page, `/fleet/default/${agent.id}`);
  await page.click("button >> text=Command");
  await page.selectOption('dialog label:has-text("What") select', { label: "Run a script" });
  await page.fill('dialog label:has-text("script") input', "other");
  await page.click("dialog >> text=Send");
  await page.locator(".bar .state", { hasText: "failed" }).waitFor();
  await page.waitForSelector(".target-pane .note-warn");
  await shot(page, "command-failed");
  await page.goBack();
  agent.hold(true);
  await page.click("button >> text=Command");
  await page.selectOption('dialog label:has-text("What") select', { label: "Run a script" });
  await page.fill('dialog label:has-text("script") input', "say");
  await page.click("dialog >> text=Send");
  await page.locator('[role="log"]', { hasText: "careful" }).waitFor();
  await page.click("text=Cancel");
  await page.locator(".bar .state", { hasText: "cancelled" }).waitFor();
  agent.hold(false);
  assertQuiet(page);
  await page.context().close();
});

for (const theme of ["light", "dark"]) {
  test(`a second person decides, and what failed is tried again (${theme})`, async () => {
    const type = fresh("careful");
    await call("POST", `/v1/projects/default/commandTypes?commandTypeId=${type}`, {
      script: "say",
      requiresApproval: true,
    });
    const ask = (displayName, key) =>
      call(
        "POST",
        "/v1/projects/default/commands",
        {
          commandType: `projects/default/commandTypes/${type}`,
          agents: [`projects/default/agents/${agent.id}`],
          displayName,
        },
        key,
      );
    const others = fresh("Reboot by night");
    await ask(others, await makeKey("ROLE_OPERATOR"));
    const page = await open(browser, { theme });
    await signIn(page, "/commands?state=waiting");
    await row(page, others).locator("text=for approval").waitFor();
    await assertAccessible(page, `commands that wait in ${theme}`);
    await shot(page, `commands-waiting-${theme}`);
    await page.click(`text=${others}`);
    await page.waitForSelector(".target-pane >> text=AWAITING_APPROVAL");
    await page.fill('form[aria-label="Approval"] textarea', "in the window");
    await assertAccessible(page, `a command that waits in ${theme}`);
    await shot(page, `command-waiting-${theme}`);
    await page.click("button >> text=Approve");
    await page.waitForSelector("text=in the window");
    await page.locator(".bar .state", { hasText: "completed" }).waitFor();
    assert.equal(await page.locator("button >> text=Retry").count(), 0);
    await shot(page, `command-approved-${theme}`);

    // One's own waits for somebody else, and can be given up.
    const { name } = await ask(fresh("My own"));
    await page.goto(`${page.url().replace(/\/commands.*/, "")}/commands/default/${name.split("/").pop()}`);
    await page.waitForSelector("text=Waits for a second person");
    assert.equal(await page.locator("button >> text=Approve").count(), 0);
    await page.click(`[aria-label="Cancel here, on ${agent.id}"]`);
    await page.locator(".bar .state", { hasText: "cancelled" }).waitFor();
    await page.click("button >> text=Retry 1 agent");
    await page.waitForSelector("text=once more after");
    await page.waitForSelector("text=Waits for a second person");
    await shot(page, `command-own-${theme}`);
    await page.click("button >> text=Cancel >> nth=0");
    await page.locator(".bar .state", { hasText: "cancelled" }).waitFor();
    assertQuiet(page);
    await page.context().close();
  });
}

test("an operator takes an agent out, names it, and lets it in again", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/fleet/default/${agent.id}`);
  await page.click("text=Maintenance");
  await page.fill('dialog label:has-text("Why") input', "new disk");
  await page.click("dialog >> text=Take out");
  await page.waitForSelector("text=new disk");
  await page.locator(".bar .state", { hasText: "maintenance" }).waitFor();
  await shot(page, "agent-maintenance");
  await page.click("text=Edit");
  await page.fill('dialog label:has-text("Name for people") input', "The one in the corner");
  await page.fill('dialog label:has-text("Labels") input', "site=north role");
  assert.ok(await page.isDisabled("dialog >> text=Save"));
  await page.fill('dialog label:has-text("Labels") input', "site=north role=db");
  await page.click("dialog >> text=Save");
  await page.waitForSelector("h1 >> text=The one in the corner");
  await page.click("text=End maintenance");
  await page.locator(".bar .state", { hasText: "online" }).waitFor();
  const told = await call("GET", `/v1/projects/default/agents/${agent.id}`);
  assert.deepEqual(told.labels, { site: "north", role: "db" });
  assertQuiet(page);
  await page.context().close();
});

test("who may only look sees no buttons", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/fleet/default/${agent.id}`, await makeKey("ROLE_VIEWER"));
  await page.waitForSelector('section[aria-label="Host"] >> text=Processors');
  assert.equal(await page.locator("button >> text=Command").count(), 0);
  assert.equal(await page.locator("text=Maintenance").count(), 0);
  await page.click("nav.rail >> text=Commands");
  await page.waitForSelector('[aria-label="Commands"]');
  assert.equal(await page.locator("text=New command").count(), 0);
  await page.context().close();
});

test("an empty fleet says how one joins, and a large one scrolls", async () => {
  const project = fresh("fleet");
  const page = await open(browser, { theme: "dark" });
  await signIn(page, `/fleet?project=${project}`);
  await page.waitForSelector("text=No agents here yet");
  await assertAccessible(page, "an empty fleet");
  await shot(page, "fleet-empty");
  await page.locator("main >> text=Add an agent").first().click();
  await page.click("dialog >> text=Make a token");
  await page.waitForSelector(`dialog code:has-text("weft agent enroll --url ${url} --token weft_enroll_")`);
  await assertAccessible(page, "the token");
  await shot(page, "fleet-token");
  await page.click("dialog >> text=Done");
  // They come by themselves.
  await enrolMany(project, 600, (number) => ({ site: number % 3 ? "north" : "south" }));
  await page.locator('[role="status"]', { hasText: "600" }).waitFor();
  await page.selectOption('select[aria-label="Group by"]', "label:site");
  await page.waitForSelector('.group-row >> text="north"');
  await shot(page, "fleet-groups");
  await page.fill('input[aria-label="Filter agents"]', "south host-59");
  await page.waitForSelector(`text=${await count(project, 59)} of 600`);
  await page.fill('input[aria-label="Filter agents"]', "");
  await page.locator('[role="table"] [role="rowgroup"]').hover();
  await page.mouse.wheel(0, 1_000_000);
  await row(page, "host-597").waitFor();
  assert.ok((await page.locator('[role="row"]').count()) < 80, "only what is in sight is drawn");
  await assertAccessible(page, "a large fleet");
  assertQuiet(page);
  await page.context().close();
});

/** How many of the south have a name that begins so. */
async function count(project, begin) {
  const asked = new URLSearchParams({ pageSize: "1000", filter: 'labels.site = "south"' });
  const { agents } = await call("GET", `/v1/projects/${project}/agents?${asked}`);
  return agents.filter((one) => one.name.includes(`/host-${begin}`)).length;
}

test("a fleet that cannot be heard says so", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, "/commands");
  await page.route("**/weft.command.v1.CommandService/ListCommands*", (route) =>
    route.fulfill({ status: 500, contentType: "application/json", body: '{"code":"internal","message":"it is broken"}' }),
  );
  await page.reload();
  await page.waitForSelector("text=The commands cannot be listed");
  await assertAccessible(page, "commands that cannot be listed");
  await shot(page, "commands-broken");
  await page.context().close();
});

test("commands are found by their state and their type", async () => {
  const page = await open(browser, { theme: "dark" });
  const body = { commandType: "projects/default/commandTypes/echo", arguments: { text: "x" }, agents: [`projects/default/agents/${agent.id}`] };
  for (let i = 0; i < 5; i++) await call("POST", "/v1/projects/default/commands", body);
  await signIn(page, "/commands");
  await row(page, "echo").first().waitFor();
  await assertAccessible(page, "commands");
  await shot(page, "commands-dark");
  await page.selectOption('select[aria-label="Type"]', "run-script");
  await row(page, "echo").first().waitFor({ state: "detached" });
  await row(page, "run-script").first().waitFor();
  await page.selectOption('select[aria-label="State"]', "cancelled");
  await page.waitForURL(/state=cancelled/);
  await row(page, "completed").first().waitFor({ state: "detached" });
  await row(page, "cancelled").first().waitFor();
  assertQuiet(page);
  await page.context().close();
});
