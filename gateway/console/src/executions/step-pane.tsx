// One step: what it was given and gave, why it failed, and what it waits for.
import type { JsonValue } from "@bufbuild/protobuf";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type Execution, ExecutionState, type Step } from "../gen/weft/execution/v1/execution_pb";
import { executions } from "../rpc/executions";
import { describe } from "../rpc/errors";
import { ago, duration, lastPart, plural, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Skeleton } from "../ui/states";
import { Decide } from "./decide";
import { Json, jsonOf } from "./json";
import { hasEnded, stepState, tookMs } from "./model";
import { StateMark } from "./state";

interface Props {
  project: string;
  execution: Execution;
  step: Step;
  mayAct: boolean;
  onRetry: () => void;
  onSignal: () => void;
}

export function StepPane({ project, execution, step, mayAct, onRetry, onSignal }: Props) {
  const state = stepState(step);
  const values = useQuery({
    // What it was given and gave changes with how it stands.
    queryKey: ["step", step.name, state, step.failureCount, execution.retryCount],
    queryFn: ({ signal }) => executions.getStep({ name: step.name }, { signal }),
    placeholderData: (before) => (before?.name === step.name ? before : undefined),
  });
  const input = jsonOf(values.data?.input);
  const output = jsonOf(values.data?.output);
  const command = commandOf(step, output);
  const isHeld = hasEnded(execution) || execution.error !== undefined;
  return (
    <section className="step-pane" aria-label={`Step ${step.path}`}>
      <header>
        <h2>{step.path}</h2>
        <small>{step.kind}</small>
        <StateMark state={state} />
        {mayAct && isHeld && (
          <button type="button" className="button button-small" onClick={onRetry}>
            <Icon name="refresh" /> Retry from here
          </button>
        )}
      </header>
      <p className="hint">
        <span title={when(step.createTime)}>began {ago(step.createTime)}</span>
        {step.endTime && `, took ${duration(tookMs(step))}`}
        {step.port && step.port !== "out" && `, left by “${step.port}”`}
        {step.failureCount > 0 && `, ${plural(step.failureCount, "attempt")} failed`}
      </p>
      {step.cachedFrom && (
        <p className="note">
          <Icon name="copy" />
          <span>
            Nothing was done: it gave what was kept of{" "}
            <Link
              to="/executions/$project/$execution"
              params={{ project, execution: lastPart(step.cachedFrom) }}
              search={{}}
            >
              {lastPart(step.cachedFrom)}
            </Link>
            .
          </span>
        </p>
      )}
      {step.error && (
        <p className="note note-warn">
          <Icon name="alert" />
          <span>
            <code>{step.error.reason}</code> {step.error.message}
          </span>
        </p>
      )}
      {state === "retrying" && step.dueTime && (
        <p className="note">The next attempt begins {untilText(step)}.</p>
      )}
      {state === "waiting" && step.approval && <Decide key={step.name} step={step} mayDecide={mayAct} />}
      {state === "waiting" && step.signal && (
        <div className="note waits-note">
          <span>
            Waits for the signal <code>{step.signal}</code>
            {step.dueTime && `, until ${when(step.dueTime)}`}.
          </span>
          {mayAct && (
            <button type="button" className="button button-small" onClick={onSignal}>
              Send it
            </button>
          )}
        </div>
      )}
      {state === "waiting" && !step.approval && !step.signal && (
        <p className="note">
          Waits{" "}
          {execution.state === ExecutionState.QUEUED
            ? "for its run to start"
            : step.dueTime
              ? untilText(step)
              : "for ever"}
          .
        </p>
      )}
      {command && (
        <p>
          <Link to="/commands/$project/$command" params={{ project, command }} search={{}}>
            <Icon name="terminal" /> What the agents wrote
          </Link>
        </p>
      )}
      {values.isPending && <Skeleton width="60%" />}
      {values.isError && <p className="field-error">{describe(values.error)}</p>}
      {input !== undefined && <Json key={`in ${step.name}`} label="Input" value={input} />}
      {output !== undefined && <Json key={`out ${step.name}`} label="Output" value={output} />}
      <p className="hint">
        Its calls carry <code>{step.uid}</code>
      </p>
    </section>
  );
}

function untilText(step: Step): string {
  return step.dueTime ? `until ${when(step.dueTime)} (${ago(step.dueTime)})` : "";
}

/** The command that a step has sent. */
function commandOf(step: Step, output: JsonValue | undefined): string | undefined {
  if (step.kind !== "command" || typeof output !== "object" || output === null || Array.isArray(output))
    return;
  return typeof output.command === "string" ? lastPart(output.command) : undefined;
}
