// What the gateway serves, as a page: found, read, and led on to where it can be tried.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, fresh, url } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

const LIST = "**/weft.gateway.v1.GatewayService/ListRoutes*";
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

for (const theme of ["light", "dark"]) {
  test(`a method is found, and can be tried (${theme})`, async () => {
    const page = await open(browser, { theme });
    await signIn(page, "/settings/routes");
    await page.waitForSelector("text=The mesh itself");
    await assertAccessible(page, `routes in ${theme}`);
    await page.click("summary >> text=weft.graph.v1.GraphService");
    const row = page.locator("tr", { has: page.locator("strong", { hasText: /^GetGraph$/ }) });
    await row.waitFor();
    assert.match(await row.innerText(), /GET \/v1\/\{name=projects\/\*\/graphs\/\*\}[^]*MCP[^]*viewer/);
    await shot(page, `routes-${theme}`);
    await page.fill('input[type="search"]', "projects getgraph");
    await page.waitForSelector("text=1 method");
    await assertAccessible(page, `a filtered list in ${theme}`);
    await row.locator("text=Try it").click();
    await page.waitForURL(`${url}/docs#GraphService_GetGraph`);
    await page.waitForSelector("details#GraphService_GetGraph[open]");
    await assertQuiet(page);
    await page.context().close();
  });
}

test("nothing that is like that, and a mesh that does not answer", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, "/settings/routes");
  await page.waitForSelector("text=The mesh itself");
  await page.fill('input[type="search"]', "nothing-like-that");
  await page.waitForSelector("text=No method is like that");
  await shot(page, "routes-none");
  // What was heard stays, while the mesh is away.
  await page.fill('input[type="search"]', "");
  const away = { status: 500, contentType: "application/json", body: '{"code":"internal","message":"it is broken"}' };
  await page.route(LIST, (route) => route.fulfill(away));
  await page.waitForResponse((response) => response.url().includes("ListRoutes") && response.status() === 500);
  assert.ok(await page.isVisible("text=The mesh itself"));
  await page.reload();
  await page.waitForSelector("text=The routes cannot be listed");
  await assertAccessible(page, "routes that cannot be listed");
  await shot(page, "routes-broken");
  await page.unroute(LIST);
  await page.click("text=Try again");
  await page.waitForSelector("text=The mesh itself");
  await page.context().close();
});

test("who has no role in the mesh is told so", async () => {
  const made = await call("POST", `/v1/projects/default/apiKeys?apiKeyId=${fresh("routes")}`, { role: "ROLE_VIEWER" });
  const page = await open(browser);
  await signIn(page, "/settings/routes", made.secret);
  await page.waitForSelector("text=Routes are for who runs the mesh");
  assertQuiet(page);
  await page.context().close();
});
