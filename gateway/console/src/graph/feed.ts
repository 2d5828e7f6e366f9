// The graph's content: a snapshot, then every revision after it, for as long as
// the page is open. After a break it goes on from the last whole revision.
import { Code } from "@connectrpc/connect";
import type { ChangeBatch, Graph } from "../gen/weft/graph/v1/graph_pb";
import { Backoff, pause } from "../rpc/backoff";
import { graphs } from "../rpc/clients";
import { connection } from "../rpc/connection";
import { codeOf, isCancelled, reasonOf } from "../rpc/errors";
import { isFinal } from "../rpc/follow";
import { GraphModel } from "./model";

const STREAM = "graph";

export interface FeedEvents {
  progress(part: { nodes: number; edges: number; totalNodes: number; totalEdges: number }): void;
  /** The model is whole: for the first time, or again after a compaction. */
  loaded(model: GraphModel, graph: Graph): void;
  changed(model: GraphModel, graph: Graph | null): void;
  /** It cannot go on by itself. */
  failed(error: unknown): void;
}

export async function follow(graph: string, events: FeedEvents, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  let model: GraphModel | null = null;
  while (!signal.aborted) {
    try {
      if (!model) {
        const fresh = new GraphModel();
        const header = await load(graph, fresh, events, signal);
        model = fresh;
        events.loaded(model, header);
      }
      await watch(graph, model, events, backoff, signal);
    } catch (error) {
      if (signal.aborted || isCancelled(error)) break;
      if (reasonOf(error) === "REVISION_COMPACTED" || codeOf(error) === Code.OutOfRange) {
        model = null;
        continue;
      }
      if (isFinal(error)) {
        connection.up(STREAM);
        events.failed(error);
        return;
      }
      connection.down(STREAM);
      // Before there is anything to look at, a person would rather know why.
      if (!model) events.failed(error);
    }
    await pause(backoff.next(), signal);
  }
  connection.up(STREAM);
}

async function load(
  name: string,
  model: GraphModel,
  events: FeedEvents,
  signal: AbortSignal,
): Promise<Graph> {
  let header: Graph | undefined;
  let whole = false;
  for await (const { piece } of graphs.streamSnapshot({ graph: name }, { signal })) {
    switch (piece.case) {
      case "header":
        header = piece.value.graph;
        model.begin(piece.value);
        break;
      case "nodes":
        model.addNodes(piece.value);
        break;
      case "edges":
        model.addEdges(piece.value);
        break;
      case "end":
        model.finish(piece.value.revision);
        whole = true;
        break;
    }
    events.progress({
      nodes: model.nodeCount,
      edges: model.edgeCount,
      totalNodes: Number(header?.nodeCount ?? 0n),
      totalEdges: Number(header?.edgeCount ?? 0n),
    });
  }
  if (!whole || !header) throw new Error("the snapshot broke off before its end");
  return header;
}

async function watch(
  graph: string,
  model: GraphModel,
  events: FeedEvents,
  backoff: Backoff,
  signal: AbortSignal,
): Promise<void> {
  let parts: ChangeBatch[] = [];
  const request = { graph, afterRevision: model.revision, graphUid: model.uid };
  for await (const { event } of graphs.watchGraph(request, { signal })) {
    connection.up(STREAM);
    backoff.reset();
    if (event.case !== "changes") continue;
    // A revision takes effect when its last part has come: never a half of one.
    if (event.value.part === 0) parts = [];
    parts.push(event.value);
    if (!event.value.lastPart) continue;
    if (event.value.revision > model.revision) {
      model.apply(parts);
      events.changed(model, event.value.graph ?? null);
    }
    parts = [];
  }
}
