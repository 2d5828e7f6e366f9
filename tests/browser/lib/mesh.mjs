// A mesh of our own: one process on a free port over a new folder. It has a
// folder of notes open to sources, remembers few revisions, so that a test can be
// away for longer than that, and lets a whole fleet join at once.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const BINARY = process.env.WEFT_BIN ?? fileURLToPath(new URL("../../../target/debug/weft", import.meta.url));
const START_MS = 60_000;
const SETTINGS = {
  WEFT_GRAPH__HISTORY_REVISIONS: "4",
  WEFT_LIMITS__RATE__SIGN_IN__PER_SECOND: "1000",
  WEFT_LIMITS__RATE__SIGN_IN__BURST: "1000",
};

export async function startMesh() {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is not there; build it: cargo build -p weft`);
  const folder = mkdtempSync(join(tmpdir(), "weft-browser-"));
  const data = join(folder, "data");
  const notes = join(folder, "notes");
  mkdirSync(notes);
  // The program refuses WEFT_ variables that it does not know, and the tests have some.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WEFT_")));
  const child = spawn(BINARY, ["up", "--no-host-agent", "--listen", "127.0.0.1:0", "--data", data, "--folder", `notes=${notes}`], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, ...SETTINGS },
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (log = (log + text).slice(-8_000)));
  const deadline = Date.now() + START_MS;
  for (;;) {
    const info = await ready(join(data, "weft.json"));
    if (info) {
      const found = { WEFT_URL: info.url, WEFT_KEY_FILE: info.key_file, WEFT_NOTES: notes };
      return { env: found, stop: () => stop(child, folder) };
    }
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop(child, folder);
      throw new Error(`the mesh did not start; its log:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function ready(file) {
  try {
    const info = JSON.parse(readFileSync(file, "utf8"));
    return (await fetch(`${info.url}/readyz`)).ok ? info : null;
  } catch {
    return null;
  }
}

async function stop(child, folder) {
  if (child.exitCode === null) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await gone;
    clearTimeout(late);
  }
  rmSync(folder, { recursive: true, force: true });
}
