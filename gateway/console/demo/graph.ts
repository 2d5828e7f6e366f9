// A made-up graph with communities, and places for its nodes: what the demo
// mode shows, and what the frame tests are fed with.

export interface DemoGraph {
  id: string;
  nodes: number;
  edges: number;
  types: Uint8Array;
  ends: Uint32Array;
  home: Float32Array;
  keys: string[];
}

export const TYPES = ["library", "service", "tool", "document", "person", "dataset", "page", "test"];
const SYLLABLES = [
  "lo",
  "ra",
  "net",
  "gra",
  "ph",
  "ka",
  "mi",
  "zen",
  "tor",
  "vel",
  "dex",
  "lib",
  "sys",
  "io",
  "um",
  "qua",
];

export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function demoGraph(id: string, nodes: number, edges: number, seed = 7): DemoGraph {
  const next = random(seed);
  const groups = Math.max(3, Math.round(nodes ** 0.42 / 2));
  const members: number[][] = Array.from({ length: groups }, () => []);
  const centres = Array.from({ length: groups }, (_, g) => {
    const angle = g * 2.399963;
    const r = Math.sqrt(g / groups) * 1000;
    return [Math.cos(angle) * r, Math.sin(angle) * r, (next() - 0.5) * 1200];
  });
  const weight = Array.from({ length: groups }, () => 0.3 + next() ** 3 * 4);
  const total = weight.reduce((a, b) => a + b, 0);
  const types = new Uint8Array(nodes);
  const home = new Float32Array(nodes * 3);
  const keys: string[] = [];
  const groupOf = new Uint16Array(nodes);
  for (let i = 0; i < nodes; i++) {
    let at = next() * total;
    let g = 0;
    while (at > weight[g] && g < groups - 1) at -= weight[g++];
    groupOf[i] = g;
    members[g].push(i);
    types[i] = next() < 0.82 ? (g * 5) % TYPES.length : Math.floor(next() * TYPES.length);
    const spread = 900 * Math.sqrt(weight[g] / total) * 1.1;
    const r = spread * Math.sqrt(-Math.log(1 - next() * 0.98)) * 0.55;
    const angle = next() * Math.PI * 2;
    home[i * 3] = centres[g][0] + Math.cos(angle) * r;
    home[i * 3 + 1] = centres[g][1] + Math.sin(angle) * r;
    home[i * 3 + 2] = centres[g][2] + (next() - 0.5) * 2 * spread;
    const word = () => SYLLABLES[Math.floor(next() * SYLLABLES.length)];
    keys.push(`${word()}${word()}${next() < 0.5 ? word() : ""}-${i.toString(36)}`);
  }
  const ends = new Uint32Array(edges * 2);
  const popular = (group: number[]) => group[Math.floor(group.length * next() ** 3.2)];
  for (let e = 0; e < edges; e++) {
    const source = Math.floor(next() * nodes);
    const own = members[groupOf[source]];
    const target = next() < 0.93 ? popular(own) : (popular(members[Math.floor(next() * groups)]) ?? source);
    ends[e * 2] = source;
    ends[e * 2 + 1] = target ?? source;
  }
  return { id, nodes, edges, types, ends, home, keys };
}

/** A position frame as the mesh sends it: 16-bit columns, two or three of them. */
export function demoFrame(
  places: Float32Array,
  ids: Uint32Array | null,
  dimensions: 2 | 3,
  sequence: number,
): Uint8Array {
  const count = places.length / 3;
  const min = [0, 0, 0];
  const max = [0, 0, 0];
  for (let axis = 0; axis < dimensions; axis++) {
    min[axis] = Number.POSITIVE_INFINITY;
    max[axis] = Number.NEGATIVE_INFINITY;
    for (let i = axis; i < places.length; i += 3) {
      if (places[i] < min[axis]) min[axis] = places[i];
      if (places[i] > max[axis]) max[axis] = places[i];
    }
  }
  const column = (count * 2 + 3) & ~3;
  const idBytes = ids ? count * 4 : 0;
  const buffer = new ArrayBuffer(64 + idBytes + column * dimensions);
  const view = new DataView(buffer);
  view.setUint32(0, 0x46504657, true);
  view.setUint8(4, 1);
  view.setUint8(5, 3);
  view.setUint8(6, (ids ? 3 : 0) | (dimensions === 3 ? 4 : 0));
  view.setUint32(8, count, true);
  view.setUint32(12, 1, true);
  view.setBigUint64(16, BigInt(sequence), true);
  view.setBigUint64(24, BigInt(sequence), true);
  for (let axis = 0; axis < 3; axis++) {
    view.setFloat32(32 + axis * 4, min[axis], true);
    view.setFloat32(44 + axis * 4, max[axis], true);
  }
  view.setBigInt64(56, 1n, true);
  if (ids) new Uint32Array(buffer, 64, count).set(ids);
  for (let axis = 0; axis < dimensions; axis++) {
    const out = new Uint16Array(buffer, 64 + idBytes + axis * column, count);
    const scale = 65535 / Math.max(max[axis] - min[axis], 1e-9);
    for (let i = 0; i < count; i++) out[i] = (places[i * 3 + axis] - min[axis]) * scale;
  }
  return new Uint8Array(buffer);
}
