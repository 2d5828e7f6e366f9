// What somebody does to a workflow in one step: adding a node where it belongs,
// connecting two, putting them in order.
import type { JsonObject } from "@bufbuild/protobuf";
import {
  type Document,
  edgeId,
  freshKey,
  moveTo,
  OUT,
  type Point,
  parentOf,
  portOf,
  putEdge,
  putNode,
  removeEdge,
  removeNodes,
  type WorkflowNode,
  withInside,
} from "./document";
import { BODY_HEAD, type Box, boxesOf, PADDING, sizeOf } from "./geometry";
import { layout, placesOf } from "./layout";
import { ERROR, hasBody, inputsOf, type Kinds, outputsOf } from "./ports";

/** Where a new node goes. */
export type Where =
  | { at: "after"; key: string; port?: string }
  | { at: "inside"; key: string }
  | { at: "on"; edge: string }
  | { at: "alone" };

const GAP = 70;
const GRID = 10;

export const snap = (value: number): number => Math.round(value / GRID) * GRID;

/** With a place for each node, so that what changes does not move the others. */
export function placed(document: Document, kinds: Kinds): Document {
  return moveTo(document, placesOf(document, kinds));
}

export function arranged(document: Document, kinds: Kinds): Document {
  return moveTo(document, layout(document, kinds));
}

/** Moves nodes, with what is inside them. */
export function moved(document: Document, keys: Iterable<string>, by: Point, kinds: Kinds): Document {
  const all = placed(document, kinds);
  const places = placesOf(all, kinds);
  const positions = new Map<string, Point>();
  for (const key of withInside(all, keys)) {
    const at = places.get(key);
    if (at) positions.set(key, { x: at.x + by.x, y: at.y + by.y });
  }
  return moveTo(all, positions);
}

/** Adds a node of a kind, and gives its key. */
export function added(
  document: Document,
  kind: string,
  where: Where,
  kinds: Kinds,
): { document: Document; key: string } {
  const whole = placed(document, kinds);
  const key = freshKey(whole, kind);
  const parent = parentFor(whole, where);
  const spot = spotFor(whole, where, kinds);
  const properties: JsonObject = { ...(parent ? { parent } : {}), x: snap(spot.x), y: snap(spot.y) };
  const node: WorkflowNode = { key, type: kind, displayName: "", labels: [], properties };
  let next = putNode(whole, node);
  if (hasBody(node, kinds)) next = withBody(next, node, kinds);
  next = joined(next, node, where, kinds);
  return { document: makeRoom(next, key, kinds), key };
}

function parentFor(document: Document, where: Where): string {
  if (where.at === "inside") return where.key;
  const next =
    where.at === "after" ? where.key : where.at === "on" ? document.edges.get(where.edge)?.source : undefined;
  const node = next === undefined ? undefined : document.nodes.get(next);
  return node ? parentOf(node) : "";
}

function spotFor(document: Document, where: Where, kinds: Kinds): Point {
  const boxes = boxesOf(document, placesOf(document, kinds), kinds);
  const right = (box: Box): Point => ({ x: box.x + box.width + GAP, y: box.y });
  if (where.at === "after") {
    const box = boxes.get(where.key);
    // Below those that follow already.
    const others = [...document.edges.values()].filter((edge) => edge.source === where.key);
    const low = Math.max(
      ...others.map((edge) => boxes.get(edge.target)).map((one) => (one ? one.y + one.height + 34 : 0)),
      0,
    );
    if (box) return others.length > 0 ? { x: box.x + box.width + GAP, y: low } : right(box);
  } else if (where.at === "on") {
    const edge = document.edges.get(where.edge);
    const box = edge && boxes.get(edge.source);
    if (box) return right(box);
  } else if (where.at === "inside") {
    const box = boxes.get(where.key);
    const inside = [...document.nodes.values()].filter((node) => parentOf(node) === where.key);
    if (box && inside.length === 0) return { x: box.x + PADDING, y: box.y + BODY_HEAD };
    if (box) return { x: box.x + PADDING, y: box.y + box.height };
  }
  const all = [...boxes.values()];
  if (all.length === 0) return { x: 40, y: 40 };
  return {
    x: Math.min(...all.map((box) => box.x)),
    y: Math.max(...all.map((box) => box.y + box.height)) + 40,
  };
}

