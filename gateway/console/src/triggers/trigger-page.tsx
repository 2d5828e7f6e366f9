// One trigger: what it is, where it is called or when it ticks, and what has come of each delivery.
import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";
import { currentProject } from "../app/project";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { Json } from "../executions/json";
import type { ScheduleSource, Trigger, WebhookSource } from "../gen/weft/trigger/v1/trigger_pb";
import { TriggerService } from "../gen/weft/trigger/v1/trigger_service_pb";
import { codeOf, describe } from "../rpc/errors";
import { may } from "../rpc/policy";
import { triggers as client } from "../rpc/triggers";
import { ago, bytes, lastPart, plural, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Failure, Skeleton, Spinner } from "../ui/states";
import { toast } from "../ui/toast";
import { CommandLines, Line } from "./address";
import { curlFor } from "./curl";
import { Deliveries } from "./deliveries";
import { DeliveryDialog } from "./delivery-dialog";
import { BackfillDialog, DeleteDialog, RotateDialog } from "./dialogs";
import { FireDialog } from "./fire-dialog";
import { useTicks, useTrigger } from "./live";
import { kindText, OVERLAPS, spanText, titleOf } from "./model";
import { TriggerMark } from "./state";
import { TickList } from "./ticks";
import { TriggerDialog } from "./trigger-dialog";

const route = getRouteApi("/triggers/$project/$trigger");

type Open = "edit" | "fire" | "backfill" | "rotate" | "delete";

export function TriggerPage() {
  const { project, trigger: id } = route.useParams();
  const { delivery } = route.useSearch();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const name = `projects/${project}/triggers/${id}`;
  const { data, error, refetch } = useTrigger(name);
  const { principal } = useStore(session.store);
  const mayChange = may(principal, TriggerService.method.updateTrigger, project);
  const [open, setOpen] = useState<Open | null>(null);
  useEffect(() => currentProject.set(project), [project]);
  const title = data ? titleOf(data) : id;
  useEffect(() => {
    document.title = `${title} · weft`;
  }, [title]);
  // What was deleted meanwhile is not shown on.
  const trigger = error && codeOf(error) === Code.NotFound ? undefined : data;
  const close = () => setOpen(null);
  const changed = (next: Trigger) => {
    queries.setQueryData(["trigger", name], next);
    void queries.invalidateQueries({ queryKey: ["triggers"] });
    close();
  };
  const came = () => {
    void queries.invalidateQueries({ queryKey: ["dead-letters"] });
    void queries.invalidateQueries({ queryKey: ["deliveries", name] });
    void queries.invalidateQueries({ queryKey: ["last-delivery", name] });
  };
  const look = (one: string | undefined) =>
    navigate({
      to: "/triggers/$project/$trigger",
      params: { project, trigger: id },
      search: { delivery: one },
      replace: true,
    });
  return (
    <div className="page">
      <header className="bar">
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/triggers" search={{ project }}>
            Triggers
          </Link>
          <span aria-hidden="true">/</span>
          <h1>{title}</h1>
        </nav>
        {trigger && <TriggerMark trigger={trigger} />}
        <ShellTools />
      </header>
      <div className="page-body trigger-body">
        {error && !trigger ? (
          <Failure title="The trigger cannot be shown" error={error} onRetry={() => refetch()} />
        ) : !trigger ? (
          <section className="card" aria-label="Loading">
            <Skeleton width="40%" />
            <Skeleton width="60%" />
          </section>
        ) : (
          <>
            <Summary
              trigger={trigger}
              project={project}
              onOpen={mayChange ? setOpen : undefined}
              onChanged={changed}
            />
            {trigger.source.case === "webhook" && trigger.source.value.path !== "" && (
              <Address
                webhook={trigger.source.value}
                onRotate={mayChange ? () => setOpen("rotate") : undefined}
              />
            )}
            {trigger.source.case === "schedule" && (
              <Upcoming trigger={trigger} schedule={trigger.source.value} />
            )}
            <Deliveries trigger={name} project={project} onLook={look} />
          </>
        )}
      </div>
      {trigger && open === "edit" && (
        <TriggerDialog project={project} trigger={trigger} onClose={close} onSaved={changed} />
      )}
      {trigger && open === "fire" && (
        <FireDialog trigger={trigger} project={project} onClose={close} onCame={came} />
      )}
      {trigger && open === "backfill" && <BackfillDialog trigger={trigger} onClose={close} onCame={came} />}
      {trigger && open === "rotate" && <RotateDialog trigger={trigger} onClose={close} onChanged={changed} />}
      {trigger && open === "delete" && (
        <DeleteDialog
          trigger={trigger}
          onClose={close}
          onDeleted={() => {
            queries.setQueryData<Trigger[]>(["triggers", project], (all) =>
              all?.filter((one) => one.name !== name),
            );
            void queries.invalidateQueries({ queryKey: ["triggers"] });
            void navigate({ to: "/triggers", search: { project } });
          }}
        />
      )}
      {delivery && (
        <DeliveryDialog
          name={`${name}/deliveries/${delivery}`}
          project={project}
          onClose={() => look(undefined)}
          onLook={look}
          onCame={came}
        />
      )}
    </div>
  );
}

