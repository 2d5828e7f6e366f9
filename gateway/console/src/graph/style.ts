// From attributes to what is seen: a colour and a size for each node, who is in
// front, and the legend that explains it.
import { type Look, onRamp, rgb } from "../render/look";
import type { GraphModel } from "./model";
import { LABEL_SEPARATOR } from "./model";

export type ColorBy = "type" | "label" | "degree" | "values" | "communities";
export type SizeBy = "degree" | "same" | "values";

/** A number for some nodes, from an analysis. */
export interface NodeValues {
  /** What the numbers are, for people. */
  name: string;
  /** Name of the analysis. */
  analysis: string;
  /** Whether a number is the name of a group: the ordinal of its first node. */
  grouped: boolean;
  /** Ascending. */
  ordinals: Uint32Array;
  values: Float64Array;
}

/** The communities of the graph as it is, each known by its number. */
export interface NodeCommunities {
  /** Ascending. */
  ordinals: Uint32Array;
  /** Number of each one's community. */
  values: Float64Array;
  /** Which colour a community has, by its number: an index into the categories of a look. */
  slots: ReadonlyMap<number, number>;
  communityCount: number;
  /** How fine they are: at another resolution the same number is another community. */
  resolution: number;
}

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

/** What is coloured and sized by what. */
export interface StyleChoice {
  colorBy: ColorBy;
  sizeBy: SizeBy;
  values?: NodeValues | null;
  communities?: NodeCommunities | null;
}

export function styleNodes(model: GraphModel, look: Look, choice: StyleChoice): NodeStyle {
  const ranking = rankByDegree(model);
  const order = ranking.slice().reverse();
  const { sizeBy, values } = choice;
  const numbers = sizeBy === "values" && values && !values.grouped ? ofModel(model, values) : null;
  const steps = numbers ? stepsOf(numbers) : [];
  const sizes = numbers && steps.length > 0 ? sizesOfSteps(model, numbers, steps) : sizesOf(model, sizeBy);
  return { ...colourNodes(model, look, choice), sizes, ranking, order };
}

/** The colours alone: what is to be done anew when sizes and edges stay. */
export function colourNodes(
  model: GraphModel,
  look: Look,
  choice: StyleChoice,
): Pick<NodeStyle, "colors" | "category" | "legend"> {
  const { category, legend } = categories(model, look, choice);
  const palette = legend.map((entry) => rgb(entry.color));
  const colors = new Uint8Array(model.nodeCount * 4);
  for (let i = 0; i < model.nodeCount; i++) {
    const [r, g, b] = palette[category[i]] ?? [128, 128, 128];
    colors[i * 4] = r;
    colors[i * 4 + 1] = g;
    colors[i * 4 + 2] = b;
  }
  return { colors, category, legend };
}

function categories(
  model: GraphModel,
  look: Look,
  { colorBy, values, communities }: StyleChoice,
): Pick<NodeStyle, "category" | "legend"> {
  if (colorBy === "communities") return byCommunity(model, look, communities ?? null);
  if (colorBy === "values" && values) {
    const numbers = ofModel(model, values);
    return values.grouped ? byGroup(model, look, numbers) : byStep(model, look, numbers, stepsOf(numbers));
  }
  if (colorBy === "degree") return byDegree(model, look);
  return byName(model, look, colorBy === "label" ? "label" : "type");
}

/** The value of each node of the model; not a number where it has none. Both are in the order of ordinals. */
function ofModel(
  model: GraphModel,
  { ordinals, values }: Pick<NodeValues, "ordinals" | "values">,
): Float64Array {
  const out = new Float64Array(model.nodeCount).fill(Number.NaN);
  for (let i = 0, at = 0; i < model.nodeCount; i++) {
    while (at < ordinals.length && ordinals[at] < model.ordinals[i]) at++;
    if (ordinals[at] === model.ordinals[i]) out[i] = values[at];
  }
  return out;
}

/** Shares of the nodes that lie below a step: most values of most analyses are small, and what stands out is few. */
const SHARES = [0.5, 0.8, 0.95, 0.99, 0.999];

/** Where steps of values begin, the lowest first. */
function stepsOf(values: Float64Array): number[] {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  if (sorted.length === 0) return [];
  const begins = [sorted[0]];
  for (const share of SHARES) {
    const begin = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    const last = begins[begins.length - 1];
    // What differs by a hair is told apart by nobody.
    if (begin > last + Math.abs(last) * 1e-3) begins.push(begin);
  }
  return begins;
}

function stepOf(steps: readonly number[], value: number): number {
  let step = steps.length - 1;
  while (step > 0 && value < steps[step] - Math.abs(steps[step]) * 1e-6) step--;
  return step;
}