/** A body begins with an `input` and ends with an `output`. */
function withBody(document: Document, node: WorkflowNode, kinds: Kinds): Document {
  const { x, y } = node.properties as { x: number; y: number };
  const make = (kind: string, into: Document, left: number): [Document, string] => {
    const key = freshKey(into, `${node.key}_${kind === "input" ? "in" : "out"}`);
    const properties = { parent: node.key, x: x + PADDING + left, y: y + BODY_HEAD };
    return [putNode(into, { key, type: kind, displayName: "", labels: [], properties }), key];
  };
  const [first, from] = make("input", document, 0);
  const input = first.nodes.get(from) as WorkflowNode;
  const [second, to] = make("output", first, sizeOf(input, kinds).width + GAP);
  return putEdge(second, from, OUT, to);
}

/** Joined to what it was put after, or between the two that an edge joined. */
function joined(document: Document, node: WorkflowNode, where: Where, kinds: Kinds): Document {
  const takes = inputsOf(node, kinds).length > 0;
  const port = outputsOf(node, kinds).find(({ name }) => name !== ERROR)?.name;
  if (where.at === "on") {
    const edge = document.edges.get(where.edge);
    if (!edge || !takes) return document;
    const cut = putEdge(removeEdge(document, where.edge), edge.source, portOf(edge), node.key);
    return port === undefined ? cut : putEdge(cut, node.key, port, edge.target);
  }
  if (where.at !== "after" || !takes) return document;
  const source = document.nodes.get(where.key);
  const free = where.port ?? (source && freePort(document, source, kinds));
  return free === undefined ? document : putEdge(document, where.key, free, node.key);
}

/** The first port that no edge leaves by, or else the first. */
export function freePort(document: Document, node: WorkflowNode, kinds: Kinds): string | undefined {
  const ports = outputsOf(node, kinds).filter(({ name }) => name !== ERROR);
  const used = new Set([...document.edges.values()].filter((edge) => edge.source === node.key).map(portOf));
  return (ports.find(({ name }) => !used.has(name)) ?? ports[0])?.name;
}

/** Moves what a new node covers to the right, or below it. */
function makeRoom(document: Document, key: string, kinds: Kinds): Document {
  let now = document;
  for (let round = 0; round < 20; round++) {
    const node = now.nodes.get(key);
    const boxes = boxesOf(now, placesOf(now, kinds), kinds);
    const box = boxes.get(key);
    if (!node || !box) return now;
    const parent = parentOf(node);
    const beside = [...now.nodes.values()].filter((one) => one.key !== key && parentOf(one) === parent);
    const covered = beside.find((one) => overlap(box, boxes.get(one.key)));
    if (!covered) return now;
    const edge = boxes.get(covered.key) as Box;
    // Everything from there on moves, so that the order stays.
    const from = edge.x;
    const shift = snap(box.x + box.width + GAP - from);
    const right = beside.filter((one) => (boxes.get(one.key)?.x ?? 0) >= from).map((one) => one.key);
    now = moved(now, right, { x: Math.max(GRID, shift), y: 0 }, kinds);
  }
  return now;
}

function overlap(a: Box, b: Box | undefined): boolean {
  return (
    b !== undefined &&
    a.x < b.x + b.width + 20 &&
    b.x < a.x + a.width + 20 &&
    a.y < b.y + b.height + 10 &&
    b.y < a.y + a.height + 10
  );
}

/** Whether an edge may join the two: in the same body, and not to itself. */
export function mayConnect(document: Document, source: string, target: string, kinds: Kinds): boolean {
  const from = document.nodes.get(source);
  const to = document.nodes.get(target);
  if (!from || !to || from === to || inputsOf(to, kinds).length === 0) return false;
  return parentOf(from) === parentOf(to);
}

/** Joins two nodes; where only one edge may enter, it takes the place of the one that does. */
export function connected(
  document: Document,
  source: string,
  port: string,
  target: string,
  kinds: Kinds,
): Document {
  if (!mayConnect(document, source, target, kinds)) return document;
  const many = kinds.get(document.nodes.get(target)?.type ?? "")?.inputPorts.some((one) => one.many);
  let next = document;
  if (!many) {
    for (const edge of document.edges.values())
      if (edge.target === target) next = removeEdge(next, edgeId(edge));
  }
  return putEdge(next, source, port, target);
}

/** Without nodes; what led to one that had one way in and one way out leads on to what came after it. */
export function without(document: Document, keys: readonly string[]): Document {
  let next = document;
  for (const key of keys) {
    const edges = [...next.edges.values()];
    const before = edges.filter((edge) => edge.target === key);
    const after = edges.filter((edge) => edge.source === key);
    next = removeNodes(next, [key]);
    if (before.length === 1 && after.length === 1 && portOf(after[0]) === OUT) {
      next = putEdge(next, before[0].source, portOf(before[0]), after[0].target);
    }
  }
  return next;
}
