// What the tests prepare and check from outside the browser, over REST.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const url = need("WEFT_URL").replace(/\/$/, "");
export const adminKey = readFileSync(need("WEFT_KEY_FILE"), "utf8").trim();

/** A new folder in the one that is open to sources as `notes`; writes files, and gives the path in it. */
export function notebook(files) {
  const path = fresh("book");
  const write = (changed) => {
    for (const [name, text] of Object.entries(changed)) {
      const file = join(need("WEFT_NOTES"), path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  };
  write(files);
  return { path, write, remove: () => rmSync(join(need("WEFT_NOTES"), path), { recursive: true }) };
}

function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run the tests with npm test`);
  return value;
}

export async function call(method, path, body, key = adminKey) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : {};
}

/** A name that no earlier run has used, so that a mesh may be tested twice. */
export function fresh(prefix) {
  return `${prefix}-${Date.now().toString(36)}${Math.floor(Math.random() * 1e4).toString(36)}`;
}

export async function makeGraph(id, { project = "default", nodes = [], edges = [] } = {}) {
  await call("POST", `/v1/projects/${project}/graphs?graphId=${id}`, { displayName: `Story ${id}` });
  const changes = [
    ...nodes.map((node) => ({ upsertNode: { node } })),
    ...edges.map(([source, target]) => ({ upsertEdge: { edge: { source, target, type: "needs" } } })),
  ];
  for (let at = 0; at < changes.length; at += 5_000) {
    await apply(id, changes.slice(at, at + 5_000), project);
  }
  return id;
}

export function apply(id, changes, project = "default") {
  return call("POST", `/v1/projects/${project}/graphs/${id}:applyChanges`, { changes });
}

/** A few villages of nodes with a road between each two: small, and with a shape. */
export function villages(count, size) {
  const nodes = [];
  const edges = [];
  for (let v = 0; v < count; v++) {
    for (let i = 0; i < size; i++) {
      const key = `village${v}-house${i}`;
      nodes.push({
        key,
        type: i === 0 ? "hall" : v % 2 ? "farm" : "house",
        labels: [`village${v}`],
        properties: { rooms: i, owner: { name: `Owner ${i}` } },
      });
      if (i > 0) edges.push([key, `village${v}-house0`]);
      if (i > 2) edges.push([key, `village${v}-house${i - 2}`]);
    }
    if (v > 0) edges.push([`village${v}-house0`, `village${v - 1}-house0`]);
  }
  return { nodes, edges };
}

export async function makeKey(role, project = "default") {
  return (await call("POST", `/v1/projects/${project}/apiKeys`, { displayName: `browser ${role}`, role })).secret;
}
