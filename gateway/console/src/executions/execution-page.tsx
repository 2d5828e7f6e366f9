// One run: how it stands, what it waits for, when each step was at work, and what
// each was given and gave. Live, also after the mesh was away.
import type { JsonObject } from "@bufbuild/protobuf";
import { useMutation } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { currentProject } from "../app/project";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { type Execution, ExecutionState, type Step } from "../gen/weft/execution/v1/execution_pb";
import { ExecutionService } from "../gen/weft/execution/v1/execution_service_pb";
import { describe } from "../rpc/errors";
import { executions as client } from "../rpc/executions";
import { may } from "../rpc/policy";
import { ago, count, duration, lastPart, plural, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Failure, Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { RetryDialog, SignalDialog, TerminateDialog } from "./dialogs";
import { Json, jsonOf } from "./json";
import { useExecution } from "./live";
import {
  hasEnded,
  mayRetry,
  queuedFor,
  runTitle,
  type Standing,
  standing,
  stepNumber,
  stepState,
  tookMs,
} from "./model";
import { StartDialog } from "./start-dialog";
import { StateMark } from "./state";
import { StepPane } from "./step-pane";
import { Timeline } from "./timeline-view";

const route = getRouteApi("/executions/$project/$execution");

type Open =
  | { what: "retry"; step?: Step }
  | { what: "signal"; signal: string }
  | { what: "terminate" }
  | { what: "start" };

export function ExecutionPage() {
  const { project, execution: id } = route.useParams();
  const { step: number } = route.useSearch();
  const navigate = useNavigate();
  const name = `projects/${project}/executions/${id}`;
  const [again, setAgain] = useState(0);
  const { execution, steps, error } = useExecution(name, again);
  const [open, setOpen] = useState<Open | null>(null);
  const { principal } = useStore(session.store);
  const mayAct = may(principal, ExecutionService.method.retryExecution, project);
  useEffect(() => currentProject.set(project), [project]);
  const title = execution ? runTitle(execution) : id;
  useEffect(() => {
    document.title = `${title} · weft`;
  }, [title]);
  const ended = execution !== null && hasEnded(execution);
  useEffect(() => {
    if (!ended) return;
    // Somebody else may let it go on meanwhile.
    const look = () => setAgain((before) => before + 1);
    addEventListener("focus", look);
    return () => removeEventListener("focus", look);
  }, [ended]);
  const stands = execution && standing(execution, steps);
  const chosen = steps.find((step) => stepNumber(step) === number) ?? firstToSee(steps, stands);
  const choose = (step: Step) =>
    navigate({
      to: "/executions/$project/$execution",
      params: { project, execution: id },
      search: { step: stepNumber(step) },
      replace: true,
    });
  const done = () => {
    setOpen(null);
    setAgain((before) => before + 1);
  };
  return (
    <div className="page">
      <header className="bar">
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/executions" search={{ project }}>
            Runs
          </Link>
          <span aria-hidden="true">/</span>
          <h1>{title}</h1>
        </nav>
        {stands && <StateMark state={stands.state} />}
        <ShellTools />
      </header>
      <div className="page-body run-body">
        {error && !execution ? (
          <Failure
            title="The run cannot be shown"
            error={error}
            onRetry={() => setAgain((before) => before + 1)}
          />
        ) : !execution || !stands ? (
          <section className="card" aria-label="Loading">
            <Skeleton width="40%" />
            <Skeleton width="60%" />
          </section>
        ) : (
          <>
            <Summary
              execution={execution}
              stands={stands}
              mayAct={mayAct}
              onChoose={choose}
              onOpen={setOpen}
              onDone={done}
            />
            <div className="run-panes">
              <Timeline execution={execution} steps={steps} chosen={chosen} onChoose={choose} />
              {chosen && (
                <StepPane
                  project={project}
                  execution={execution}
                  step={chosen}
                  mayAct={mayAct}
                  onRetry={() => setOpen({ what: "retry", step: chosen })}
                  onSignal={() => setOpen({ what: "signal", signal: chosen.signal })}
                />
              )}
            </div>
          </>
        )}
      </div>
      {open?.what === "retry" && (
        <RetryDialog name={name} step={open.step} onClose={() => setOpen(null)} onDone={done} />
      )}
      {open?.what === "signal" && (
        <SignalDialog name={name} signal={open.signal} onClose={() => setOpen(null)} onDone={done} />
      )}
      {open?.what === "terminate" && (
        <TerminateDialog name={name} onClose={() => setOpen(null)} onDone={done} />
      )}
      {open?.what === "start" && execution && (
        <StartDialog
          project={project}
          workflow={lastPart(execution.graph)}
          input={execution.input as JsonObject | undefined}
          onClose={() => setOpen(null)}
          onStarted={(started) => {
            setOpen(null);
            void navigate({
              to: "/executions/$project/$execution",
              params: { project, execution: lastPart(started) },
              search: {},
            });
          }}
        />
      )}
    </div>
  );
}

/** What somebody most likely came for: what waits for a person, what failed, or else what was last. */
function firstToSee(steps: readonly Step[], stands: Standing | null): Step | undefined {
  const failed = steps.filter((step) => stepState(step) === "failed");
  return stands?.waits[0]?.step ?? failed[failed.length - 1] ?? steps[steps.length - 1];
}

interface SummaryProps {
  execution: Execution;
  stands: Standing;
  mayAct: boolean;
  onChoose: (step: Step) => void;
  onOpen: (open: Open) => void;
  onDone: () => void;
}

function Summary({ execution, stands, mayAct, onChoose, onOpen, onDone }: SummaryProps) {
  const { name } = execution;
  const ask = useMutation({
    mutationFn: (what: "cancel" | "pause" | "resume") =>
      what === "cancel"
        ? client.cancelExecution({ name })
        : what === "pause"
          ? client.pauseExecution({ name })
          : client.resumeExecution({ name }),
    onSuccess: onDone,
    onError: (error) => toast.error(describe(error)),
  });
  const ended = hasEnded(execution);
  const paused = execution.state === ExecutionState.PAUSED;
  const project = name.split("/")[1];
  const output = jsonOf(execution.output);
  return (
    <section className="card run-card" aria-label="Run">
      <div className="command-head">
        <div>
          <h2>
            <Link to="/workflows/$project/$graph" params={{ project, graph: lastPart(execution.graph) }}>
              {lastPart(execution.graph)}
            </Link>
            <small> revision {count(execution.graphRevision)}</small>
          </h2>
          <p className="hint">
            Started <span title={when(execution.createTime)}>{ago(execution.createTime)}</span> by{" "}
            <code>{execution.creator}</code>
            {ended && `, took ${duration(tookMs(execution))}`}
            {execution.retryCount > 0 && `, retried ${plural(execution.retryCount, "time")}`}
          </p>
        </div>
        {mayAct && (
          <div className="button-row">
            {!ended && !paused && (
              <button
                type="button"
                className="button"
                disabled={ask.isPending}
                onClick={() => ask.mutate("pause")}
              >
                <Icon name="pause" /> Pause
              </button>
            )}
            {paused && (
              <button
                type="button"
                className="button"
                disabled={ask.isPending}
                onClick={() => ask.mutate("resume")}
              >
                <Icon name="play" /> Resume
              </button>
            )}
            {mayRetry(execution) && (
              <button
                type="button"
                className="button button-primary"
                onClick={() => onOpen({ what: "retry" })}
              >
                <Icon name="refresh" /> Retry
              </button>
            )}
            {!ended && (
              <>
                <button
                  type="button"
                  className="button"
                  onClick={() => onOpen({ what: "signal", signal: "" })}
                >
                  Signal
                </button>
                <button type="button" className="button" onClick={() => onOpen({ what: "terminate" })}>
                  Terminate
                </button>
                <button
                  type="button"
                  className="button button-danger"
                  disabled={ask.isPending}
                  onClick={() => ask.mutate("cancel")}
                >
                  <Icon name="stop" /> Cancel
                </button>
              </>
            )}
            {ended && (
              <button type="button" className="button" onClick={() => onOpen({ what: "start" })}>
                <Icon name="play" /> Run again
              </button>
            )}
          </div>
        )}
      </div>
      <div role="status">
        {execution.wait && (
          <p className="waits">
            <span>
              <strong>Waits to start:</strong> {queuedFor(execution)}
              {execution.wait.startTime && `, from ${when(execution.wait.startTime)} on`}
            </span>
            <Link to="/executions/limits" search={{ project }} className="link">
              Limits
            </Link>
          </p>
        )}
        {stands.waits.slice(0, 4).map((wait) => (
          <p key={wait.step.name} className="waits">
            <WaitsFor wait={wait} />
            <button type="button" className="link" onClick={() => onChoose(wait.step)}>
              {wait.step.path}
            </button>
          </p>
        ))}
        {stands.waits.length > 4 && (
          <p className="hint">and {plural(stands.waits.length - 4, "other step")}</p>
        )}
      </div>
      {execution.error && (
        <p className="note note-warn">
          <Icon name="alert" />
          <span>
            <code>{execution.error.reason}</code> {execution.error.message}
          </span>
        </p>
      )}
      <div className="run-values">
        {execution.input && <Json label="Given" value={execution.input as JsonObject} />}
        {output !== undefined && <Json label="Gave" value={output} />}
      </div>
    </section>
  );
}

function WaitsFor({ wait: { step, for: what } }: { wait: Standing["waits"][number] }) {
  if (what === "person")
    return (
      <span>
        <strong>Waits for a person:</strong> {step.approval?.title}
      </span>
    );
  if (what === "signal")
    return (
      <span>
        <strong>Waits for the signal</strong> <code>{step.signal}</code>
      </span>
    );
  const due = step.dueTime ? `${when(step.dueTime)} (${ago(step.dueTime)})` : "";
  return (
    <span>
      <strong>{what === "time" ? "Waits for a time:" : "Tries again:"}</strong> {due}
    </span>
  );
}
