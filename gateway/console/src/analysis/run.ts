// Analyses that run are followed, those of a graph listed, the values of one fetched for the map.
import type { QueryClient } from "@tanstack/react-query";
import type { Analysis } from "../gen/weft/compute/v1/analysis_pb";
import type { NodeValues } from "../graph/style";
import { analyses, liveAnalyses } from "../rpc/analyses";
import { Backoff, pause } from "../rpc/backoff";
import { isTransient } from "../rpc/errors";
import { titleOf } from "./algorithms";
import { isOpen, tell } from "./analyses";

/** Follows an analysis to its end, or to `signal`. */
export async function follow(queries: QueryClient, name: string, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  while (!signal.aborted) {
    try {
      for await (const told of liveAnalyses.watchAnalysis({ name }, { signal })) {
        backoff.reset();
        tell(queries, told);
        if (!isOpen(told)) return;
      }
    } catch (error) {
      if (signal.aborted || !isTransient(error)) return;
    }
    await pause(backoff.next(), signal);
  }
}

export async function list(parent: string, signal: AbortSignal): Promise<Analysis[]> {
  const page = await analyses.listAnalyses({ parent, pageSize: 100 }, { signal });
  return page.analyses;
}

/** The first column of an analysis' values, for the map. */
export async function valuesOf(analysis: Analysis, signal?: AbortSignal): Promise<NodeValues> {
  const ordinals: number[] = [];
  const values: number[] = [];
  for await (const { columns } of analyses.streamAnalysisValues(
    { name: analysis.name, ordinalsOnly: true },
    { signal },
  )) {
    for (const ordinal of columns?.ordinals ?? []) ordinals.push(ordinal);
    for (const value of columns?.columns[0]?.values ?? []) values.push(value);
  }
  return {
    name: titleOf(analysis.algorithm?.kind.case),
    analysis: analysis.name,
    grouped: (analysis.result?.groups.length ?? 0) > 0,
    ordinals: Uint32Array.from(ordinals),
    values: Float64Array.from(values),
  };
}
