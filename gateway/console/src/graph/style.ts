// From attributes to what is seen: a colour and a size for each node, who is in
// front, and the legend that explains it.
import { type Look, onRamp, rgb } from "../render/look";
import type { GraphModel } from "./model";
import { LABEL_SEPARATOR } from "./model";

export type ColorBy = "type" | "label" | "degree";
export type SizeBy = "degree" | "same";

export interface LegendEntry {
  id: string;
  name: string;
  count: number;
  color: string;
}

export interface NodeStyle {
  /** Red, green, blue and an empty byte for each node. */
  colors: Uint8Array;
  /** Category of each node: an index into `legend`. */
  category: Uint8Array;
  legend: LegendEntry[];
  /** Quarter pixels of radius at the overview. */
  sizes: Uint8Array;
  /** Nodes by degree, highest first. */
  ranking: Uint32Array;
  /** The same from back to front. */
  order: Uint32Array;
}

const OTHER = "\u0000other";

/** What tells most: types where there are several, else labels, else degree. */
export function bestColorBy(model: GraphModel): ColorBy {
  const seen = new Set<number>();
  let labelled = 0;
  for (let i = 0; i < model.nodeCount; i++) {
    if (model.gone[i]) continue;
    seen.add(model.nodeTypes[i]);
    if (model.labels[i]) labelled++;
  }
  if (seen.size > 1) return "type";
  return labelled > model.liveNodeCount / 4 ? "label" : "degree";
}

export function styleNodes(model: GraphModel, look: Look, colorBy: ColorBy, sizeBy: SizeBy): NodeStyle {
  const ranking = rankByDegree(model);
  const order = ranking.slice().reverse();
  const { category, legend } = colorBy === "degree" ? byDegree(model, look) : byName(model, look, colorBy);
  const palette = legend.map((entry) => rgb(entry.color));
  const colors = new Uint8Array(model.nodeCount * 4);
  for (let i = 0; i < model.nodeCount; i++) {
    const [r, g, b] = palette[category[i]] ?? [128, 128, 128];
    colors[i * 4] = r;
    colors[i * 4 + 1] = g;
    colors[i * 4 + 2] = b;
  }
  return { colors, category, legend, sizes: sizesOf(model, sizeBy), ranking, order };
}

function rankByDegree(model: GraphModel): Uint32Array {
  // One float holds degree and index, so that the engine's plain numeric sort does it.
  const sortable = new Float64Array(model.liveNodeCount);
  let at = 0;
  for (let i = 0; i < model.nodeCount; i++) {
    if (!model.gone[i]) sortable[at++] = model.degrees[i] * 2 ** 24 + (2 ** 24 - 1 - i);
  }
  sortable.subarray(0, at).sort();
  const ranking = new Uint32Array(at);
  for (let i = 0; i < at; i++) ranking[at - 1 - i] = 2 ** 24 - 1 - (sortable[i] % 2 ** 24);
  return ranking;
}

function sizesOf(model: GraphModel, sizeBy: SizeBy): Uint8Array {
  const count = Math.max(1, model.liveNodeCount);
  const base = Math.min(6.5, Math.max(0.8, 26 / count ** 0.28));
  const mean = Math.max(1, (2 * model.edgeCount) / count);
  const sizes = new Uint8Array(model.nodeCount);
  for (let i = 0; i < model.nodeCount; i++) {
    const grown = sizeBy === "same" ? 1 : Math.min(9, 0.55 + 0.45 * Math.sqrt(model.degrees[i] / mean));
    sizes[i] = Math.min(255, Math.max(2, Math.round(base * grown * 4)));
  }
  return sizes;
}

function byDegree(model: GraphModel, look: Look) {
  const category = new Uint8Array(model.nodeCount);
  let highest = 0;
  for (let i = 0; i < model.nodeCount; i++) {
    const step = model.degrees[i] === 0 ? 0 : Math.min(15, 1 + Math.floor(Math.log2(model.degrees[i])));
    category[i] = step;
    highest = Math.max(highest, step);
  }
  const counts = countOf(model, category, highest + 1);
  const legend = counts.map((count, step): LegendEntry => {
    const [low, high] = step === 0 ? [0, 0] : [2 ** (step - 1), 2 ** step - 1];
    const [r, g, b] = onRamp(look.ramp, highest === 0 ? 0 : step / highest);
    const color = `#${((r << 16) | (g << 8) | b).toString(16).padStart(6, "0")}`;
    return { id: `degree ${step}`, name: low === high ? `${low}` : `${low}–${high}`, count, color };
  });
  return { category, legend };
}

/** The most frequent names get the colours; the rest share a grey. */
function byName(model: GraphModel, look: Look, by: "type" | "label") {
  const nameOf =
    by === "type"
      ? (i: number) => model.typeName(i)
      : (i: number) => {
          const joined = model.labels[i];
          const end = joined.indexOf(LABEL_SEPARATOR);
          return end < 0 ? joined : joined.slice(0, end);
        };
  const counted = new Map<string, number>();
  for (let i = 0; i < model.nodeCount; i++) {
    if (!model.gone[i]) counted.set(nameOf(i), (counted.get(nameOf(i)) ?? 0) + 1);
  }
  const sorted = [...counted].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const coloured = sorted.slice(0, look.categories.length).map(([name]) => name);
  const index = new Map(coloured.map((name, i) => [name, i]));
  const category = new Uint8Array(model.nodeCount);
  for (let i = 0; i < model.nodeCount; i++) category[i] = index.get(nameOf(i)) ?? coloured.length;
  const counts = countOf(model, category, coloured.length + 1);
  const legend: LegendEntry[] = coloured.map((name, i) => ({
    id: name,
    name: name || (by === "type" ? "no type" : "no label"),
    count: counts[i],
    color: look.categories[i],
  }));
  if (counts[coloured.length] > 0) {
    const more = sorted.length - coloured.length;
    legend.push({ id: OTHER, name: `${more} more`, count: counts[coloured.length], color: look.other });
  }
  return { category, legend };
}

function countOf(model: GraphModel, category: Uint8Array, length: number): number[] {
  const counts = new Array<number>(length).fill(0);
  for (let i = 0; i < model.nodeCount; i++) if (!model.gone[i]) counts[category[i]]++;
  return counts;
}

/** The edges in an order of which every beginning is a fair sample of all. */
export function shuffledEnds(ends: Uint32Array, count: number): Uint32Array {
  const out = ends.slice(0, count * 2);
  let seed = 0x9e3779b9;
  for (let i = count - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((seed / 2 ** 32) * (i + 1));
    const [s, t] = [out[i * 2], out[i * 2 + 1]];
    out[i * 2] = out[j * 2];
    out[i * 2 + 1] = out[j * 2 + 1];
    out[j * 2] = s;
    out[j * 2 + 1] = t;
  }
  return out;
}
