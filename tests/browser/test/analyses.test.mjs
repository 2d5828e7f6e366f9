// Analyses of a graph: chosen, watched, looked at, put on the map, cancelled, failed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, fresh, makeGraph, makeKey } from "../lib/api.mjs";
import { assertAccessible, assertQuiet, launch, open, openGraph, shot, signIn } from "../lib/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const node = (group, at) => `${"abc"[group]}${at}`;

/** Three rings whose first nodes know each other. */
async function rings(size) {
  const edges = [];
  const link = (source, target) => edges.push([source, target]);
  for (let group = 0; group < 3; group++) {
    for (let at = 0; at < size; at++) {
      link(node(group, at), node(group, (at + 1) % size));
      link(node(group, at), node(group, (at + 2) % size));
    }
    link(node(group, 0), node((group + 1) % 3, 0));
  }
  const nodes = [...new Set(edges.flat())].map((key) => ({ key, type: "post" }));
  return makeGraph(fresh("analysed"), { nodes, edges });
}

const panel = '[data-testid="analysis-panel"]';
const state = (page, word) => page.locator(`${panel} .analysis-title .state-mark[data-state="${word}"]`);

test("an analysis is chosen, runs, and colours the map; a row leads to its node", async () => {
  const id = await rings(12);
  const page = await open(browser);
  await openGraph(page, id);
  await page.click('button[aria-label="Analyses"]');
  await page.waitForSelector(`${panel} >> text=What to compute`);
  await assertAccessible(page, "the form of an analysis");
  await shot(page, "analysis-form-dark");
  await page.click(`${panel} >> text=Analyse >> nth=-1`);
  await state(page, "succeeded").waitFor();
  await page.waitForSelector('[data-testid="analysis-groups"]');
  assert.equal(await page.locator('[data-testid="analysis-groups"] tbody tr').count(), 3);
  await page.click(`${panel} >> text=Show on the map`);
  await page.waitForSelector('.legend option[value="values"]', { state: "attached" });
  assert.equal(await page.locator('.legend select >> nth=0').inputValue(), "values");
  await assertAccessible(page, "communities");
  await shot(page, "analysis-groups-dark");

  await page.click(`${panel} >> text=All analyses`);
  await page.click(`${panel} >> text=New analysis`);
  await page.selectOption(`${panel} select >> nth=0`, "pageRank");
  const damping = page.locator(`${panel} >> label:has-text("Damping") + input`);
  await damping.fill("1.5");
  await page.waitForSelector(`${panel} >> text=is above 0.999`);
  assert.equal(await page.locator(`${panel} button[type="submit"]`).isDisabled(), true);
  await damping.fill("0.9");
  await page.click(`${panel} button[type="submit"]`);
  await state(page, "succeeded").waitFor();
  await page.click(`${panel} >> text=Show on the map`);
  await page.waitForSelector('.legend >> text=and more');
  await shot(page, "analysis-ranks-dark");
  const first = page.locator('[data-testid="analysis-top"] tbody tr >> nth=0').locator("button");
  const key = await first.textContent();
  await first.click();
  await page.waitForSelector(`[data-testid="panel"] h2:has-text("${key}")`);
  // The address can be sent to somebody.
  await page.waitForURL(/analysis=[a-z0-9-]+/);
  await page.click(`${panel} >> text=Take off the map`);
  await page.waitForFunction(() => !document.querySelector('.legend option[value="values"]'));
  await page.click(`${panel} >> text=Delete`);
  await page.waitForSelector(`${panel} .analysis-list`);
  assert.equal(await page.locator(`${panel} .analysis-list li`).count(), 1);
  await assertAccessible(page, "the list of analyses");
  assertQuiet(page);
  await page.context().close();
});

