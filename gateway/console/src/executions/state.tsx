// How a run or a step stands, in a word and a shape.
import type { RunState, StepStateName } from "./model";

/** A state is never told by its colour alone. */
const SHAPES: Record<RunState | StepStateName, string> = {
  queued: "○",
  running: "◐",
  waiting: "◔",
  retrying: "↻",
  paused: "‖",
  succeeded: "●",
  failed: "▲",
  cancelled: "◇",
  terminated: "■",
};

export function StateMark({ state }: { state: RunState | StepStateName }) {
  return (
    <span className="state" data-state={state}>
      <span aria-hidden="true">{SHAPES[state]}</span> {state}
    </span>
  );
}
