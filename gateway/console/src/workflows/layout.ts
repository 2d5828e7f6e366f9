// A layout in layers, from left to right: each node is to the right of all that lead
// to it, in an order with few crossings. Bodies are laid out first, and are then
// nodes as large as what is in them.
import { childrenOf, type Document, parentOf, type Point, positionOf, type WorkflowNode } from "./document";
import { BODY_HEAD, PADDING, sizeOf } from "./geometry";
import { hasBody, type Kinds } from "./ports";

const COLUMN_GAP = 70;
const ROW_GAP = 34;
/** Times that the order of the layers is looked at. */
const SWEEPS = 6;
const MARGIN = 40;
/** How high an edge is that passes a layer. */
const WAY = 12;

interface Size {
  width: number;
  height: number;
}

/** A place for each node of a workflow. */
export function layout(document: Document, kinds: Kinds): Map<string, Point> {
  const places = new Map<string, Point>();
  const scope = (parent: string, depth: number): Size => {
    const nodes = parent === "" ? roots(document) : childrenOf(document, parent);
    const inside = new Map<string, Map<string, Point>>();
    const sizes = new Map<string, Size>();
    for (const node of nodes) {
      let size = sizeOf(node, kinds);
      if (hasBody(node, kinds) && depth < 20 && childrenOf(document, node.key).length > 0) {
        const before = new Set(places.keys());
        const inner = scope(node.key, depth + 1);
        inside.set(node.key, new Map([...places].filter(([key]) => !before.has(key))));
        size = { width: inner.width + 2 * PADDING, height: inner.height + BODY_HEAD + PADDING };
      }
      sizes.set(node.key, size);
    }
    const { at, width, height } = layers(document, nodes, sizes);
    for (const [key, point] of at) {
      places.set(key, point);
      // What is in it was laid out from zero.
      for (const [child, { x, y }] of inside.get(key) ?? []) {
        places.set(child, { x: point.x + PADDING + x, y: point.y + BODY_HEAD + y });
      }
    }
    return { width, height };
  };
  scope("", 0);
  for (const [key, { x, y }] of places)
    places.set(key, { x: Math.round(x) + MARGIN, y: Math.round(y) + MARGIN });
  return places;
}

/** Where each node is: where it was put, or where a layout puts it. */
export function placesOf(document: Document, kinds: Kinds): Map<string, Point> {
  const known = [...document.nodes.values()].map((node) => [node.key, positionOf(node)] as const);
  const all = known.every(([, at]) => at !== undefined);
  const made = all ? new Map<string, Point>() : layout(document, kinds);
  return new Map(known.map(([key, at]) => [key, at ?? made.get(key) ?? { x: 0, y: 0 }]));
}

/** Nodes in no body, and those whose body is not there. */
function roots(document: Document): WorkflowNode[] {
  return [...document.nodes.values()].filter((node) => !document.nodes.has(parentOf(node)));
}

function layers(document: Document, nodes: readonly WorkflowNode[], sizes: ReadonlyMap<string, Size>) {
  const keys = new Set(nodes.map((node) => node.key));
  const edges = [...document.edges.values()].filter(
    ({ source, target }) => source !== target && keys.has(source) && keys.has(target),
  );
  const layer = ranks([...keys], joined(edges));
  const columns: string[][] = [];
  const into = (key: string, at: number) => {
    while (columns.length <= at) columns.push([]);
    columns[at].push(key);
  };
  for (const key of keys) into(key, layer.get(key) ?? 0);
  // An edge over several layers has a place in each, which keeps nodes off its way.
  const short: Pair[] = [];
  const all = new Map(sizes);
  edges.forEach(({ source, target }, number) => {
    let from = source;
    for (let at = (layer.get(source) ?? 0) + 1; at < (layer.get(target) ?? 0); at++) {
      const way = `\0${number} ${at}`;
      all.set(way, { width: 0, height: WAY });
      into(way, at);
      short.push({ source: from, target: way });
      from = way;
    }
    short.push({ source: from, target });
  });
  const { next, before } = joined(short);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forward = sweep % 2 === 0;
    const order = forward ? columns : [...columns].reverse();
    for (const column of order) sortByNeighbours(column, columns, forward ? before : next);
  }
  return place(columns, all, before);
}

