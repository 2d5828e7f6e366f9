// Executions in a list: what was run, how it stands, how long it took, who started it and when.
import { Link } from "@tanstack/react-router";
import type { Execution } from "../gen/weft/execution/v1/execution_pb";
import { ago, count, duration, lastPart, when } from "../ui/format";
import { queuedFor, runState, runTitle, tookMs } from "./model";
import { StateMark } from "./state";

export const COLUMNS = ["Run", "State", "Steps", "Took", "Started"] as const;

export function ExecutionCells({ execution, project }: { execution: Execution; project: string }) {
  const title = runTitle(execution);
  const id = lastPart(execution.name);
  return (
    <>
      <div role="cell">
        <Link
          to="/executions/$project/$execution"
          params={{ project, execution: id }}
          search={{}}
          className="row-link"
        >
          {title}
        </Link>
        <small>
          {lastPart(execution.graph)}
          {title !== id && ` · ${id}`}
        </small>
      </div>
      <div role="cell">
        <StateMark state={runState(execution)} />
        {execution.approvalCount > 0 && <small>for a person</small>}
        {execution.wait && <small title={execution.wait.runLimit}>{queuedFor(execution)}</small>}
        {execution.error && <small title={execution.error.reason}>{execution.error.reason}</small>}
      </div>
      <div role="cell">{execution.stepCount > 0 && count(execution.stepCount)}</div>
      <div role="cell">
        {execution.endTime && duration(tookMs(execution))}
        {execution.retryCount > 0 && <small>retried {count(execution.retryCount)}×</small>}
      </div>
      <div role="cell" title={when(execution.createTime)}>
        {ago(execution.createTime)}
        <small>{lastPart(execution.creator)}</small>
      </div>
    </>
  );
}
