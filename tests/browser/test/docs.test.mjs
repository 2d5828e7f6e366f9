// The documentation page: a method is found in it, read, and called from it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { adminKey, call, fresh, url } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** The method's part of the page, opened by the address as links to it are. */
async function method(page, id) {
  await page.goto(`${url}/docs#${id}`);
  // The same document with another fragment is not loaded again.
  await page.reload();
  const part = page.locator(`details#${id}[open]`);
  await part.locator("button", { hasText: "Send" }).waitFor();
  return part;
}

const status = (part) => part.locator('[role="status"]');

async function send(part, line) {
  await part.locator("button", { hasText: "Send" }).click();
  await status(part).filter({ hasText: line }).waitFor();
  return part.locator("pre").innerText();
}

test("a graph is made, read and watched from the page", async () => {
  const page = await open(browser, { theme: "light" });
  const graph = fresh("docs");
  const create = await method(page, "GraphService_CreateGraph");
  await page.fill("#credential", adminKey);
  await create.getByLabel("project").fill("default");
  await create.getByLabel("graphId").fill(graph);
  await create.getByLabel("Body").fill(JSON.stringify({ displayName: "Made on a page" }));
  const made = JSON.parse(await send(create, /^200 .*application\/json/));
  assert.equal(made.name, `projects/default/graphs/${graph}`);
  assert.equal((await call("GET", `/v1/${made.name}`)).displayName, "Made on a page");
  await assertAccessible(page, "a method that was called");
  await shot(page, "docs-called");

  // What cannot be is said as the API says it.
  const again = JSON.parse(await send(create, /^409 /));
  assert.equal(again.status, "ALREADY_EXISTS");

  const watch = await method(page, "GraphService_WatchGraph");
  await page.fill("#credential", adminKey);
  await watch.getByLabel("project").fill("default");
  await watch.getByLabel("graph *").fill(graph);
  await watch.getByLabel("Answer as").selectOption("text/event-stream");
  await watch.locator("button", { hasText: "Send" }).click();
  await watch.locator("pre", { hasText: "data: " }).waitFor();
  await watch.locator("button", { hasText: "Stop" }).click();
  await status(watch).filter({ hasText: /^stopped after/ }).waitFor();
  // The 409 was asked for.
  assertQuiet(page, [/409/]);
  await page.context().close();
});

test("methods are found by words, and who is nobody is refused", async () => {
  const page = await open(browser);
  const list = await method(page, "GraphService_ListGraphs");
  await list.getByLabel("project").fill("default");
  const refused = JSON.parse(await send(list, /^401 /));
  assert.equal(refused.status, "UNAUTHENTICATED");
  // The credential is never in what is copied from the page.
  await page.fill("#credential", adminKey);
  await list.locator("button", { hasText: "Show as curl" }).click();
  const curl = await list.locator("pre").innerText();
  assert.match(curl, /Bearer \$WEFT_API_KEY/);
  assert.ok(!curl.includes(adminKey));
  await page.fill("#filter", "post tickets");
  await page.locator("details#IdentityService_CreateTicket").waitFor();
  assert.equal(await list.isVisible(), false);
  await assertAccessible(page, "a filtered page");
  assertQuiet(page, [/401/]);
  await page.context().close();
});
