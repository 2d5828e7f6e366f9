// A mesh of our own: one process on a free port over a new folder. It has a
// folder of notes open to sources, remembers few revisions, so that a test can be
// away for longer than that, and lets a whole fleet join at once.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const BINARY = process.env.WEFT_BIN ?? fileURLToPath(new URL("../../../target/debug/weft", import.meta.url));
const START_MS = 60_000;
const SETTINGS = {
  WEFT_GRAPH__HISTORY_REVISIONS: "4",
  WEFT_LIMITS__RATE__SIGN_IN__PER_SECOND: "1000",
  WEFT_LIMITS__RATE__SIGN_IN__BURST: "1000",
  // Workflows may ask this machine, which the tests answer for.
  WEFT_EXECUTION__HTTP_NETWORKS: '["127.0.0.0/8"]',
};

/** One that was killed goes on with its folder, at its port. */
export async function startMesh({ folder = mkdtempSync(join(tmpdir(), "weft-browser-")), port = 0, settings = {} } = {}) {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is not there; build it: cargo build -p weft`);
  const data = join(folder, "data");
  const notes = join(folder, "notes");
  mkdirSync(notes, { recursive: true });
  // What a mesh before wrote is not what this one says.
  rmSync(join(data, "weft.json"), { force: true });
  // The program refuses WEFT_ variables that it does not know, and the tests have some.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WEFT_")));
  const child = spawn(BINARY, ["up", "--no-host-agent", "--listen", `127.0.0.1:${port}`, "--data", data, "--folder", `notes=${notes}`], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, ...SETTINGS, ...settings },
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (log = (log + text).slice(-8_000)));
  const deadline = Date.now() + START_MS;
  for (;;) {
    const info = await ready(join(data, "weft.json"));
    if (info) {
      const found = { WEFT_URL: info.url, WEFT_KEY_FILE: info.key_file, WEFT_NOTES: notes };
      return { env: found, folder, kill: () => kill(child), stop: () => stop(child, folder) };
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

/** It ends as if the power had gone; its folder stays. */
async function kill(child) {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
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

/** A port that nobody has right now. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
