// What runs on a host and what listens there, on the page of its agent: live,
// sorted, filtered, ended; and what is said where there is nothing to see.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startAgent } from "../lib/agents.mjs";
import { fresh, makeKey, url } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

const OPEN = `
[host]
processes = true
ports = true
command_lines = true
stop_processes = true

[[services]]
name = "ticker"
program = "/bin/sh"
arguments = ["-c", "i=0; while :; do i=$((i+1)); echo tick $i; echo careful >&2; sleep 1; done"]

[[services]]
name = "broken"
program = "/bin/sh"
arguments = ["-c", "echo no luck; exit 3"]
restart = { when = "never" }
`;

let browser;
let agent;
let shut;
let notes;
before(async () => {
  browser = await launch();
  notes = await mkdtemp(join(tmpdir(), "notes-"));
  await writeFile(join(notes, "Engine.md"), "# The engine\nIt is warm. [[Numbers]] #heat\n");
  await writeFile(join(notes, "table.csv"), "a,b\n");
  const knowledge = [
    `[[knowledge]]\nname = "notes"\nfolder = "${notes}"\ncontent = true\n`,
    '[[knowledge]]\nname = "gone"\nfolder = "/there/is/none"\n',
  ];
  agent = await startAgent(fresh("open"), { settings: `${OPEN}\n${knowledge.join("\n")}` });
  shut = await startAgent(fresh("shut"));
});
after(async () => {
  await browser?.close();
  await agent?.remove();
  await shut?.remove();
  if (notes) await rm(notes, { recursive: true });
});

const part = (page, name) => page.locator(`section[aria-label="${name}"]`);

for (const theme of ["light", "dark"]) {
  test(`processes and ports of a host (${theme})`, async () => {
    const page = await open(browser, { theme, height: 1400 });
    await signIn(page, `/fleet/default/${agent.id}`);
    const processes = part(page, "Processes");
    const ports = part(page, "Ports");
    await processes.locator('[role="row"] >> text=MB').first().waitFor();
    await ports.locator(`text="${new URL(url).port}"`).waitFor();
    await assertAccessible(page, `a host in ${theme}`);
    await processes.scrollIntoViewIfNeeded();
    await shot(page, `host-${theme}`);

    await processes.getByRole("button", { name: /^Memory/ }).click();
    await processes.locator('[role="columnheader"][aria-sort="descending"]', { hasText: "Memory" }).waitFor();
    await ports.getByRole("button", { name: /^Process/ }).click();
    await ports.locator('[role="columnheader"][aria-sort="ascending"]', { hasText: "Process" }).waitFor();
    await processes.getByLabel("Filter processes").fill("no such thing runs here");
    await processes.locator("text=No process matches.").waitFor();
    await assertAccessible(page, `nothing found in ${theme}`);
    assertQuiet(page);
    await page.context().close();
  });
}

for (const theme of ["light", "dark"]) {
  test(`services of a host, their buttons and a log (${theme})`, async () => {
    const page = await open(browser, { theme, height: 1400 });
    await signIn(page, `/fleet/default/${agent.id}`);
    const services = part(page, "Services");
    const row = (name) => services.locator('[role="row"]', { hasText: name });
    await row("ticker").locator("text=running").waitFor();
    await row("broken").locator("text=failed").waitFor();
    await services.getByRole("button", { name: "Log of ticker", exact: true }).click();
    await services.locator('[role="log"]', { hasText: "tick" }).waitFor();
    await assertAccessible(page, `services in ${theme}`);
    await services.scrollIntoViewIfNeeded();
    await shot(page, `services-${theme}`);
    await services.getByLabel("Search the log").fill("careful");
    await services.locator('[role="log"]', { hasNotText: "tick" }).waitFor();
    await services.getByRole("button", { name: "Stop ticker", exact: true }).click();
    await row("ticker").locator("text=stopped").waitFor();
    await services.getByRole("button", { name: "Start ticker", exact: true }).click();
    await row("ticker").locator("text=running").waitFor();
    assertQuiet(page);
    await page.context().close();
  });
}

for (const theme of ["light", "dark"]) {
  test(`knowledge files of a host, and the text of one (${theme})`, async () => {
    const page = await open(browser, { theme, height: 1400 });
    await signIn(page, `/fleet/default/${agent.id}`);
    const files = part(page, "Knowledge files");
    await files.locator('[role="row"]', { hasText: "table.csv" }).waitFor();
    await page.waitForSelector("text=it is not there");
    await files.getByLabel("Filter knowledge files").fill("hea");
    await files.locator('[role="row"]', { hasText: "table.csv" }).waitFor({ state: "detached" });
    await assertAccessible(page, `knowledge files in ${theme}`);
    await files.scrollIntoViewIfNeeded();
    await shot(page, `knowledge-${theme}`);
    await files.getByRole("button", { name: "The engine" }).click();
    await page.waitForSelector('dialog pre:has-text("It is warm.")');
    await page.waitForSelector('dialog dd:has-text("Numbers")');
    await assertAccessible(page, `a knowledge file in ${theme}`);
    await shot(page, `knowledge-file-${theme}`);
    await page.keyboard.press("Escape");
    await files.getByLabel("Filter knowledge files").fill("no such note");
    await files.locator("text=No knowledge file matches.").waitFor();
    assertQuiet(page);
    await page.context().close();
  });
}

test("a process is ended, and is gone from the list", async () => {
  const child = spawn("sleep", ["4242"], { stdio: "ignore" });
  const ended = once(child, "exit");
  const page = await open(browser, { theme: "light" });
  await signIn(page, `/fleet/default/${agent.id}`);
  const processes = part(page, "Processes");
  await processes.getByLabel("Filter processes").fill("sleep 4242");
  await processes.getByRole("button", { name: `Stop sleep, ${child.pid}` }).click();
  await page.waitForSelector(`dialog >> text=Process ${child.pid}`);
  await assertAccessible(page, "ending a process");
  await shot(page, "host-stop");
  await page.click("dialog button >> text=Stop");
  const [, signal] = await ended;
  assert.equal(signal, "SIGTERM");
  await page.waitForSelector("text=sleep has ended");
  await processes.locator("text=No process matches.").waitFor();
  assertQuiet(page);
  await page.context().close();
});

test("a viewer sees, and ends nothing", async () => {
  const page = await open(browser, { theme: "dark" });
  await signIn(page, `/fleet/default/${agent.id}`, await makeKey("ROLE_VIEWER"));
  await part(page, "Processes").locator('[role="row"] >> text=MB').first().waitFor();
  assert.equal(await page.getByRole("button", { name: /^Stop / }).count(), 0);
  await page.context().close();
});

test("what a host does not show is said, and so is that it is away", async () => {
  const page = await open(browser, { theme: "dark" });
  await signIn(page, `/fleet/default/${shut.id}`);
  await page.waitForSelector("text=This host does not show its processes");
  await page.waitForSelector('code:has-text("ports = true")');
  await assertAccessible(page, "a host that shows nothing");
  await shot(page, "host-shut");
  await shut.stop();
  await page.waitForSelector("text=The agent is offline: its processes are not known.");
  await shot(page, "host-offline");
  assertQuiet(page);
  await page.context().close();
});
