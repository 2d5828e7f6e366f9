// Starts a mesh unless one is given, then runs every test against it, one file
// after the other: they share two cores with the mesh and the browser.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startMesh } from "./lib/mesh.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(join(here, "test"))
  .filter((file) => file.endsWith(".test.mjs") && (wanted.length === 0 || wanted.some((word) => file.includes(word))))
  .sort()
  .map((file) => join(here, "test", file));
if (files.length === 0) throw new Error(`no test file has ${wanted.join(" or ")} in its name`);

const shots = process.env.WEFT_SHOTS ?? mkdtempSync(join(tmpdir(), "weft-shots-"));
mkdirSync(shots, { recursive: true });

const mesh = process.env.WEFT_URL ? null : await startMesh();
const env = { ...process.env, WEFT_SHOTS: shots, ...mesh?.env };

const failed = await run(files);
// As with every test here, in CI one more try: what passes then stops nobody, but is named.
const flaky = [];
for (const file of process.env.CI ? failed.splice(0) : []) {
  const again = await run([file]);
  (again.length === 0 ? flaky : failed).push(file);
}
await mesh?.stop();
console.log(`pictures: ${shots}`);
for (const file of flaky) console.log(`FLAKY: ${file} passed only when it was tried again`);
for (const file of failed) console.log(`FAILED: ${file}`);
process.exit(failed.length === 0 ? 0 : 1);

/** Runs these files' tests, and gives the files in which one failed. */
async function run(these) {
  const broken = [];
  for (const file of these) {
    const tests = spawn(
      process.execPath,
      ["--test", "--test-concurrency=1", "--test-timeout=240000", "--test-reporter=spec", file],
      { stdio: "inherit", env },
    );
    const code = await new Promise((resolve) => tests.once("exit", (status) => resolve(status ?? 1)));
    if (code !== 0) broken.push(file);
  }
  return broken;
}