function sizesOfSteps(model: GraphModel, values: Float64Array, steps: readonly number[]): Uint8Array {
  const base = baseSize(model);
  const sizes = new Uint8Array(model.nodeCount);
  for (let i = 0; i < model.nodeCount; i++) {
    const step = Number.isNaN(values[i]) ? -1 : stepOf(steps, values[i]);
    const grown = step < 0 ? 0.5 : 0.7 * 1.65 ** step;
    sizes[i] = Math.min(255, Math.max(2, Math.round(base * grown * 4)));
  }
  return sizes;
}

function byStep(model: GraphModel, look: Look, values: Float64Array, steps: readonly number[]) {
  const category = new Uint8Array(model.nodeCount);
  for (let i = 0; i < model.nodeCount; i++)
    category[i] = Number.isNaN(values[i]) ? steps.length : stepOf(steps, values[i]);
  const counts = countOf(model, category, steps.length + 1);
  const legend = steps.map((begin, step): LegendEntry => {
    const [r, g, b] = onRamp(look.ramp, steps.length === 1 ? 0 : step / (steps.length - 1));
    const color = `#${((r << 16) | (g << 8) | b).toString(16).padStart(6, "0")}`;
    const next = steps[step + 1];
    const name = next === undefined ? `${few(begin)} and more` : `${few(begin)} – ${few(next)}`;
    return { id: `step ${step}`, name, count: counts[step], color };
  });
  legend.push({ id: OTHER, name: "no value", count: counts[steps.length], color: look.other });
  return { category, legend };
}

/** The largest groups get the colours; the rest share a grey. */
function byGroup(model: GraphModel, look: Look, values: Float64Array) {
  const { counted, hubs } = groupsOf(model, values);
  const sorted = [...counted].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const coloured = sorted.slice(0, look.categories.length).map(([group]) => group);
  const index = new Map(coloured.map((group, i) => [group, i]));
  const category = new Uint8Array(model.nodeCount);
  for (let i = 0; i < model.nodeCount; i++) category[i] = index.get(values[i]) ?? coloured.length;
  const counts = countOf(model, category, coloured.length + 1);
  const legend = coloured.map(
    (group, i): LegendEntry => ({
      id: `group ${group}`,
      name: model.title(hubs.get(group) ?? 0),
      count: counts[i],
      color: look.categories[i],
    }),
  );
  const more = Math.max(0, sorted.length - coloured.length);
  legend.push({
    id: OTHER,
    name: more > 0 ? `${more} more` : "no group",
    count: counts[coloured.length],
    color: look.other,
  });
  return { category, legend };
}

/** How many nodes each group has, and the one with the most edges, which it is known by. */
function groupsOf(model: GraphModel, values: Float64Array) {
  const counted = new Map<number, number>();
  const hubs = new Map<number, number>();
  for (let i = 0; i < model.nodeCount; i++) {
    if (model.gone[i] || Number.isNaN(values[i])) continue;
    counted.set(values[i], (counted.get(values[i]) ?? 0) + 1);
    const hub = hubs.get(values[i]);
    if (hub === undefined || model.degrees[i] > model.degrees[hub]) hubs.set(values[i], i);
  }
  return { counted, hubs };
}

/** Those that have a colour keep it while the graph changes; the rest share a grey. */
function byCommunity(model: GraphModel, look: Look, communities: NodeCommunities | null) {
  const other = look.categories.length;
  const category = new Uint8Array(model.nodeCount).fill(other);
  const legend = look.categories.map(
    (color, slot): LegendEntry => ({ id: `slot ${slot}`, name: "", count: 0, color }),
  );
  if (communities) {
    const values = ofModel(model, communities);
    const { counted, hubs } = groupsOf(model, values);
    for (let i = 0; i < model.nodeCount; i++) category[i] = communities.slots.get(values[i]) ?? other;
    for (const [community, slot] of communities.slots) {
      const hub = hubs.get(community);
      if (hub === undefined || slot >= other) continue;
      legend[slot].id = `community ${community}`;
      legend[slot].name = `${community} · ${model.title(hub)}`;
      legend[slot].count = counted.get(community) ?? 0;
    }
  }
  const more = Math.max(0, (communities?.communityCount ?? 0) - (communities?.slots.size ?? 0));
  legend.push({
    id: OTHER,
    name: communities ? (more > 0 ? `${more} more` : "not told yet") : "not known yet",
    count: countOf(model, category, other + 1)[other],
    color: look.other,
  });
  return { category, legend };
}

function few(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6
    ? value.toExponential(1)
    : String(Number(value.toPrecision(3)));
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

function baseSize(model: GraphModel): number {
  return Math.min(6.5, Math.max(0.8, 26 / Math.max(1, model.liveNodeCount) ** 0.28));
}

function sizesOf(model: GraphModel, sizeBy: SizeBy): Uint8Array {
  const count = Math.max(1, model.liveNodeCount);
  const base = baseSize(model);
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
