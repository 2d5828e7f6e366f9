// Chromium, and pages of the console in it.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { adminKey, call, url } from "./api.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--enable-unsafe-swiftshader",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function launch() {
  return chromium.launch({ executablePath: process.env.WEFT_CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/** A tab of its own, with what it complained about in `page.complaints`. */
export async function open(browser, options = {}) {
  const { theme = "dark", width = 1280, height = 800 } = options;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, ...options.context });
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(error.stack ?? error.message));
  page.on("console", (message) => {
    if (message.type() === "error") page.complaints.push(message.text());
  });
  return page;
}

export async function signIn(page, path = "/graphs", key = adminKey) {
  const { ticket } = await call("POST", "/v1/tickets", {}, key);
  await page.goto(`${url}${path}#ticket=${ticket}`);
  await page.waitForSelector("nav.rail");
}

/** Opens a graph and waits until positions have come. */
export async function openGraph(page, id, { key = adminKey, timeout = 30_000 } = {}) {
  await signIn(page, `/graphs/default/${id}`, key);
  await page.waitForFunction(() => window.__weft?.stats().placing === false, null, { timeout });
}

/** The calls of a method on a page's sockets (docs/websocket.md: a number, a kind, a payload). */
export class Calls {
  /** Those that are open. */
  open = new Set();
  /** When each was begun. */
  begun = [];

  constructor(method) {
    this.method = method;
  }

  /** A message that the page sent on a socket. */
  sent(socket, payload) {
    const bytes = Buffer.from(payload);
    const name = bytes.findIndex((byte) => byte < 128) + 1;
    const call = `${socket} ${bytes.subarray(0, name).toString("hex")}`;
    if (bytes[name] === 1 && bytes.includes(this.method)) {
      this.open.add(call);
      this.begun.push(Date.now());
    }
    if (bytes[name] === 4) this.open.delete(call);
  }
}

export const stats = (page) => page.evaluate(() => window.__weft.stats());
export const place = (page, key) => page.evaluate((k) => window.__weft.place(k), key);

/** Where a node is on the page, in CSS pixels. */
export async function screen(page, key) {
  const at = await page.evaluate((k) => window.__weft.screen(k), key);
  assert.ok(at, `${key} is not on the map`);
  const box = await page.locator(".map").boundingBox();
  return [box.x + at[0], box.y + at[1]];
}

export async function still(page) {
  let last = -1;
  for (let i = 0; i < 60; i++) {
    const drawn = await page.evaluate(() => window.__weft.draw());
    if (drawn === last) return;
    last = drawn;
    await page.waitForTimeout(450);
  }
}

export function shot(page, name) {
  return page.screenshot({ path: join(process.env.WEFT_SHOTS, `${name}.png`) });
}

export async function assertAccessible(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = found.violations.map((one) => `${one.id}: ${one.help}\n  ${one.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("\n  ")}`);
  assert.deepEqual(told, [], `axe finds problems on ${where}`);
}

export function assertQuiet(page, expected = []) {
  const real = page.complaints.filter((text) => !expected.some((pattern) => pattern.test(text)));
  assert.deepEqual(real, [], "the page complained");
}
