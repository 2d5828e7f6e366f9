// The spans of a trace as a tree, and the rows of its waterfall. Every span is in it
// once, whatever its parents are said to be.
import type { Span } from "../gen/weft/telemetry/v1/trace_pb";
import { SpanStatus } from "../gen/weft/telemetry/v1/trace_pb";
import { millisOf, nanosOf } from "./time";

export interface SpanNode {
  id: string;
  span: Span;
  service: string;
  parent: SpanNode | null;
  children: SpanNode[];
  depth: number;
  /** It was begun by a span that is not there. */
  isLost: boolean;
  failed: boolean;
  /** Milliseconds from the beginning of the trace, and how many of them it took. */
  offset: number;
  took: number;
  /** How many spans are below it, and how many of those failed. */
  inner: number;
  innerFailed: number;
}

export interface SpanTree {
  roots: SpanNode[];
  /** All of them, each before those below it. */
  all: SpanNode[];
  byId: ReadonlyMap<string, SpanNode>;
  /** Nanoseconds since 1970, and milliseconds until the last span ended. */
  start: bigint;
  length: number;
  /** By when they first did something. */
  services: string[];
}

export function treeOf(spans: readonly Span[]): SpanTree {
  const byId = new Map<string, SpanNode>();
  const start = spans.map((span) => nanosOf(span.startTime)).reduce(least, 0n);
  for (const span of spans) if (!byId.has(span.spanId)) byId.set(span.spanId, nodeOf(span, start));
  const nodes = [...byId.values()].sort((a, b) => a.offset - b.offset);
  const roots: SpanNode[] = [];
  for (const node of nodes) {
    const { parentSpanId } = node.span;
    const parent = byId.get(parentSpanId);
    if (parent && parent !== node) {
      node.parent = parent;
      parent.children.push(node);
    } else {
      node.isLost = parentSpanId !== "";
      roots.push(node);
    }
  }
  const all = inOrder(roots);
  // What is left begins itself, in a circle: its first span stands for the root.
  const placed = new Set(all);
  for (const node of nodes) {
    if (placed.has(node)) continue;
    const { parent } = node;
    if (parent) parent.children = parent.children.filter((child) => child !== node);
    node.parent = null;
    node.isLost = true;
    roots.push(node);
    for (const below of inOrder([node])) {
      placed.add(below);
      all.push(below);
    }
  }
  for (const node of [...all].reverse()) {
    if (!node.parent) continue;
    node.parent.inner += node.inner + 1;
    node.parent.innerFailed += node.innerFailed + Number(node.failed);
  }
  const length = nodes.reduce((most, node) => Math.max(most, node.offset + node.took), 0);
  const services = [...new Set(nodes.map((node) => node.service))];
  return { roots, all, byId, start, length, services };
}

function least(a: bigint, b: bigint): bigint {
  return a === 0n || b < a ? b : a;
}

function nodeOf(span: Span, start: bigint): SpanNode {
  const begins = nanosOf(span.startTime);
  const took = millisOf(nanosOf(span.endTime) - begins);
  return {
    id: span.spanId,
    span,
    service: span.origin?.serviceName ?? "",
    parent: null,
    children: [],
    depth: 0,
    isLost: false,
    failed: span.status === SpanStatus.ERROR,
    offset: millisOf(begins - start),
    took: Math.max(0, took),
    inner: 0,
    innerFailed: 0,
  };
}

/** A chain of calls may be thousands deep: no function calls itself for it. */
function inOrder(roots: readonly SpanNode[]): SpanNode[] {
  const found: SpanNode[] = [];
  const open = [...roots].reverse();
  for (let node = open.pop(); node; node = open.pop()) {
    node.depth = node.parent ? node.parent.depth + 1 : 0;
    found.push(node);
    for (let at = node.children.length - 1; at >= 0; at--) open.push(node.children[at]);
  }
  return found;
}

/** What is in sight, with those folded whose ids are given. */
export function rowsOf(tree: SpanTree, folded: ReadonlySet<string>): SpanNode[] {
  if (folded.size === 0) return tree.all;
  const rows: SpanNode[] = [];
  let hiddenBelow = Number.POSITIVE_INFINITY;
  for (const node of tree.all) {
    if (node.depth > hiddenBelow) continue;
    hiddenBelow = folded.has(node.id) ? node.depth : Number.POSITIVE_INFINITY;
    rows.push(node);
  }
  return rows;
}

/** Without those that hide a span. */
export function unfoldedFor(folded: ReadonlySet<string>, node: SpanNode): ReadonlySet<string> {
  const next = new Set(folded);
  for (let above = node.parent; above; above = above.parent) next.delete(above.id);
  return next.size === folded.size ? folded : next;
}

/** Milliseconds in which none of the spans right below it was at work. */
export function selfOf(node: SpanNode): number {
  const end = node.offset + node.took;
  let [busy, until] = [0, node.offset];
  // Children are by when they began.
  for (const child of node.children) {
    const from = Math.max(child.offset, until);
    const to = Math.min(child.offset + child.took, end);
    if (to > from) {
      busy += to - from;
      until = to;
    }
  }
  return Math.max(0, node.took - busy);
}

/** Whether a span has to do with words: each is in its operation, service, status or attributes. */
export function hasWords(node: SpanNode, words: string): boolean {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return false;
  const { operation, statusMessage, spanId, attributes } = node.span;
  const text = `${operation} ${node.service} ${statusMessage} ${spanId} ${JSON.stringify(attributes ?? {})}`;
  const small = text.toLowerCase();
  return wanted.every((word) => small.includes(word));
}

/** The next one after a span for which it holds, from the first again after the last. */
export function nextOf(
  tree: SpanTree,
  from: SpanNode | undefined,
  holds: (node: SpanNode) => boolean,
  step: 1 | -1 = 1,
): SpanNode | undefined {
  const { all } = tree;
  const begin = from ? all.indexOf(from) : step === 1 ? -1 : all.length;
  for (let away = 1; away <= all.length; away++) {
    const node = all[(((begin + away * step) % all.length) + all.length) % all.length];
    if (holds(node)) return node;
  }
  return undefined;
}