interface SummaryProps {
  trigger: Trigger;
  project: string;
  /** Absent where one may only look. */
  onOpen?: (open: Open) => void;
  onChanged: (trigger: Trigger) => void;
}

function Summary({ trigger, project, onOpen, onChanged }: SummaryProps) {
  const { name, paused, source } = trigger;
  const hold = useMutation({
    mutationFn: () => (paused ? client.resumeTrigger({ name }) : client.pauseTrigger({ name })),
    onSuccess: onChanged,
    onError: (error) => toast.error(describe(error)),
  });
  return (
    <section className="card run-card" aria-label="Trigger">
      <div className="command-head">
        <div>
          <h2>
            runs{" "}
            <Link to="/workflows/$project/$graph" params={{ project, graph: lastPart(trigger.graph) }}>
              {lastPart(trigger.graph)}
            </Link>
          </h2>
          <p>{kindText(trigger)}</p>
        </div>
        {onOpen && (
          <div className="button-row">
            <button type="button" className="button button-primary" onClick={() => onOpen("fire")}>
              <Icon name="play" /> Test
            </button>
            <button type="button" className="button" disabled={hold.isPending} onClick={() => hold.mutate()}>
              <Icon name={paused ? "play" : "pause"} /> {paused ? "Resume" : "Pause"}
            </button>
            {source.case === "schedule" && (
              <button type="button" className="button" onClick={() => onOpen("backfill")}>
                <Icon name="undo" /> Make up for
              </button>
            )}
            <button type="button" className="button" onClick={() => onOpen("edit")}>
              <Icon name="pencil" /> Edit
            </button>
            <button type="button" className="button" onClick={() => onOpen("delete")}>
              <Icon name="trash" /> Delete
            </button>
          </div>
        )}
      </div>
      {paused && (
        <p className="note note-warn">
          <Icon name="pause" />
          <span>
            {source.case === "webhook"
              ? "Requests are refused"
              : source.case === "schedule"
                ? "Ticks pass by"
                : "What happens passes by"}{" "}
            until it is resumed.
          </span>
        </p>
      )}
      <dl className="facts trigger-facts">
        {source.case === "webhook" && <WebhookFacts webhook={source.value} />}
        {source.case === "schedule" && <ScheduleFacts schedule={source.value} />}
        {source.case === "executionEnd" && source.value.includeOwnRuns && (
          <Fact term="Counts">also runs that it has started</Fact>
        )}
        {source.case === "graphChange" && (
          <Fact term="Taken together">
            what is changed within{" "}
            {source.value.debounceDuration ? spanText(source.value.debounceDuration) : "2s"}
          </Fact>
        )}
        {trigger.condition && (
          <Fact term="Only if">
            <code>{trigger.condition}</code>
          </Fact>
        )}
        <Fact term="Acts as">
          <code>{trigger.creator}</code>
        </Fact>
        <Fact term="Changed">
          <span title={when(trigger.updateTime)}>{ago(trigger.updateTime)}</span>
        </Fact>
      </dl>
      {trigger.input && <Json value={trigger.input as JsonObject} label="What the run is given" />}
    </section>
  );
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </>
  );
}

