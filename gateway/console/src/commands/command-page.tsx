// One command: what was asked, how each agent stands, and what one of them writes
// while it works.
import type { JsonObject } from "@bufbuild/protobuf";
import { useMutation } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef } from "react";
import { currentProject } from "../app/project";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import type { Command, Target } from "../gen/weft/command/v1/command_pb";
import { CommandService } from "../gen/weft/command/v1/command_service_pb";
import { describe } from "../rpc/errors";
import { commands } from "../rpc/fleet";
import { may } from "../rpc/policy";
import { ago, count, duration, lastPart, plural, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Failure, Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { Approval } from "./approval";
import { useCommand, useOutput } from "./live";
import { audience, canRetry, hasEnded, PRIORITIES, parts, titleOf, tookMs } from "./model";
import { CommandStateName, Share } from "./rows";

const route = getRouteApi("/commands/$project/$command");
const ROW = 44;

export function CommandPage() {
  const { project, command: id } = route.useParams();
  const { target: chosen } = route.useSearch();
  const navigate = useNavigate();
  const { command, targets, error } = useCommand(`projects/${project}/commands/${id}`);
  useEffect(() => currentProject.set(project), [project]);
  const title = command ? titleOf(command) : id;
  useEffect(() => {
    document.title = `${title} · weft`;
  }, [title]);
  const target = targets.find((one) => lastPart(one.name) === chosen) ?? targets[0];
  return (
    <div className="page">
      <header className="bar">
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/commands" search={{ project }}>
            Commands
          </Link>
          <span aria-hidden="true">/</span>
          <h1>{title}</h1>
        </nav>
        {command && <CommandStateName of={command} />}
        <ShellTools />
      </header>
      <div className="page-body">
        {error && !command ? (
          <Failure title="The command cannot be shown" error={error} onRetry={() => location.reload()} />
        ) : !command ? (
          <section className="card">
            <Skeleton width="40%" />
            <Skeleton width="60%" />
          </section>
        ) : (
          <>
            <Summary command={command} project={project} />
            <div className="command-panes">
              <Targets
                targets={targets}
                chosen={target?.name}
                onChoose={(one) =>
                  navigate({
                    to: "/commands/$project/$command",
                    params: { project, command: id },
                    search: { target: lastPart(one.name) },
                    replace: true,
                  })
                }
              />
              {target && <TargetPane key={target.name} target={target} project={project} />}
            </div>
          </>
        )}
      </div>
    </div>
  );
}

function Summary({ command, project }: { command: Command; project: string }) {
  const { principal } = useStore(session.store);
  const mayCancel = may(principal, CommandService.method.cancelCommand, project);
  const cancel = useMutation({
    mutationFn: () => commands.cancelCommand({ name: command.name }),
    onError: (error) => toast.error(describe(error)),
  });
  const navigate = useNavigate();
  // The same for each try of one press: a repeat makes no second command.
  const retryId = useRef("");
  const retry = useMutation({
    mutationFn: () => {
      retryId.current ||= crypto.randomUUID();
      return commands.retryCommand({ name: command.name, requestId: retryId.current });
    },
    onSuccess: (again) => {
      retryId.current = "";
      void navigate({
        to: "/commands/$project/$command",
        params: { project, command: lastPart(again.name) },
      });
    },
    onError: (error) => toast.error(describe(error)),
  });
  const took = tookMs(command);
  const priority = PRIORITIES.find(([value]) => value === command.priority)?.[1] ?? "normal";
  const told = parts(command)
    .map((part) => `${count(part.count)} ${part.state}`)
    .join(", ");
  const words = command.arguments && Object.keys(command.arguments).length > 0;
  return (
    <section className="card command-card" aria-label="Command">
      <div className="command-head">
        <div>
          <h2>{lastPart(command.commandType)}</h2>
          <p>for {audience(command)}</p>
        </div>
        {mayCancel && !hasEnded(command) && (
          <button
            type="button"
            className="button button-danger"
            disabled={cancel.isPending || cancel.isSuccess}
            onClick={() => cancel.mutate()}
          >
            <Icon name="stop" /> {cancel.isSuccess ? "Stopping" : "Cancel"}
          </button>
        )}
        {mayCancel && canRetry(command) && (
          <button type="button" className="button" disabled={retry.isPending} onClick={() => retry.mutate()}>
            <Icon name="refresh" /> Retry {plural(command.failedCount + command.cancelledCount, "agent")}
          </button>
        )}
      </div>
      <Approval key={command.name} command={command} project={project} />
      <Share command={command} />
      <p role="status">
        {told} {took !== undefined && (command.endTime ? `after ${duration(took)}` : "")}
      </p>
      <p className="hint">
        Asked <span title={when(command.createTime)}>{ago(command.createTime)}</span> by{" "}
        <code>{command.creator}</code>, priority {priority}
        {command.maxParallel > 0 && `, ${command.maxParallel} at a time`}
        {command.stopAfterFailures > 0 && `, stops after ${plural(command.stopAfterFailures, "failure")}`}
        {command.retryOf && (
          <>
            , once more after{" "}
            <Link to="/commands/$project/$command" params={{ project, command: lastPart(command.retryOf) }}>
              {lastPart(command.retryOf)}
            </Link>
          </>
        )}
      </p>
      {words && <Json value={command.arguments as JsonObject} label="Arguments" />}
    </section>
  );
}

function Json({ value, label }: { value: JsonObject; label: string }) {
  return (
    <details className="more" open={JSON.stringify(value).length < 400}>
      <summary>{label}</summary>
      <pre className="json">{JSON.stringify(value, null, 2)}</pre>
    </details>
  );
}

interface TargetsProps {
  targets: readonly Target[];
  chosen: string | undefined;
  onChoose: (target: Target) => void;
}

function Targets({ targets, chosen, onChoose }: TargetsProps) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: targets.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  return (
    <section className="targets" aria-label="Agents of the command">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="targets-list" ref={box} tabIndex={0} role="group" aria-label="Agents">
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const target = targets[item.index];
            return (
              <button
                key={target.name}
                type="button"
                className="target"
                aria-pressed={target.name === chosen}
                style={{ height: item.size, transform: `translateY(${item.start}px)` }}
                onClick={() => onChoose(target)}
              >
                <span>{lastPart(target.agent)}</span>
                <CommandStateName of={target} />
              </button>
            );
          })}
        </div>
      </div>
    </section>
  );
}

