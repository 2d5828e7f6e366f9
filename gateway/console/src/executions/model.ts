// Executions without a page: what their states are called, what a run waits for,
// and its steps, put together from what a watch tells.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Execution, ExecutionState, type Step, StepState } from "../gen/weft/execution/v1/execution_pb";
import type { ExecutionChanges } from "../gen/weft/execution/v1/execution_service_pb";
import { count, lastPart } from "../ui/format";

export type RunState =
  | "queued"
  | "running"
  | "waiting"
  | "paused"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "terminated";
/** What a list can be filtered by. */
export const RUN_STATES: readonly RunState[] = [
  "queued",
  "running",
  "waiting",
  "paused",
  "succeeded",
  "failed",
  "cancelled",
  "terminated",
];

const RUNS: Partial<Record<ExecutionState, RunState>> = {
  [ExecutionState.QUEUED]: "queued",
  [ExecutionState.PAUSED]: "paused",
  [ExecutionState.SUCCEEDED]: "succeeded",
  [ExecutionState.FAILED]: "failed",
  [ExecutionState.CANCELLED]: "cancelled",
  [ExecutionState.TERMINATED]: "terminated",
};

/** A run that asks somebody waits, though others of its steps may be at work. */
export function runState(execution: Execution): RunState {
  return RUNS[execution.state] ?? (execution.approvalCount > 0 ? "waiting" : "running");
}

export function hasEnded(execution: Execution): boolean {
  return ![ExecutionState.QUEUED, ExecutionState.RUNNING, ExecutionState.PAUSED].includes(execution.state);
}

export function mayRetry(execution: Execution): boolean {
  const { state } = execution;
  const failed = [ExecutionState.FAILED, ExecutionState.CANCELLED, ExecutionState.TERMINATED].includes(state);
  return failed || (state === ExecutionState.PAUSED && execution.error !== undefined);
}

export type StepStateName = "running" | "waiting" | "retrying" | "succeeded" | "failed" | "cancelled";
const STEPS: Partial<Record<StepState, StepStateName>> = {
  [StepState.WAITING]: "waiting",
  [StepState.RETRYING]: "retrying",
  [StepState.SUCCEEDED]: "succeeded",
  [StepState.FAILED]: "failed",
  [StepState.CANCELLED]: "cancelled",
};

export function stepState(step: Step): StepStateName {
  return STEPS[step.state] ?? "running";
}

export function runTitle(execution: Execution): string {
  return execution.displayName || lastPart(execution.name);
}

/** From when to when, in milliseconds. */
export function tookMs(of: Execution | Step, now = Date.now()): number {
  if (!of.createTime) return 0;
  return Math.max(0, (of.endTime ? timestampMs(of.endTime) : now) - timestampMs(of.createTime));
}

/** What a run in the queue waits for, for people. */
export function queuedFor(execution: Execution): string | null {
  const { wait } = execution;
  if (!wait) return null;
  const key = wait.key && ` for ${wait.key}`;
  return `number ${count(wait.position)} of ${lastPart(wait.runLimit)}${key}`;
}

/** The number of a step, the last part of its name. */
export function stepNumber(step: Pick<Step, "name">): number {
  return Number(lastPart(step.name));
}

/** The filter of a list, in the words of the contract. */
export function filterOf(search: { state?: string; workflow?: string; q?: string }): string {
  const state =
    search.state === "waiting"
      ? "state = running AND approval_count > 0"
      : search.state && `state = ${search.state}`;
  const words = search.q?.trim();
  return [
    state,
    search.workflow && `graph = ${JSON.stringify(search.workflow)}`,
    words && JSON.stringify(words),
  ]
    .filter(Boolean)
    .join(" AND ");
}

/** An execution and its steps, as changes come in. */
export class Run {
  execution: Execution | null = null;
  private readonly steps = new Map<number, Step>();

  hear(changes: ExecutionChanges): void {
    const { execution } = changes;
    // A retry begins anew: what is not reached again is gone, and what is, is told again.
    if (execution && this.execution && execution.retryCount > this.execution.retryCount) this.steps.clear();
    this.execution = execution ?? this.execution;
    for (const step of changes.steps) this.steps.set(stepNumber(step), step);
  }

  forget(): void {
    this.execution = null;
    this.steps.clear();
  }

  /** In the order in which they began. */
  list(): Step[] {
    return [...this.steps].sort(([a], [b]) => a - b).map(([, step]) => step);
  }
}

export interface Standing {
  state: RunState;
  /** What it waits for, for people. */
  waits: readonly { step: Step; for: "person" | "signal" | "time" | "attempt" }[];
}

/** How a run stands: one that only waits says so, though the contract calls it running. */
export function standing(execution: Execution, steps: readonly Step[]): Standing {
  const state = runState(execution);
  if (hasEnded(execution) || state === "queued") return { state, waits: [] };
  const waits: { step: Step; for: "person" | "signal" | "time" | "attempt" }[] = [];
  let atWork = false;
  const bodies = new Set(steps.flatMap((step) => around(step.path)));
  for (const step of steps) {
    const is = stepState(step);
    if (is === "waiting")
      waits.push({ step, for: step.approval ? "person" : step.signal ? "signal" : "time" });
    else if (is === "retrying") waits.push({ step, for: "attempt" });
    else if (is === "running" && !bodies.has(step.path)) atWork = true;
  }
  const order = ["person", "signal", "time", "attempt"];
  waits.sort((a, b) => order.indexOf(a.for) - order.indexOf(b.for));
  if (state === "paused") return { state, waits };
  const asks = waits[0]?.for === "person";
  return { state: asks || (waits.length > 0 && !atWork) ? "waiting" : "running", waits };
}

/** The paths of the steps that a step is in the bodies of: of `a[3]/b/c` those are `a` and `a[3]/b`. */
export function around(path: string): string[] {
  const parts = path.split("/");
  const found: string[] = [];
  for (let at = 1; at < parts.length; at++) {
    found.push([...parts.slice(0, at - 1), parts[at - 1].replace(/\[\d+\]$/, "")].join("/"));
  }
  return found;
}