function WebhookFacts({ webhook }: { webhook: WebhookSource }) {
  const { hmac } = webhook;
  return (
    <>
      {hmac && (
        <Fact term="Signed in">
          <code>{hmac.header}</code>
          {hmac.timestampHeader && (
            <>
              , with the time in <code>{hmac.timestampHeader}</code>
            </>
          )}
        </Fact>
      )}
      {hmac?.idHeader && (
        <Fact term="Taken once by">
          <code>{hmac.idHeader}</code>
        </Fact>
      )}
      {webhook.username && (
        <Fact term="Name">
          <code>{webhook.username}</code>
        </Fact>
      )}
      <Fact term="Answers">
        {webhook.waitDuration
          ? `with what the run gives, if it ends within ${spanText(webhook.waitDuration)}`
          : "as soon as it is on disk"}
      </Fact>
      {webhook.maxPerSecond > 0 && (
        <Fact term="Takes">{plural(webhook.maxPerSecond, "request")} in a second</Fact>
      )}
      {webhook.maxBodyBytes > 0 && <Fact term="Largest body">{bytes(webhook.maxBodyBytes)}</Fact>}
    </>
  );
}

function ScheduleFacts({ schedule }: { schedule: ScheduleSource }) {
  return (
    <>
      {schedule.cron && (
        <Fact term="Cron">
          <code>{schedule.cron}</code> in {schedule.timeZone || "UTC"}
        </Fact>
      )}
      <Fact term="While one goes on">
        a tick {OVERLAPS.find(([policy]) => policy === schedule.overlapPolicy)?.[1] ?? OVERLAPS[0][1]}
      </Fact>
      <Fact term="Makes up for">
        what was missed for up to {schedule.catchupWindow ? spanText(schedule.catchupWindow) : "1m"}
      </Fact>
      {schedule.jitter && <Fact term="Put off by">up to {spanText(schedule.jitter)}</Fact>}
      {schedule.startTime && <Fact term="Nothing before">{when(schedule.startTime)}</Fact>}
      {schedule.endTime && <Fact term="Nothing after">{when(schedule.endTime)}</Fact>}
    </>
  );
}

function Address({ webhook, onRotate }: { webhook: WebhookSource; onRotate?: () => void }) {
  const address = `${location.origin}${webhook.path}`;
  return (
    <section className="card run-card" aria-label="Address">
      <div className="command-head">
        <h2>Address</h2>
        {onRotate && (
          <button type="button" className="button button-small" onClick={onRotate}>
            <Icon name="refresh" /> New address
          </button>
        )}
      </div>
      <Line label="Whoever has it can try to call" text={address} />
      <details className="more">
        <summary>Try it from a shell</summary>
        <CommandLines text={curlFor(webhook, address)} />
      </details>
    </section>
  );
}

function Upcoming({ trigger, schedule }: { trigger: Trigger; schedule: ScheduleSource }) {
  const ticks = useTicks(trigger);
  return (
    <section className="card run-card" aria-label="The next times">
      <h2>The next times</h2>
      {ticks.data ? (
        <TickList
          times={ticks.data.ticks.map((tick) => tick.dueTime ?? tick.scheduleTime)}
          zone={schedule.cron ? schedule.timeZone || "UTC" : ""}
        />
      ) : ticks.isError ? (
        <p className="field-error">{describe(ticks.error)}</p>
      ) : (
        <Spinner label="Asking for the next times" />
      )}
    </section>
  );
}
