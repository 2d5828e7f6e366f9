// The graph as the page holds it: columns, not objects. A node is an index into
// them; indices follow ordinals, which only grow, so that they never move.
import type { ChangeBatch, Edge, Node } from "../gen/weft/graph/v1/graph_pb";
import type { EdgeColumns, NodeColumns, SnapshotHeader } from "../gen/weft/graph/v1/graph_service_pb";

export const LABEL_SEPARATOR = "\u001f";

class Names {
  readonly list: string[] = [];
  private readonly index = new Map<string, number>();

  of(name: string): number {
    let found = this.index.get(name);
    if (found === undefined) {
      found = this.list.length;
      this.list.push(name);
      this.index.set(name, found);
    }
    return found;
  }
}

export interface Adjacency {
  /** Edges of node i are `edges[offsets[i]]` up to `edges[offsets[i + 1]]`. */
  offsets: Uint32Array;
  edges: Uint32Array;
}

export class GraphModel {
  uid = "";
  revision = 0n;
  /** Rises with every change of nodes or edges. */
  version = 0;

  nodeCount = 0;
  liveNodeCount = 0;
  ordinals = new Uint32Array(0);
  nodeTypes = new Uint16Array(0);
  degrees = new Uint32Array(0);
  /** 1 for a node that was deleted: its index stays taken. */
  gone = new Uint8Array(0);
  keys: string[] = [];
  names: string[] = [];
  labels: string[] = [];
  readonly nodeTypeNames = new Names();

  edgeCount = 0;
  /** Interleaved source and target, ready for the GPU. */
  ends = new Uint32Array(0);
  edgeTypes = new Uint16Array(0);
  private edgeKeys: string[] | null = null;
  readonly edgeTypeNames = new Names();

  private stale = false;
  private byKey: Map<string, number> | null = null;
  private edgeIndex: Map<string, number> | null = null;
  private adjacencyCache: Adjacency | null = null;
  private snapshotTypes: { nodes: number[]; edges: number[] } = { nodes: [], edges: [] };

  // --- a snapshot ---

  begin(header: SnapshotHeader): void {
    this.uid = header.graph?.uid ?? "";
    this.nodeCount = this.liveNodeCount = this.edgeCount = 0;
    this.keys = [];
    this.names = [];
    this.labels = [];
    this.edgeKeys = null;
    this.forget();
    this.reserveNodes(Number(header.graph?.nodeCount ?? 0n));
    this.reserveEdges(Number(header.graph?.edgeCount ?? 0n));
    this.gone.fill(0);
    this.degrees.fill(0);
    this.snapshotTypes = {
      nodes: header.nodeTypes.map((name) => this.nodeTypeNames.of(name)),
      edges: header.edgeTypes.map((name) => this.edgeTypeNames.of(name)),
    };
  }

  addNodes(columns: NodeColumns): void {
    const start = this.nodeCount;
    const count = columns.ordinals.length;
    this.reserveNodes(start + count);
    for (let i = 0; i < count; i++) {
      this.ordinals[start + i] = columns.ordinals[i];
      this.nodeTypes[start + i] =
        this.snapshotTypes.nodes[columns.types[i] ?? 0] ?? this.nodeTypeNames.of("");
      this.keys.push(columns.keys[i] ?? String(columns.ordinals[i]));
      this.names.push(columns.displayNames[i] ?? "");
      this.labels.push(columns.labels[i] ?? "");
    }
    this.nodeCount += count;
    this.liveNodeCount += count;
  }

  addEdges(columns: EdgeColumns): void {
    const start = this.edgeCount;
    const count = columns.sources.length;
    this.reserveEdges(start + count);
    let at = start;
    for (let i = 0; i < count; i++) {
      const source = this.indexOfOrdinal(columns.sources[i]);
      const target = this.indexOfOrdinal(columns.targets[i]);
      if (source < 0 || target < 0) continue;
      this.ends[at * 2] = source;
      this.ends[at * 2 + 1] = target;
      this.edgeTypes[at] = this.snapshotTypes.edges[columns.types[i] ?? 0] ?? this.edgeTypeNames.of("");
      if (columns.keys.length > 0) this.edgeKeys ??= [];
      if (this.edgeKeys) this.edgeKeys[at] = columns.keys[i] ?? "";
      this.degrees[source]++;
      if (target !== source) this.degrees[target]++;
      at++;
    }
    this.edgeCount = at;
  }

