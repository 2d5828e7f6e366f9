// Alerts: what fires and what is about to, the rules that say so, and what nobody
// is to be told of for a while.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { type Alert, type AlertRule, AlertState, type Silence } from "../gen/weft/telemetry/v1/alert_pb";
import { AlertService } from "../gen/weft/telemetry/v1/alert_service_pb";
import { describe } from "../rpc/errors";
import { may } from "../rpc/policy";
import { alerts as client } from "../rpc/telemetry";
import { millisAt, valueText } from "../telemetry/model";
import { ago, count, lastPart, plural, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { useAlerts } from "./live";
import { durationText, matcherText, severityOf, stateOf } from "./model";
import { DeleteRuleDialog, RuleDialog } from "./rule-dialog";
import { SilenceDialog } from "./silence-dialog";

const route = getRouteApi("/alerts");
const PAGE = 1_000;

type Open =
  | { what: "rule"; rule?: AlertRule }
  | { what: "silence"; matchers: string }
  | { what: "delete"; rule: AlertRule };

export function AlertsPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const { principal } = useStore(session.store);
  const mayChange = may(principal, AlertService.method.createAlertRule, project);
  const [open, setOpen] = useState<Open | null>(null);
  const alerts = useAlerts(project);
  const firing = alerts.now?.alerts.filter((alert) => alert.state === AlertState.FIRING).length ?? 0;
  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = firing > 0 ? `(${firing}) Alerts · weft` : "Alerts · weft";
  }, [firing]);
  const close = () => setOpen(null);
  const silence = (alert: Alert) => {
    const { severity: _, ...labels } = alert.labels;
    const matchers = Object.entries(labels).sort();
    const texts = matchers.map(([label, value]) =>
      matcherText({ label, value, regex: false, negated: false }),
    );
    setOpen({ what: "silence", matchers: texts.join(" ") });
  };
  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker
          project={project}
          onPick={(next) => navigate({ to: "/alerts", search: { ...search, project: next } })}
        />
        <h1>Alerts</h1>
        <ShellTools />
      </header>
      <div className="page-body">
        <div className="toolbar">
          <nav className="views" aria-label="Views">
            {([undefined, "rules", "silences"] as const).map((view) => (
              <Link
                key={view ?? "alerts"}
                to="/alerts"
                search={{ ...search, view }}
                aria-current={search.view === view ? "page" : undefined}
              >
                {view === undefined
                  ? `Now${firing ? ` (${count(firing)} firing)` : ""}`
                  : view === "rules"
                    ? "Rules"
                    : "Silences"}
              </Link>
            ))}
          </nav>
          <span className="toolbar-count" role="status">
            {alerts.now && plural(alerts.now.alerts.length, "alert")}
          </span>
          {mayChange && (
            <>
              <button
                type="button"
                className="button"
                onClick={() => setOpen({ what: "silence", matchers: "" })}
              >
                <Icon name="pause" /> Silence
              </button>
              <button
                type="button"
                className="button button-primary"
                onClick={() => setOpen({ what: "rule" })}
              >
                <Icon name="plus" /> New rule
              </button>
            </>
          )}
        </div>
        {search.view === "rules" ? (
          <Rules project={project} mayChange={mayChange} onOpen={setOpen} />
        ) : search.view === "silences" ? (
          <Silences project={project} mayChange={mayChange} />
        ) : alerts.error ? (
          <Failure title="The alerts cannot be heard" error={alerts.error} />
        ) : alerts.now === null ? (
          <Waiting />
        ) : alerts.now.alerts.length === 0 ? (
          <Empty icon="bell" title="Nothing is wrong">
            <p>Rules say when something is: PromQL, how long, how bad, and who is told.</p>
          </Empty>
        ) : (
          <ul className="alert-list" aria-label="Alerts">
            {alerts.now.alerts.map((alert) => (
              <AlertCard
                key={`${alert.alertRule} ${alert.fingerprint}`}
                alert={alert}
                project={project}
                onSilence={mayChange ? () => silence(alert) : undefined}
              />
            ))}
          </ul>
        )}
      </div>
      {open?.what === "rule" && <RuleDialog project={project} rule={open.rule} onClose={close} />}
      {open?.what === "delete" && <DeleteRuleDialog rule={open.rule} onClose={close} />}
      {open?.what === "silence" && (
        <SilenceDialog project={project} matchers={open.matchers} onClose={close} />
      )}
    </div>
  );
}

function Waiting() {
  return (
    <section className="card">
      <Skeleton width="60%" />
      <Skeleton width="40%" />
    </section>
  );
}

function Severity({ severity }: { severity: string }) {
  return (
    <span className="severity" data-severity={severity}>
      {severity}
    </span>
  );
}