/** Reasons that are no fault. */
const CALM: ReadonlySet<string> = new Set(["CANCELLED", "AWAITING_APPROVAL"]);

function TargetPane({ target, project }: { target: Target; project: string }) {
  const agent = lastPart(target.agent);
  const took = tookMs(target);
  const { principal } = useStore(session.store);
  const mayCancel = may(principal, CommandService.method.cancelTarget, project);
  const cancel = useMutation({
    mutationFn: () => commands.cancelTarget({ name: target.name }),
    onError: (error) => toast.error(describe(error)),
  });
  return (
    <section className="target-pane" aria-label={`What ${agent} does`}>
      <header>
        <Link to="/fleet/$project/$agent" params={{ project, agent }}>
          {agent}
        </Link>
        <span>{target.stopping && !hasEnded(target) ? "stopping" : <CommandStateName of={target} />}</span>
        <small>
          {took !== undefined && target.endTime && `in ${duration(took)}`}
          {target.failureCount > 0 && `, ${plural(target.failureCount, "failed attempt")}`}
          {target.deliveryCount > 1 && `, handed over ${count(target.deliveryCount)} times`}
        </small>
        {mayCancel && !hasEnded(target) && (
          <button
            type="button"
            className="button button-small"
            aria-label={`Cancel here, on ${agent}`}
            disabled={cancel.isPending || target.stopping}
            onClick={() => cancel.mutate()}
          >
            <Icon name="stop" /> Cancel here
          </button>
        )}
      </header>
      {(target.reason || target.message) && (
        <p className={`note ${CALM.has(target.reason) ? "" : "note-warn"}`}>
          <Icon name="alert" />
          <span>
            <code>{target.reason}</code> {target.message}
          </span>
        </p>
      )}
      <OutputBox target={target} />
      {target.result && <Json value={target.result as JsonObject} label="Result" />}
    </section>
  );
}

/** From the bottom: within this many pixels a person follows what is written. */
const NEAR_END = 40;

function OutputBox({ target }: { target: Target }) {
  const { runs, caughtUp, error } = useOutput(target.name);
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useLayoutEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [runs]);
  if (error) return <p className="field-error">{describe(error)}</p>;
  const nothing = hasEnded(target) ? "It wrote nothing." : "Nothing is written yet.";
  return (
    <div
      role="log"
      className="output"
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label="Output"
      onScroll={({ currentTarget: at }) => {
        follows.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_END;
      }}
    >
      {runs.length === 0 && (
        <span className="hint">{caughtUp || hasEnded(target) ? nothing : "Loading"}</span>
      )}
      {runs.map((run, at) => (
        <span key={at} data-stream={run.stream}>
          {run.text}
        </span>
      ))}
    </div>
  );
}
