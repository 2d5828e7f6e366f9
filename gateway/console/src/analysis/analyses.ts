// Analyses as the console knows them: the list of a graph, kept true by what
// their streams tell, and the values of one for the map.
import type { QueryClient } from "@tanstack/react-query";
import { type Analysis, AnalysisPhase, AnalysisState } from "../gen/weft/compute/v1/analysis_pb";
import type { NodeValues } from "../graph/style";
import { analyses, liveAnalyses } from "../rpc/analyses";
import { Backoff, pause } from "../rpc/backoff";
import { isTransient } from "../rpc/errors";
import { titleOf } from "./algorithms";

export const analysesKey = (graph: string) => ["analyses", graph] as const;
export const analysisKey = (name: string) => ["analysis", name] as const;

export function graphOf(analysis: string): string {
  return analysis.slice(0, analysis.indexOf("/analyses/"));
}

export function isOpen(analysis: Analysis | undefined): boolean {
  return analysis?.state === AnalysisState.PENDING || analysis?.state === AnalysisState.RUNNING;
}

export const STATES: Record<AnalysisState, string> = {
  [AnalysisState.UNSPECIFIED]: "unknown",
  [AnalysisState.PENDING]: "waiting",
  [AnalysisState.RUNNING]: "running",
  [AnalysisState.SUCCEEDED]: "succeeded",
  [AnalysisState.FAILED]: "failed",
  [AnalysisState.CANCELLED]: "cancelled",
};

const PHASES: Record<AnalysisPhase, string> = {
  [AnalysisPhase.UNSPECIFIED]: "Waiting for its turn",
  [AnalysisPhase.READING]: "Reading the graph",
  [AnalysisPhase.COMPUTING]: "Computing",
  [AnalysisPhase.SAVING]: "Keeping the values",
  [AnalysisPhase.WRITING]: "Writing to the nodes",
};

/** What it is doing, and how much of the computation is done: undefined while nobody knows. */
export function progressOf(analysis: Analysis): { words: string; share: number | undefined } {
  const known = analysis.phase >= AnalysisPhase.COMPUTING && analysis.progress > 0;
  return { words: PHASES[analysis.phase], share: known ? analysis.progress : undefined };
}

/** The newer of two tellings: answers overtake each other, states only go forward. */
export function newer(known: Analysis | undefined, told: Analysis): Analysis {
  if (!known || known.uid !== told.uid) return told;
  if (isOpen(known) !== isOpen(told)) return isOpen(known) ? told : known;
  if (known.attemptCount !== told.attemptCount) return known.attemptCount > told.attemptCount ? known : told;
  return known.state > told.state || known.progress > told.progress ? known : told;
}

export function tell(queries: QueryClient, told: Analysis): void {
  queries.setQueryData<Analysis>(analysisKey(told.name), (known) => newer(known, told));
  queries.setQueryData<Analysis[]>(analysesKey(graphOf(told.name)), (list) => {
    if (!list) return list;
    if (!list.some((one) => one.name === told.name)) return [told, ...list];
    return list.map((one) => (one.name === told.name ? newer(one, told) : one));
  });
}

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

/** A number in as many digits as one reads at a glance. */
export function short(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e12) return value.toLocaleString("en");
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}
