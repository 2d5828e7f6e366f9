// A workflow as it is edited: nodes and edges that never change, only are replaced,
// so that a step back is the document of before, and what is to be saved is a difference.
import type { JsonObject, JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import type { ChangeSchema, Edge, Node } from "../gen/weft/graph/v1/graph_pb";

export interface WorkflowNode {
  readonly key: string;
  readonly type: string;
  readonly displayName: string;
  readonly labels: readonly string[];
  readonly properties: JsonObject;
}

export interface WorkflowEdge {
  readonly key: string;
  readonly source: string;
  readonly target: string;
  /** The port that it leaves by; `out` where it is empty. */
  readonly type: string;
  readonly properties: JsonObject;
}

export interface Document {
  readonly nodes: ReadonlyMap<string, WorkflowNode>;
  /** By their identity. */
  readonly edges: ReadonlyMap<string, WorkflowEdge>;
}

export interface Point {
  x: number;
  y: number;
}

export const OUT = "out";
export const IN = "in";

export function edgeId({ key, source, target, type }: WorkflowEdge): string {
  return key || `${source}\0${type}\0${target}`;
}

export const portOf = (edge: WorkflowEdge): string => edge.type || OUT;

export function documentOf(nodes: readonly Node[], edges: readonly Edge[]): Document {
  const node = ({ key, type, displayName, labels, properties }: Node): [string, WorkflowNode] => [
    key,
    { key, type, displayName, labels, properties: (properties ?? {}) as JsonObject },
  ];
  const all = edges.map(
    ({ key, source, target, type, properties }): WorkflowEdge => ({
      key,
      source,
      target,
      type,
      properties: (properties ?? {}) as JsonObject,
    }),
  );
  return { nodes: new Map(nodes.map(node)), edges: new Map(all.map((edge) => [edgeId(edge), edge])) };
}

export function parentOf(node: WorkflowNode): string {
  return typeof node.properties.parent === "string" ? node.properties.parent : "";
}

export function positionOf({ properties: { x, y } }: WorkflowNode): Point | undefined {
  return typeof x === "number" && typeof y === "number" ? { x, y } : undefined;
}

export function childrenOf(document: Document, key: string): WorkflowNode[] {
  return [...document.nodes.values()].filter((node) => parentOf(node) === key && node.key !== key);
}

/** A node with all that is inside it, and inside that. */
export function withInside(document: Document, keys: Iterable<string>): Set<string> {
  const found = new Set(keys);
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const node of document.nodes.values()) if (found.has(parentOf(node))) found.add(node.key);
  }
  return found;
}

/** A key that is not taken, which expressions can name without quotes. */
export function freshKey(document: Document, kind: string): string {
  const base = kind.replace(/[^A-Za-z0-9_]/g, "_") || "node";
  if (!document.nodes.has(base)) return base;
  for (let number = 2; ; number++) if (!document.nodes.has(`${base}${number}`)) return `${base}${number}`;
}

export function putNode(document: Document, node: WorkflowNode): Document {
  return { ...document, nodes: new Map(document.nodes).set(node.key, node) };
}

export function setProperty(
  document: Document,
  key: string,
  name: string,
  value: JsonValue | undefined,
): Document {
  const node = document.nodes.get(key);
  if (!node) return document;
  const properties = { ...node.properties };
  if (value === undefined) delete properties[name];
  else properties[name] = value;
  return putNode(document, { ...node, properties });
}

export function moveTo(document: Document, positions: ReadonlyMap<string, Point>): Document {
  const nodes = new Map(document.nodes);
  for (const [key, { x, y }] of positions) {
    const node = nodes.get(key);
    if (!node || (node.properties.x === x && node.properties.y === y)) continue;
    nodes.set(key, { ...node, properties: { ...node.properties, x, y } });
  }
  return { ...document, nodes };
}

/** Removes nodes with what is inside them, and every edge of these. */
export function removeNodes(document: Document, keys: Iterable<string>): Document {
  const gone = withInside(document, keys);
  return {
    nodes: new Map([...document.nodes].filter(([key]) => !gone.has(key))),
    edges: new Map(
      [...document.edges].filter(([, edge]) => !gone.has(edge.source) && !gone.has(edge.target)),
    ),
  };
}

export function putEdge(document: Document, source: string, port: string, target: string): Document {
  const edge = { key: "", source, target, type: port === OUT ? "" : port, properties: {} };
  return { ...document, edges: new Map(document.edges).set(edgeId(edge), edge) };
}

export function removeEdge(document: Document, id: string): Document {
  const edges = new Map(document.edges);
  edges.delete(id);
  return { ...document, edges };
}

/** Gives a node another key; edges and bodies follow, expressions do not. */
export function renameNode(document: Document, from: string, to: string): Document {
  const node = document.nodes.get(from);
  if (!node || from === to || document.nodes.has(to)) return document;
  const name = (key: string) => (key === from ? to : key);
  const nodes = [...document.nodes.values()].map((one): WorkflowNode => {
    if (one === node) return { ...one, key: to };
    return parentOf(one) === from ? { ...one, properties: { ...one.properties, parent: to } } : one;
  });
  const edges = [...document.edges.values()].map(
    (edge): WorkflowEdge =>
      edge.source === from || edge.target === from
        ? { ...edge, source: name(edge.source), target: name(edge.target) }
        : edge,
  );
  return {
    nodes: new Map(nodes.map((one) => [one.key, one])),
    edges: new Map(edges.map((edge) => [edgeId(edge), edge])),
  };
}

export type Change = MessageInitShape<typeof ChangeSchema>;

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

/** What makes one document of another, in an order in which each change is possible. */
export function difference(from: Document, to: Document): Change[] {
  const changes: Change[] = [];
  for (const [id, edge] of from.edges) {
    if (to.edges.has(id)) continue;
    const { key, source, target, type } = edge;
    const value = key ? { key } : { source, target, type };
    changes.push({ change: { case: "deleteEdge", value } });
  }
  for (const key of from.nodes.keys()) {
    if (!to.nodes.has(key)) changes.push({ change: { case: "deleteNode", value: { key } } });
  }
  for (const [key, node] of to.nodes) {
    if (same(from.nodes.get(key), node)) continue;
    changes.push({
      change: { case: "upsertNode", value: { node: { ...node, labels: [...node.labels] } } },
    });
  }
  for (const [id, edge] of to.edges) {
    if (same(from.edges.get(id), edge)) continue;
    changes.push({ change: { case: "upsertEdge", value: { edge } } });
  }
  return changes;
}

/** What somebody did between two documents, done to a third: for when another was faster. */
export function onTop(base: Document, from: Document, to: Document): Document {
  const nodes = new Map(base.nodes);
  const edges = new Map(base.edges);
  for (const key of from.nodes.keys()) if (!to.nodes.has(key)) nodes.delete(key);
  for (const id of from.edges.keys()) if (!to.edges.has(id)) edges.delete(id);
  for (const [key, node] of to.nodes) if (!same(from.nodes.get(key), node)) nodes.set(key, node);
  for (const [id, edge] of to.edges) if (!same(from.edges.get(id), edge)) edges.set(id, edge);
  const isWhole = ([, edge]: [string, WorkflowEdge]) => nodes.has(edge.source) && nodes.has(edge.target);
  return { nodes, edges: new Map([...edges].filter(isWhole)) };
}