  finish(revision: bigint): void {
    this.revision = revision;
    this.forget();
  }

  // --- changes after it ---

  /** Applies the parts of one revision. */
  apply(parts: readonly ChangeBatch[]): void {
    for (const { changes } of parts) {
      for (const { change } of changes) {
        if (change.case === "upsertNode" && change.value.node) this.upsertNode(change.value.node);
        else if (change.case === "deleteNode") this.deleteNode(change.value.key);
        else if (change.case === "upsertEdge" && change.value.edge) this.upsertEdge(change.value.edge);
        else if (change.case === "deleteEdge") this.deleteEdge(change.value);
      }
    }
    if (this.stale) this.dropStaleEdges();
    this.revision = parts[parts.length - 1].revision;
    this.adjacencyCache = null;
    this.version++;
  }

  private upsertNode(node: Node): void {
    let index = this.indexOfKey(node.key);
    if (index >= 0 && this.ordinals[index] !== node.ordinal) {
      this.deleteNode(node.key);
      index = -1;
    }
    if (index < 0) {
      index = this.nodeCount;
      this.reserveNodes(index + 1);
      this.nodeCount++;
      this.liveNodeCount++;
      this.ordinals[index] = node.ordinal;
      this.degrees[index] = 0;
      this.gone[index] = 0;
      this.keyMap().set(node.key, index);
    }
    this.nodeTypes[index] = this.nodeTypeNames.of(node.type);
    this.keys[index] = node.key;
    this.names[index] = node.displayName;
    this.labels[index] = node.labels.join(LABEL_SEPARATOR);
  }

  private deleteNode(key: string): void {
    const index = this.indexOfKey(key);
    if (index < 0) return;
    this.gone[index] = 1;
    this.stale = true;
    this.liveNodeCount--;
    this.keyMap().delete(key);
  }

  /**
   * Once a revision and not once a node: a node that comes back has a new
   * index, so an edge of a gone one cannot come to life in between.
   */
  private dropStaleEdges(): void {
    for (let edge = this.edgeCount - 1; edge >= 0; edge--) {
      if (this.gone[this.ends[edge * 2]] || this.gone[this.ends[edge * 2 + 1]]) this.removeEdge(edge);
    }
    this.stale = false;
  }

  private upsertEdge(edge: Edge): void {
    const source = this.indexOfKey(edge.source);
    const target = this.indexOfKey(edge.target);
    if (source < 0 || target < 0) return;
    const type = this.edgeTypeNames.of(edge.type);
    const identity = edge.key ? `k${edge.key}` : `${source},${type},${target}`;
    const known = this.edgeMap().get(identity);
    if (known !== undefined) {
      if (this.ends[known * 2] === source && this.ends[known * 2 + 1] === target) {
        this.edgeTypes[known] = type;
        return;
      }
      this.removeEdge(known);
    }
    const at = this.edgeCount++;
    this.reserveEdges(this.edgeCount);
    this.ends[at * 2] = source;
    this.ends[at * 2 + 1] = target;
    this.edgeTypes[at] = type;
    if (edge.key) this.edgeKeys ??= [];
    if (this.edgeKeys) this.edgeKeys[at] = edge.key;
    this.degrees[source]++;
    if (target !== source) this.degrees[target]++;
    this.edgeMap().set(identity, at);
  }

  private deleteEdge(reference: { key: string; source: string; target: string; type: string }): void {
    const identity = reference.key
      ? `k${reference.key}`
      : `${this.indexOfKey(reference.source)},${this.edgeTypeNames.of(reference.type)},${this.indexOfKey(reference.target)}`;
    const at = this.edgeMap().get(identity);
    if (at !== undefined) this.removeEdge(at);
  }

