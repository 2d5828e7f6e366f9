// Getting in, staying in, and being put out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { adminKey, call, fresh, url } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, shot, signIn } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("an API key signs in, at the page that was asked for", async () => {
  const page = await open(browser, { theme: "light" });
  await page.goto(`${url}/settings`);
  await page.waitForSelector("#api-key");
  await assertAccessible(page, "sign-in");
  await shot(page, "sign-in-light");
  await page.fill("#api-key", "weft_this-is-not-a-key");
  await page.click("text=Sign in >> nth=-1");
  await page.waitForSelector(".field-error");
  await page.fill("#api-key", adminKey);
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Who you are");
  assert.equal(new URL(page.url()).pathname, "/settings");
  const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
  assert.ok(!kept.includes(adminKey), "the key must not be kept");
  assertQuiet(page, [/401/, /400/]);
  await page.context().close();
});

test("a ticket signs in once, and leaves the address bar", async () => {
  const page = await open(browser);
  const { ticket } = await call("POST", "/v1/tickets", {});
  await page.goto(`${url}/graphs#ticket=${ticket}`);
  await page.waitForSelector("nav.rail");
  assert.ok(!page.url().includes("ticket"), page.url());
  const other = await open(browser);
  await other.goto(`${url}/graphs#ticket=${ticket}`);
  await other.waitForSelector("text=already used or has expired");
  assert.ok(!other.url().includes("ticket"));
  await shot(other, "ticket-used");
  await page.context().close();
  await other.context().close();
});

test("a reload keeps the session, and the token renews itself", async () => {
  const page = await open(browser);
  await signIn(page);
  await page.reload();
  await page.waitForSelector("nav.rail");
  const before = await page.evaluate(() => JSON.parse(sessionStorage.getItem("weft.session")).token);
  // As if three quarters of its time were over.
  await page.evaluate(() => {
    const kept = JSON.parse(sessionStorage.getItem("weft.session"));
    sessionStorage.setItem("weft.session", JSON.stringify({ ...kept, issuedAt: Date.now() - 6e5, expiresAt: Date.now() + 1e5 }));
  });
  await page.reload();
  await page.waitForFunction((old) => JSON.parse(sessionStorage.getItem("weft.session")).token !== old, before, { timeout: 15_000 });
  assertQuiet(page);
  await page.context().close();
});

test("a token that the mesh refuses leads to sign-in, and back to the same page", async () => {
  const page = await open(browser);
  await page.addInitScript(() => {
    if (sessionStorage.getItem("weft.session")) return;
    sessionStorage.setItem("weft.session", JSON.stringify({ token: "stale", issuedAt: Date.now(), expiresAt: Date.now() + 9e5 }));
  });
  await page.goto(`${url}/settings/api-keys`);
  await page.waitForSelector("text=Your session has ended");
  await page.fill("#api-key", adminKey);
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=New key");
  assert.equal(new URL(page.url()).pathname, "/settings/api-keys");
  await page.context().close();
});

test("keys are made, shown once, and revoked", async () => {
  const page = await open(browser, { theme: "light" });
  await signIn(page, "/settings/api-keys");
  await page.waitForSelector("text=New key");
  await page.click("text=New key");
  const name = fresh("made in a test");
  await page.fill('input[placeholder="nightly import"]', name);
  await page.click("dialog >> text=Operator");
  await page.click("dialog button[type=submit]");
  const secret = await page.textContent('[data-testid="secret"]');
  assert.match(secret, /^weft_/);
  assert.match((await call("GET", "/v1/me", undefined, secret)).displayName, new RegExp(name));
  await page.click("text=I have it");
  const row = page.locator("tr", { hasText: name });
  await row.waitFor();
  await assertAccessible(page, "API keys");
  await shot(page, "keys-light");
  assert.ok(!(await page.content()).includes(secret), "the secret is shown once");
  await row.locator("text=Revoke").click();
  await page.click("dialog >> .button-danger");
  await row.locator("text=revoked").waitFor();
  assertQuiet(page);
  await page.context().close();
});