test("nodes that are alike are found as pairs, and become edges", async () => {
  const id = await rings(12);
  const page = await open(browser, { theme: "light" });
  await openGraph(page, id);
  await page.click('button[aria-label="Analyses"]');
  await page.selectOption(`${panel} select >> nth=0`, "similarity");
  await page.fill(`${panel} >> label:has-text("At least") + input`, "0.3");
  await page.fill(`${panel} >> label:has-text("Write as edges") + input`, "alike");
  await assertAccessible(page, "the form of a similarity");
  await shot(page, "analysis-similarity-form-light");
  await page.click(`${panel} button[type="submit"]`);
  await state(page, "succeeded").waitFor();
  await page.waitForSelector(`${panel} >> text=edges alike`);
  const pair = page.locator('[data-testid="analysis-top"] tbody tr >> nth=0').locator("button");
  const [one, other] = await pair.allTextContents();
  assert.notEqual(one, other);
  assert.equal(await page.locator(`${panel} >> text=Show on the map`).count(), 0);
  await shot(page, "analysis-similarity-light");
  await pair.nth(1).click();
  await page.waitForSelector(`[data-testid="panel"] h2:has-text("${other}")`);
  const { edges } = await call("GET", `/v1/projects/default/graphs/${id}/edges?filter=${encodeURIComponent('type = "alike"')}`);
  assert.ok(edges.some(({ source, target }) => [source, target].sort().join() === [one, other].sort().join()));
  assertQuiet(page);
  await page.context().close();
});

test("one that takes long shows how far it is, and can be ended", async () => {
  // Ten seconds and more on a fast machine: time to end it by hand.
  const id = await rings(12_000);
  const page = await open(browser, { theme: "light" });
  const { name } = await call("POST", `/v1/projects/default/graphs/${id}/analyses`, {
    algorithm: { betweenness: { direction: "EDGE_DIRECTION_BOTH" } },
  });
  await signIn(page, `/graphs/default/${id}?analysis=${name.split("/").at(-1)}`);
  await page.waitForSelector('[data-testid="analysing"] >> text=%');
  await shot(page, "analysis-running-light");
  await page.click(`${panel} >> text=Cancel`);
  // A map of 36,000 nodes, drawn without a GPU, leaves little to the rest of a busy machine.
  await state(page, "cancelled").waitFor({ timeout: 120_000 });
  await assertAccessible(page, "a cancelled analysis");
  assertQuiet(page);
  await page.context().close();
});

test("what fails says why, and who only looks is offered nothing to run", async () => {
  const id = await rings(3);
  const { name } = await call("POST", `/v1/projects/default/graphs/${id}/analyses?analysisId=order`, {
    algorithm: { precedence: {} },
  });
  const page = await open(browser, { theme: "light" });
  await openGraph(page, id);
  await page.goto(`${page.url().replace(/\?.*/, "")}?analysis=order`);
  await state(page, "failed").waitFor();
  const { error } = await call("GET", `/v1/${name}`);
  await page.waitForSelector(`${panel} [role="alert"] >> text=cycle`);
  assert.ok((await page.locator(`${panel} [role="alert"]`).textContent()).includes(error.message));
  await assertAccessible(page, "a failed analysis");
  await shot(page, "analysis-failed-light");
  await page.context().close();

  const viewer = await open(browser);
  await signIn(viewer, `/graphs/default/${id}`, await makeKey("ROLE_VIEWER"));
  await viewer.click('button[aria-label="Analyses"]');
  await viewer.waitForSelector(`${panel} .analysis-list`);
  assert.equal(await viewer.locator(`${panel} >> text=New analysis`).count(), 0);
  await viewer.context().close();

  const empty = await open(browser);
  const none = await rings(3);
  await signIn(empty, `/graphs/default/${none}`, await makeKey("ROLE_VIEWER"));
  await empty.click('button[aria-label="Analyses"]');
  await empty.waitForSelector(`${panel} >> text=No analyses yet`);
  await shot(empty, "analysis-none-dark");
  await empty.route("**/weft.compute.v1.AnalysisService/ListAnalyses", (route) => route.abort());
  await empty.reload();
  await empty.waitForSelector(`${panel} >> text=cannot be listed`);
  await shot(empty, "analysis-error-dark");
  await empty.context().close();
});
