// Agents of the fleet: the real program on a host of its own, and many that have
// joined and are away.
import { spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "./mesh.mjs";
import { call, url } from "./api.mjs";

const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WEFT_")));

async function token(project, maxUses, labels) {
  return (await call("POST", `/v1/projects/${project}/enrollmentTokens`, { maxUses, labels })).secret;
}

/**
 * Joins and runs an agent that allows one script, which says what its arguments are, line by line, and then waits; and
 * whatever else is in `settings`.
 */
export async function startAgent(id, { project = "default", labels = {}, settings = "" } = {}) {
  const home = mkdtempSync(join(tmpdir(), "weft-agent-"));
  const secret = await token(project, 1, labels);
  const enrolled = spawnSync(BINARY, ["agent", "enroll", "--home", home, "--id", id, "--url", url, "--token", secret], { env });
  if (enrolled.status !== 0) throw new Error(`the agent did not join: ${enrolled.stderr}`);
  const script = join(home, "say.sh");
  writeFileSync(script, '#!/bin/sh\nfor word in "$@"; do echo "$word"; sleep 0.2; done\necho careful >&2\nwhile [ -e "$0.wait" ]; do sleep 0.1; done\n');
  chmodSync(script, 0o755);
  appendFileSync(
    join(home, "agent.toml"),
    `\n[commands]\nmax_parallel = 4\n[commands.scripts.say]\nprogram = "${script}"\nmore_arguments = true\n${settings}`,
  );
  const child = spawn(BINARY, ["agent", "run", "--home", home], { env, stdio: "ignore" });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  return {
    id,
    /** Its script does not end while this is so. */
    hold(is) {
      if (is) writeFileSync(`${script}.wait`, "");
      else rmSync(`${script}.wait`, { force: true });
    },
    async stop() {
      child.kill("SIGTERM");
      await gone;
    },
    async remove() {
      if (child.exitCode === null) await this.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Joins many agents that have never connected. */
export async function enrolMany(project, count, labelsOf) {
  const groups = new Map();
  for (let number = 0; number < count; number++) {
    const labels = JSON.stringify(labelsOf(number));
    groups.set(labels, [...(groups.get(labels) ?? []), number]);
  }
  for (const [labels, numbers] of groups) {
    const secret = await token(project, numbers.length, JSON.parse(labels));
    const left = [...numbers];
    const enrol = async () => {
      for (let number = left.pop(); number !== undefined; number = left.pop()) await enrolOne(secret, number);
    };
    await Promise.all(Array.from({ length: 16 }, enrol));
  }
}

async function enrolOne(secret, number) {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const said = Buffer.concat([Buffer.from("weft agent enroll v1\0"), Buffer.from(secret)]);
  await call("POST", "/v1/agents:enroll", {
    token: secret,
    publicKey: raw.toString("base64"),
    signature: sign(null, said, privateKey).toString("base64"),
    agentId: `host-${number}`,
    facts: { version: "0.1.0", host: { hostname: `host-${number}.example.org`, os: "linux", osVersion: "Debian GNU/Linux 12" } },
  });
}
