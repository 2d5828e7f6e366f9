// How large nodes are, and where their ports are.
import { childrenOf, type Document, type Point, type WorkflowNode } from "./document";
import { ERROR, hasBody, inputsOf, type Kinds, outputsOf } from "./ports";

export interface Box extends Point {
  width: number;
  height: number;
}

export const WIDTH = 204;
const HEAD = 54;
const PORT = 20;
const FOOT = 8;
/** Of a body: what is around the nodes in it. */
export const PADDING = 28;
export const BODY_HEAD = 58;
const EMPTY_BODY = { width: 300, height: 150 };

/** Ports that have a line of their own in a node: several, or none. */
export function listed(node: WorkflowNode, kinds: Kinds): string[] {
  const names = outputsOf(node, kinds).map((port) => port.name);
  const usual = names.filter((name) => name !== ERROR);
  return usual.length > 1 ? usual : [];
}

/** How large a node without a body is. */
export function sizeOf(node: WorkflowNode, kinds: Kinds): { width: number; height: number } {
  const rows = listed(node, kinds).length;
  return { width: WIDTH, height: HEAD + rows * PORT + (rows > 0 ? FOOT : 0) };
}

/** The boxes of all nodes, where each is at a place; a body is as large as what is in it needs. */
export function boxesOf(
  document: Document,
  places: ReadonlyMap<string, Point>,
  kinds: Kinds,
): Map<string, Box> {
  const boxes = new Map<string, Box>();
  const boxOf = (node: WorkflowNode, depth: number): Box => {
    const known = boxes.get(node.key);
    if (known) return known;
    const at = places.get(node.key) ?? { x: 0, y: 0 };
    let box: Box = { ...at, ...sizeOf(node, kinds) };
    if (hasBody(node, kinds) && depth < 20) {
      const inside = childrenOf(document, node.key).map((child) => boxOf(child, depth + 1));
      box = inside.length > 0 ? around(inside) : { ...at, ...EMPTY_BODY };
    }
    boxes.set(node.key, box);
    return box;
  };
  for (const node of document.nodes.values()) boxOf(node, 0);
  return boxes;
}

/** The box of a body whose nodes have these. */
export function around(inside: readonly Box[]): Box {
  const x = Math.min(...inside.map((box) => box.x)) - PADDING;
  const y = Math.min(...inside.map((box) => box.y)) - BODY_HEAD;
  const right = Math.max(...inside.map((box) => box.x + box.width)) + PADDING;
  const bottom = Math.max(...inside.map((box) => box.y + box.height)) + PADDING;
  return { x, y, width: Math.max(EMPTY_BODY.width, right - x), height: bottom - y };
}

/** Where a port is, from the corner of its node. */
export function portAt(
  node: WorkflowNode,
  kinds: Kinds,
  side: "in" | "out",
  name: string,
  width: number,
): Point {
  if (side === "in") {
    const at = inputsOf(node, kinds).findIndex((port) => port.name === name);
    return { x: 0, y: HEAD / 2 + Math.max(0, at) * PORT };
  }
  const rows = listed(node, kinds);
  const row = rows.indexOf(name);
  if (row >= 0 && !hasBody(node, kinds)) return { x: width, y: HEAD + row * PORT + PORT / 2 };
  if (row > 0) return { x: width, y: HEAD / 2 + row * PORT };
  return { x: width, y: name === ERROR ? HEAD - 9 : HEAD / 2 };
}

/** The line of an edge. */
export function curve(from: Point, to: Point): string {
  const reach = Math.max(36, Math.min(160, Math.abs(to.x - from.x) / 2));
  return `M ${from.x} ${from.y} C ${from.x + reach} ${from.y} ${to.x - reach} ${to.y} ${to.x} ${to.y}`;
}