function AlertCard({ alert, project, onSilence }: { alert: Alert; project: string; onSilence?: () => void }) {
  const state = stateOf(alert.state);
  const { alertname, severity: _, ...labels } = alert.labels;
  const summary = alert.annotations.summary ?? alert.annotations.description;
  const since =
    alert.state === AlertState.RESOLVED ? alert.resolveTime : (alert.fireTime ?? alert.activeTime);
  return (
    <li className="alert-card" data-state={state} data-silent={alert.silences.length > 0}>
      <div>
        <p className="alert-head">
          <span className="alert-state">{state}</span>
          <Severity severity={severityOf(alert.severity)} />
          <strong>{alertname ?? lastPart(alert.alertRule)}</strong>
          <span title={when(since)}>{ago(since)}</span>
        </p>
        {summary && <p>{summary}</p>}
        <p className="alert-labels">
          {Object.entries(labels)
            .sort()
            .map(([label, value]) => (
              <code key={label}>
                {label}="{value}"
              </code>
            ))}
          <span>value {valueText(alert.value, "number")}</span>
        </p>
        {alert.silences.length > 0 && (
          <p className="hint">
            Nobody is told:{" "}
            <Link to="/alerts" search={{ project, view: "silences" }}>
              silenced
            </Link>
          </p>
        )}
      </div>
      {onSilence && alert.state !== AlertState.RESOLVED && alert.silences.length === 0 && (
        <button type="button" className="button button-small" onClick={onSilence}>
          <Icon name="pause" /> Silence<span className="hidden-text"> {alertname}</span>
        </button>
      )}
    </li>
  );
}

interface RulesProps {
  project: string;
  mayChange: boolean;
  onOpen: (open: Open) => void;
}

function Rules({ project, mayChange, onOpen }: RulesProps) {
  const list = useQuery({
    queryKey: ["alert-rules", project],
    queryFn: ({ signal }) =>
      client.listAlertRules({ parent: `projects/${project}`, pageSize: PAGE }, { signal }),
    refetchInterval: 10_000,
  });
  if (list.isError && !list.data)
    return <Failure title="The rules cannot be listed" error={list.error} onRetry={() => list.refetch()} />;
  if (!list.data) return <Waiting />;
  if (list.data.alertRules.length === 0)
    return (
      <Empty icon="bell" title="There are no rules yet">
        {mayChange && (
          <button type="button" className="button button-primary" onClick={() => onOpen({ what: "rule" })}>
            <Icon name="plus" /> New rule
          </button>
        )}
      </Empty>
    );
  return (
    <ul className="alert-list" aria-label="Rules">
      {list.data.alertRules.map((rule) => (
        <li key={rule.name} className="alert-card" data-off={rule.disabled}>
          <div>
            <p className="alert-head">
              <Severity severity={severityOf(rule.severity)} />
              <strong>{rule.displayName || lastPart(rule.name)}</strong>
              {rule.holdDuration && <span>for {durationText(rule.holdDuration)}</span>}
              {rule.disabled && <span>disabled</span>}
            </p>
            <p className="alert-labels">
              <Link to="/telemetry" search={{ project, q: rule.expression }}>
                <code>{rule.expression}</code>
              </Link>
            </p>
            {rule.webhooks.map((webhook) => (
              <p key={webhook.url} className="hint">
                tells <code>{webhook.url}</code>
              </p>
            ))}
            {rule.problem && (
              <p className="note note-warn">
                <Icon name="alert" />
                <span>{rule.problem}</span>
              </p>
            )}
          </div>
          {mayChange && (
            <div className="button-row">
              <button
                type="button"
                className="button button-small"
                onClick={() => onOpen({ what: "rule", rule })}
              >
                <Icon name="pencil" /> Edit<span className="hidden-text"> {lastPart(rule.name)}</span>
              </button>
              <button
                type="button"
                className="button button-small"
                onClick={() => onOpen({ what: "delete", rule })}
              >
                <Icon name="trash" /> Delete<span className="hidden-text"> {lastPart(rule.name)}</span>
              </button>
            </div>
          )}
        </li>
      ))}
    </ul>
  );
}

function Silences({ project, mayChange }: { project: string; mayChange: boolean }) {
  const queries = useQueryClient();
  const list = useQuery({
    queryKey: ["silences", project],
    queryFn: ({ signal }) =>
      client.listSilences({ parent: `projects/${project}`, pageSize: PAGE }, { signal }),
    refetchInterval: 10_000,
  });
  const end = useMutation({
    mutationFn: (name: string) => client.endSilence({ name }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["silences", project] }),
    onError: (error) => toast.error(describe(error)),
  });
  if (list.isError && !list.data)
    return (
      <Failure title="The silences cannot be listed" error={list.error} onRetry={() => list.refetch()} />
    );
  if (!list.data) return <Waiting />;
  const isOver = (silence: Silence) => millisAt(silence.endTime) <= Date.now();
  const found = [...list.data.silences].sort(
    (a, b) => Number(isOver(a)) - Number(isOver(b)) || millisAt(b.endTime) - millisAt(a.endTime),
  );
  if (found.length === 0)
    return (
      <Empty icon="pause" title="Nothing is silenced">
        <p>A silence keeps quiet about alerts that somebody knows of.</p>
      </Empty>
    );
  return (
    <ul className="alert-list" aria-label="Silences">
      {found.map((silence) => (
        <li key={silence.name} className="alert-card" data-off={isOver(silence)}>
          <div>
            <p className="alert-labels">
              {silence.matchers.map((matcher) => (
                <code key={matcherText(matcher)}>{matcherText(matcher)}</code>
              ))}
            </p>
            {silence.comment && <p>{silence.comment}</p>}
            <p className="hint" title={when(silence.endTime)}>
              {isOver(silence) ? "ended" : "ends"} {ago(silence.endTime)} · by {silence.creator}
            </p>
          </div>
          {mayChange && !isOver(silence) && (
            <button
              type="button"
              className="button button-small"
              disabled={end.isPending}
              onClick={() => end.mutate(silence.name)}
            >
              <Icon name="stop" /> End
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}