interface Pair {
  source: string;
  target: string;
}

function joined(pairs: readonly Pair[]) {
  const next = new Map<string, string[]>();
  const before = new Map<string, string[]>();
  const put = (to: Map<string, string[]>, key: string, other: string) => {
    const known = to.get(key);
    if (known) known.push(other);
    else to.set(key, [other]);
  };
  for (const { source, target } of pairs) {
    put(next, source, target);
    put(before, target, source);
  }
  return { next, before };
}

/** The layer of each: one more than the last of those that lead to it. What is in a cycle comes as it stands. */
function ranks(keys: readonly string[], { next, before }: ReturnType<typeof joined>): Map<string, number> {
  const layer = new Map<string, number>();
  const left = new Map(keys.map((key) => [key, before.get(key)?.length ?? 0]));
  const ready = keys.filter((key) => left.get(key) === 0);
  const rest = new Set(keys);
  while (rest.size > 0) {
    const key = ready.shift() ?? (rest.values().next().value as string);
    if (!rest.delete(key)) continue;
    const above = (before.get(key) ?? []).flatMap((one) => layer.get(one) ?? []);
    layer.set(key, above.length > 0 ? Math.max(...above) + 1 : 0);
    for (const target of next.get(key) ?? []) {
      left.set(target, (left.get(target) ?? 1) - 1);
      if (left.get(target) === 0) ready.push(target);
    }
  }
  return layer;
}

function sortByNeighbours(
  column: string[],
  columns: readonly (readonly string[])[],
  neighbours: ReadonlyMap<string, readonly string[]>,
): void {
  const rank = new Map(
    columns.flatMap((one) => one.map((key, at) => [key, (at + 0.5) / one.length] as const)),
  );
  const middle = (key: string): number => {
    const found = (neighbours.get(key) ?? []).map((one) => rank.get(one) ?? 0.5);
    return found.length > 0 ? found.reduce((a, b) => a + b, 0) / found.length : (rank.get(key) ?? 0.5);
  };
  const weights = new Map(column.map((key) => [key, middle(key)]));
  column.sort((a, b) => (weights.get(a) ?? 0) - (weights.get(b) ?? 0));
}

/** Columns from left to right; in each, as near to what leads to a node as those above it let it. */
function place(
  columns: readonly (readonly string[])[],
  sizes: ReadonlyMap<string, Size>,
  before: ReadonlyMap<string, readonly string[]>,
) {
  const at = new Map<string, Point>();
  const size = (key: string): Size => sizes.get(key) ?? { width: 0, height: 0 };
  let x = 0;
  for (const column of columns) {
    const wanted = column.map((key) => {
      const from = (before.get(key) ?? []).flatMap((one) => {
        const point = at.get(one);
        return point ? [point.y] : [];
      });
      // Ports are at the top: those in a row make a straight line.
      return from.length > 0 ? from.reduce((a, b) => a + b, 0) / from.length : undefined;
    });
    let y = Number.NEGATIVE_INFINITY;
    const tops = column.map((key, place) => {
      const top = Math.max(y, wanted[place] ?? (y === Number.NEGATIVE_INFINITY ? 0 : y));
      y = top + size(key).height + ROW_GAP;
      return top;
    });
    // Pushed down as a whole they come up as a whole: so far that an edge that passes goes straight.
    const off = tops.map((top, place) => (wanted[place] === undefined ? 0 : top - wanted[place]));
    const passing = column.findIndex((key) => size(key).height === WAY);
    const mean = off.length > 0 ? off.reduce((a, b) => a + b, 0) / off.length : 0;
    const lift = passing >= 0 ? off[passing] : mean;
    column.forEach((key, place) => {
      at.set(key, { x, y: tops[place] - lift });
    });
    x += Math.max(...column.map((key) => size(key).width)) + COLUMN_GAP;
  }
  const top = Math.min(0, ...[...at.values()].map((point) => point.y));
  for (const [key, point] of at) at.set(key, { x: point.x, y: point.y - top });
  const height = Math.max(0, ...[...at].map(([key, point]) => point.y + size(key).height));
  return { at, width: Math.max(0, x - COLUMN_GAP), height };
}
