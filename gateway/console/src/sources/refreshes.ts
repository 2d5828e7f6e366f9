// What is known about refreshes, without a page: which of two tellings is the
// newer one, how far one is, what it did, and how the newest of each source is
// kept true in the list that every part of the console reads.
import type { QueryClient } from "@tanstack/react-query";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Refresh, RefreshPhase, RefreshState, type Source } from "../gen/weft/graph/v1/source_pb";
import type { ImportResult } from "../gen/weft/graph/v1/graph_service_pb";
import { bytes, count, lastPart, plural } from "../ui/format";

export const sourcesKey = (graph: string) => ["sources", graph] as const;

/** `projects/p/graphs/g/sources/s` of a refresh of it. */
export function sourceOf(refresh: string): string {
  return refresh.slice(0, refresh.indexOf("/refreshes/"));
}

export function graphOf(source: string): string {
  return source.slice(0, source.indexOf("/sources/"));
}

export function isRunning(refresh: Refresh | undefined): boolean {
  return refresh?.state === RefreshState.RUNNING;
}

/** The refresh of a source that runs now. */
export function runningOf(source: Source): Refresh | undefined {
  return isRunning(source.lastRefresh) ? source.lastRefresh : undefined;
}

/**
 * Answers overtake each other: a list that was asked for before the stream
 * began may come after it. Higher numbers are newer; an end is newer than what
 * ran; and what runs only goes forward.
 */
export function newer(known: Refresh | undefined, told: Refresh | undefined): Refresh | undefined {
  if (!known || !told) return told ?? known;
  const [before, after] = [number(known), number(told)];
  if (before !== after) return before > after ? known : told;
  if (isRunning(known) !== isRunning(told)) return isRunning(known) ? told : known;
  return steps(known) > steps(told) ? known : told;
}

const number = (refresh: Refresh) => Number(lastPart(refresh.name));

function steps({ progress }: Refresh): number {
  if (!progress) return 0;
  const { phase, foundFileCount, readFileCount, nodeCount, edgeCount } = progress;
  return phase * 2 ** 48 + Number(foundFileCount + readFileCount + nodeCount + edgeCount);
}

/** Puts what was told about a refresh into the list of its graph's sources. */
export function tell(queries: QueryClient, refresh: Refresh): void {
  const source = sourceOf(refresh.name);
  queries.setQueryData<Source[]>(sourcesKey(graphOf(source)), (list) =>
    list?.map((one) =>
      one.name === source ? { ...one, lastRefresh: newer(one.lastRefresh, refresh) } : one,
    ),
  );
}

/** A fresh list, where it does not fall behind what streams have told. */
export function merge(known: readonly Source[] | undefined, listed: readonly Source[]): Source[] {
  const before = new Map(known?.map((source) => [source.uid, source.lastRefresh]));
  return listed.map((source) => ({
    ...source,
    lastRefresh: newer(before.get(source.uid), source.lastRefresh),
  }));
}

export const STATES: Record<RefreshState, string> = {
  [RefreshState.UNSPECIFIED]: "unknown",
  [RefreshState.RUNNING]: "running",
  [RefreshState.SUCCEEDED]: "succeeded",
  [RefreshState.FAILED]: "failed",
  [RefreshState.CANCELLED]: "cancelled",
  [RefreshState.INTERRUPTED]: "interrupted",
};

const PHASES: Record<RefreshPhase, string> = {
  [RefreshPhase.UNSPECIFIED]: "Beginning",
  [RefreshPhase.SCANNING]: "Looking for files",
  [RefreshPhase.READING]: "Reading",
  [RefreshPhase.WRITING]: "Writing what is different",
};

export interface Progress {
  phase: string;
  /** What is done, 0 to 1; undefined while nobody can know. */
  share: number | undefined;
  /** Files and bytes, then nodes and edges. */
  facts: string[];
}

export function progressOf({ progress }: Refresh): Progress {
  const phase = progress?.phase ?? RefreshPhase.UNSPECIFIED;
  const name = PHASES[phase];
  if (!progress || phase < RefreshPhase.SCANNING) return { phase: name, share: undefined, facts: [] };
  const { foundFileCount, foundBytes, readFileCount, readBytes, nodeCount, edgeCount } = progress;
  if (phase === RefreshPhase.SCANNING) {
    return {
      phase: name,
      share: undefined,
      facts: [plural(foundFileCount, "file"), bytes(Number(foundBytes))],
    };
  }
  return {
    phase: name,
    share:
      phase === RefreshPhase.READING && foundBytes > 0n ? Number(readBytes) / Number(foundBytes) : undefined,
    facts: [
      `${count(readFileCount)} of ${plural(foundFileCount, "file")}`,
      `${bytes(Number(readBytes))} of ${bytes(Number(foundBytes))}`,
      plural(nodeCount, "node"),
      plural(edgeCount, "edge"),
    ],
  };
}

/** What a refresh has changed, in a line. */
export function outcomeOf(result: ImportResult): string {
  const part = (created: bigint, updated: bigint, deleted: bigint, one: string) => {
    const signs = [
      [created, "+"],
      [updated, "~"],
      [deleted, "−"],
    ] as const;
    const told = signs.filter(([value]) => value > 0n).map(([value, sign]) => `${sign}${count(value)}`);
    return told.length > 0 ? `${told.join(" ")} ${one}` : "";
  };
  const changes = [
    part(result.createdNodeCount, result.updatedNodeCount, result.deletedNodeCount, "nodes"),
    part(result.createdEdgeCount, result.updatedEdgeCount, result.deletedEdgeCount, "edges"),
  ].filter(Boolean);
  return changes.length > 0 ? changes.join(", ") : "nothing had changed";
}

/** The same for who cannot see signs, and as the tip over them. */
export function outcomeInWords(result: ImportResult): string {
  const told: string[] = [];
  for (const [created, updated, deleted, one] of [
    [result.createdNodeCount, result.updatedNodeCount, result.deletedNodeCount, "node"],
    [result.createdEdgeCount, result.updatedEdgeCount, result.deletedEdgeCount, "edge"],
  ] as const) {
    if (created > 0n) told.push(`${plural(created, one)} new`);
    if (updated > 0n) told.push(`${plural(updated, one)} changed`);
    if (deleted > 0n) told.push(`${plural(deleted, one)} deleted`);
  }
  return told.join(", ") || "nothing had changed";
}

/** How long a refresh took, or has been running. */
export function tookMs(refresh: Refresh, now = Date.now()): number | undefined {
  if (!refresh.createTime) return undefined;
  return Math.max(
    0,
    (refresh.endTime ? timestampMs(refresh.endTime) : now) - timestampMs(refresh.createTime),
  );
}
