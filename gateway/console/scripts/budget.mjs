// Fails the build when what a visit loads outgrows its budget: the scripts that
// the page names, and what each of those adds that are loaded later.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const FIRST_KB = 170;
const PAGE_KB = 50;
const dist = new URL("../dist/", import.meta.url);
const assets = new URL("assets/", dist);

const scripts = new Map();
for (const file of readdirSync(assets)) {
  if (!file.endsWith(".js")) continue;
  const text = readFileSync(new URL(file, assets), "utf8");
  const named = (pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
  scripts.set(file, {
    kb: gzipSync(text, { level: 9 }).length / 1024,
    needs: named(/(?:import|from)\s*["`]\.\/([^"`]+\.js)["`]/g),
    mayNeed: named(/import\(\s*["`]\.\/([^"`]+\.js)["`]/g),
  });
}

/** A script with all that it cannot begin without. */
function closure(file, into = new Set()) {
  if (into.has(file)) return into;
  into.add(file);
  for (const other of scripts.get(file).needs) closure(other, into);
  return into;
}

const size = (files) => [...files].reduce((sum, file) => sum + scripts.get(file).kb, 0);
const show = (kb, name) => console.log(`${kb.toFixed(1).padStart(7)} KB gz  ${name}`);

const entries = [...readFileSync(new URL("index.html", dist), "utf8").matchAll(/assets\/([^"]+\.js)"/g)];
const first = new Set(entries.flatMap(([, file]) => [...closure(file)]));
show(size(first), `first load (budget ${FIRST_KB})`);
let within = size(first) <= FIRST_KB;
for (const [file, { mayNeed }] of scripts) {
  const there = new Set([...first, ...closure(file)]);
  for (const page of new Set(mayNeed)) {
    const added = [...closure(page)].filter((other) => !there.has(other));
    show(size(added), `${page} adds to ${file} (budget ${PAGE_KB})`);
    within &&= size(added) <= PAGE_KB;
  }
}
if (!within) process.exit(1);
