// What is known about analyses, without a page: which of two tellings is the
// newer one, how far one is, and how the lists are kept true.
import type { QueryClient } from "@tanstack/react-query";
import { type Analysis, AnalysisPhase, AnalysisState } from "../gen/weft/compute/v1/analysis_pb";

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

/** A number in as many digits as one reads at a glance. */
export function short(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e12) return value.toLocaleString("en");
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}