  /** The last edge takes the place of the one that goes. */
  private removeEdge(at: number): void {
    const map = this.edgeMap();
    map.delete(this.edgeIdentity(at));
    const [source, target] = [this.ends[at * 2], this.ends[at * 2 + 1]];
    this.degrees[source]--;
    if (target !== source) this.degrees[target]--;
    const last = --this.edgeCount;
    if (at === last) return;
    map.set(this.edgeIdentity(last), at);
    this.ends[at * 2] = this.ends[last * 2];
    this.ends[at * 2 + 1] = this.ends[last * 2 + 1];
    this.edgeTypes[at] = this.edgeTypes[last];
    if (this.edgeKeys) this.edgeKeys[at] = this.edgeKeys[last] ?? "";
  }

  // --- look-ups ---

  indexOfOrdinal(ordinal: number): number {
    // Graphs that nobody deleted from have ordinal = index, give or take a constant.
    const guess = ordinal - (this.ordinals[0] ?? 0);
    if (guess >= 0 && guess < this.nodeCount && this.ordinals[guess] === ordinal) return guess;
    let low = 0;
    let high = this.nodeCount - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.ordinals[middle] === ordinal) return middle;
      if (this.ordinals[middle] < ordinal) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  indexOfKey(key: string): number {
    return this.keyMap().get(key) ?? -1;
  }

  title(index: number): string {
    return this.names[index] || this.keys[index];
  }

  labelsOf(index: number): string[] {
    return this.labels[index] ? this.labels[index].split(LABEL_SEPARATOR) : [];
  }

  typeName(index: number): string {
    return this.nodeTypeNames.list[this.nodeTypes[index]] ?? "";
  }

  adjacency(): Adjacency {
    if (this.adjacencyCache) return this.adjacencyCache;
    const offsets = new Uint32Array(this.nodeCount + 1);
    const { ends, edgeCount } = this;
    for (let i = 0; i < edgeCount * 2; i++) offsets[ends[i] + 1]++;
    for (let i = 0; i < this.nodeCount; i++) offsets[i + 1] += offsets[i];
    const cursor = offsets.slice();
    const edges = new Uint32Array(edgeCount * 2);
    for (let edge = 0; edge < edgeCount; edge++) {
      edges[cursor[ends[edge * 2]]++] = edge;
      edges[cursor[ends[edge * 2 + 1]]++] = edge;
    }
    this.adjacencyCache = { offsets, edges };
    return this.adjacencyCache;
  }

  private keyMap(): Map<string, number> {
    if (!this.byKey) {
      this.byKey = new Map();
      for (let i = 0; i < this.nodeCount; i++) if (!this.gone[i]) this.byKey.set(this.keys[i], i);
    }
    return this.byKey;
  }

  private edgeIdentity(at: number): string {
    const key = this.edgeKeys?.[at];
    return key ? `k${key}` : `${this.ends[at * 2]},${this.edgeTypes[at]},${this.ends[at * 2 + 1]}`;
  }

  private edgeMap(): Map<string, number> {
    if (!this.edgeIndex) {
      this.edgeIndex = new Map();
      for (let i = 0; i < this.edgeCount; i++) this.edgeIndex.set(this.edgeIdentity(i), i);
    }
    return this.edgeIndex;
  }

  private forget(): void {
    this.byKey = null;
    this.edgeIndex = null;
    this.adjacencyCache = null;
    this.version++;
  }

  private reserveNodes(count: number): void {
    if (count <= this.ordinals.length) return;
    const capacity = Math.ceil(count * 1.2) + 16;
    this.ordinals = widen(this.ordinals, new Uint32Array(capacity));
    this.nodeTypes = widen(this.nodeTypes, new Uint16Array(capacity));
    this.degrees = widen(this.degrees, new Uint32Array(capacity));
    this.gone = widen(this.gone, new Uint8Array(capacity));
  }

  private reserveEdges(count: number): void {
    if (count <= this.edgeTypes.length) return;
    const capacity = Math.ceil(count * 1.2) + 16;
    this.ends = widen(this.ends, new Uint32Array(capacity * 2));
    this.edgeTypes = widen(this.edgeTypes, new Uint16Array(capacity));
  }
}

function widen<T extends Uint32Array | Uint16Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
