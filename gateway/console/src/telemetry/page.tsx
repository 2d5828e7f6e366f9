// The explorer: a query over time, as lines. Everything that is set is in the
// address, so that it can be sent to somebody.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import type { Metric } from "../gen/weft/telemetry/v1/telemetry_pb";
import { describe } from "../rpc/errors";
import { telemetry } from "../rpc/telemetry";
import { CopyButton } from "../ui/copy";
import { count, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Spinner } from "../ui/states";
import { Chart } from "./chart";
import { Legend } from "./legend";
import {
  DEFAULT_EVERY,
  DEFAULT_LAST,
  EVERIES,
  LASTS,
  millisOf,
  moved,
  OFFSETS,
  spanOf,
  unitOf,
  type Window,
  windowOf,
  zoomed,
} from "./model";
import { aggregate, isSelector, metricOf, percentile, rate } from "./promql";
import { OutlookTools } from "./outlook-tools";
import { QueryBox } from "./query-box";
import type { TelemetrySearch } from "./search";
import { useOutlook } from "./use-outlook";
import { MOST_LINES, type Range, useRange } from "./use-range";

const route = getRouteApi("/telemetry");
const ForecastList = lazy(async () => ({ default: (await import("./outlook-lists")).ForecastList }));
const AnomalyList = lazy(async () => ({ default: (await import("./outlook-lists")).AnomalyList }));
const METRICS = 10_000;
const HEIGHT = 360;

export function TelemetryPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const query = search.q ?? "";
  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = `${query || "Telemetry"} · weft`;
  }, [query]);
  const set = useCallback<SetSearch>(
    (part, replace = false) =>
      navigate({
        to: "/telemetry",
        search: (now) => ({ ...now, ...(typeof part === "function" ? part(now) : part) }),
        replace,
      }),
    [navigate],
  );
  const metrics = useQuery({
    queryKey: ["metrics", project],
    queryFn: ({ signal }) =>
      telemetry.listMetrics({ parent: `projects/${project}`, pageSize: METRICS }, { signal }),
    refetchInterval: (asked) => (asked.state.data?.metrics.length ? 60_000 : 5_000),
  });
  const names = useMemo(() => metrics.data?.metrics.map((one) => one.metric) ?? [], [metrics.data]);
  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker project={project} onPick={(next) => set({ project: next, q: undefined })} />
        <h1>Telemetry</h1>
        <ShellTools />
      </header>
      <div className="page-body telemetry-body">
        <QueryBox project={project} query={query} metrics={names} onRun={(q) => set({ q: q || undefined })} />
        {query !== "" ? (
          <Explorer project={project} query={query} search={search} set={set} />
        ) : metrics.isError ? (
          <Failure
            title="The metrics cannot be listed"
            error={metrics.error}
            onRetry={() => metrics.refetch()}
          />
        ) : metrics.isPending ? (
          <Empty icon="chart" title="Looking for metrics">
            <Spinner label="Loading" />
          </Empty>
        ) : names.length === 0 ? (
          <Empty icon="chart" title="Nothing is measured here yet">
            <p>
              Agents report by themselves; OpenTelemetry and Prometheus send to this mesh as{" "}
              <code>docs/telemetry.md</code> says.
            </p>
          </Empty>
        ) : (
          <Metrics metrics={metrics.data.metrics} onPick={(q) => set({ q })} />
        )}
      </div>
    </div>
  );
}

/** What there is, to begin with. */
function Metrics({ metrics, onPick }: { metrics: readonly Metric[]; onPick: (metric: string) => void }) {
  const [wanted, setWanted] = useState("");
  const found = metrics.filter((one) => one.metric.includes(wanted.trim()));
  return (
    <section className="metrics" aria-label="Metrics">
      <div className="toolbar">
        <input
          type="search"
          aria-label="Filter metrics"
          placeholder="Filter"
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
        <span className="toolbar-count" role="status">
          {wanted ? `${count(found.length)} of ${count(metrics.length)}` : plural(metrics.length, "metric")}
        </span>
      </div>
      <ul>
        {found.slice(0, 500).map((one) => (
          <li key={one.metric}>
            <button type="button" onClick={() => onPick(one.metric)}>
              <code>{one.metric}</code>
              <span>{one.description}</span>
              <small>{plural(one.seriesCount, "series", "series")}</small>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Sets a part of the address, or what follows from what stands there by now. */
type SetSearch = (
  part: Partial<TelemetrySearch> | ((now: TelemetrySearch) => Partial<TelemetrySearch>),
  replace?: boolean,
) => void;

interface ExplorerProps {
  project: string;
  query: string;
  search: TelemetrySearch;
  set: SetSearch;
}

function Explorer({ project, query, search, set }: ExplorerProps) {
  const span = useMemo(() => spanOf(search), [search]);
  const every = millisOf(search.every ?? DEFAULT_EVERY) ?? 0;
  const before = millisOf(search.before) ?? 0;
  const range = useRange(project, query, span, every, before);
  const outlook = useOutlook(project, query, span, every, search);
  const drawn = range.data?.window;
  const stay = (next: { from: number; to: number }) => set({ ...next, last: undefined });
  // From what the address says: what is drawn may still be the answer to an earlier one.
  const change = (to: (window: Window) => { from: number; to: number }) =>
    set((now) => ({ ...to(windowOf(spanOf(now), Date.now())), last: undefined }));
  const onKey = (key: string): boolean => {
    if (key === "+" || key === "=") change((window) => zoomed(window, 0.5));
    else if (key === "-") change((window) => zoomed(window, 2));
    else if (key === "ArrowLeft") change((window) => moved(window, -0.25));
    else if (key === "ArrowRight") change((window) => moved(window, 0.25));
    else if (key === "0") set({ from: undefined, to: undefined });
    else return false;
    return true;
  };
  return (
    <>
      <Writers project={project} query={query} onWrite={(q) => set({ q })} />
      <div className="toolbar telemetry-tools">
        <label className="inline-field">
          <span className="hidden-text">Time</span>
          <select
            aria-label="Time"
            value={"last" in span ? (search.last ?? DEFAULT_LAST) : ""}
            onChange={(event) => set({ last: event.target.value, from: undefined, to: undefined })}
          >
            {!("last" in span) && <option value="">as zoomed</option>}
            {LASTS.map((last) => (
              <option key={last} value={last}>
                last {last}
              </option>
            ))}
          </select>
        </label>
        <div className="button-row" role="group" aria-label="Zoom and move">
          <ToolButton label="Earlier" icon="left" onClick={() => onKey("ArrowLeft")} />
          <ToolButton label="Later" icon="right" onClick={() => onKey("ArrowRight")} />
          <ToolButton label="Zoom in" icon="plus" onClick={() => onKey("+")} />
          <ToolButton label="Zoom out" icon="minus" onClick={() => onKey("-")} />
        </div>
        <label className="inline-field">
          <span className="hidden-text">Compare</span>
          <select
            aria-label="Compare"
            value={search.before ?? ""}
            onChange={(event) => set({ before: event.target.value || undefined })}
          >
            <option value="">compare with nothing</option>
            {OFFSETS.map((one) => (
              <option key={one} value={one}>
                compare with {one} before
              </option>
            ))}
          </select>
        </label>
        <span className="toolbar-count" role="status">
          {range.data && !range.isError && plural(range.data.found, "series", "series")}
          {((range.isFetching && range.isPlaceholderData) || outlook.isFetching) && (
            <Spinner label="Loading" />
          )}
        </span>
        <label className="inline-field">
          <span className="hidden-text">Refresh</span>
          <select
            aria-label="Refresh"
            value={search.every ?? DEFAULT_EVERY}
            disabled={!("last" in span)}
            onChange={(event) => set({ every: event.target.value }, true)}
          >
            {EVERIES.map((one) => (
              <option key={one} value={one}>
                {one === "off" ? "no refresh" : `every ${one}`}
              </option>
            ))}
          </select>
        </label>
        {drawn && <CopyButton label="Link" text={linkOf(search, drawn)} />}
      </div>
      <OutlookTools search={search} seen={drawn ? drawn.to - drawn.from : 0} set={set} />
      {outlook.error && !range.isError && (
        <p className="note note-warn" role="alert">
          <Icon name="alert" />
          <span>{describe(outlook.error)}</span>
        </p>
      )}
      {range.isError ? (
        <p className="note note-warn" role="alert">
          <Icon name="alert" />
          <span>{describe(range.error)}</span>
        </p>
      ) : range.data ? (
        <Picture range={range.data} outlook={outlook} query={query} onKey={onKey} onZoom={stay} />
      ) : (
        <div className="chart-card chart-wait" style={{ height: HEIGHT }}>
          <Spinner label="Loading" />
        </div>
      )}
    </>
  );
}

function ToolButton({
  label,
  icon,
  onClick,
}: {
  label: string;
  icon: "left" | "right" | "plus" | "minus";
  onClick: () => void;
}) {
  return (
    <button type="button" className="icon-button" aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

/** The page as it is now, of this very time. */
function linkOf(search: TelemetrySearch, window: { from: number; to: number }): string {
  const url = new URL(location.href);
  const parts = { ...search, last: undefined, every: undefined, from: window.from, to: window.to };
  url.search = "";
  for (const [name, value] of Object.entries(parts)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** Buttons that write PromQL. */
function Writers({
  project,
  query,
  onWrite,
}: {
  project: string;
  query: string;
  onWrite: (query: string) => void;
}) {
  const metric = metricOf(query);
  const labels = useQuery({
    queryKey: ["label-values", project, "label", metric, ""],
    queryFn: ({ signal }) =>
      telemetry.listLabelValues(
        { parent: `projects/${project}`, selector: metric, pageSize: 1_000 },
        { signal },
      ),
    enabled: metric !== "",
    staleTime: 30_000,
    retry: false,
  });
  const names = (labels.data?.values ?? []).filter((one) => one !== "__name__");
  const by = (how: string) => (
    <select
      aria-label={`${how} by`}
      value=""
      onChange={(event) =>
        onWrite(aggregate(query, how, event.target.value === "*" ? [] : [event.target.value]))
      }
    >
      <option value="">{how} by…</option>
      <option value="*">all in one</option>
      {names.map((one) => (
        <option key={one} value={one}>
          {one}
        </option>
      ))}
    </select>
  );
  return (
    <div className="writers" role="group" aria-label="Write PromQL">
      <button type="button" className="button button-small" onClick={() => onWrite(rate(query))}>
        rate{isSelector(query) ? "" : " of this"}
      </button>
      {by("sum")}
      {by("avg")}
      {by("max")}
      {[0.5, 0.95, 0.99].map((part) => (
        <button
          key={part}
          type="button"
          className="button button-small"
          onClick={() => onWrite(percentile(query, part))}
        >
          p{part * 100}
        </button>
      ))}
      <button type="button" className="button button-small" onClick={() => onWrite(`topk(10, ${query})`)}>
        top 10
      </button>
    </div>
  );
}

interface PictureProps {
  range: Range;
  outlook: ReturnType<typeof useOutlook>;
  query: string;
  onKey: (key: string) => boolean;
  onZoom: (span: { from: number; to: number }) => void;
}

const NONE: ReadonlySet<string> = new Set();

function Picture({ range: seen, outlook, query, onKey, onZoom }: PictureProps) {
  const { forecast, anomalies } = outlook;
  const range = useMemo(() => (forecast ? forecast.extended(seen, forecast.data) : seen), [seen, forecast]);
  const [row, setRow] = useState<number | null>(null);
  const [hidden, setHidden] = useState(NONE);
  const [highlighted, setHighlighted] = useState<string | null>(null);
  const unit = unitOf(query);
  const painter = forecast ?? anomalies;
  const overlay = useMemo(
    () => painter?.overlayOf(range.lines, hidden, forecast?.data, anomalies?.data),
    [painter, range.lines, hidden, forecast, anomalies],
  );
  // What was hidden of another query says nothing of this one.
  useEffect(() => setHidden(NONE), [query]);
  const toggle = (key: string, alone: boolean) => {
    const others = range.lines.map((line) => line.key).filter((one) => one !== key);
    if (alone) return setHidden(others.every((one) => hidden.has(one)) ? NONE : new Set(others));
    const next = new Set(hidden);
    if (!next.delete(key)) next.add(key);
    setHidden(next);
  };
  const at = row === null ? undefined : range.times[row];
  return (
    <>
      <div className="chart-card">
        <p className="chart-time">
          {at === undefined
            ? `${new Date(range.window.from).toLocaleString("en")} – ${new Date(range.window.to).toLocaleString("en")}`
            : new Date(at * 1_000).toLocaleString("en")}
        </p>
        <Chart
          label={query}
          times={range.times}
          lines={range.lines}
          unit={unit}
          height={HEIGHT}
          from={range.window.from / 1_000}
          to={(forecast?.data.until ?? range.window.to) / 1_000}
          overlay={overlay}
          hidden={hidden}
          highlighted={highlighted}
          onCursor={setRow}
          onKey={onKey}
          onZoom={(from, to) => onZoom({ from: Math.round(from * 1_000), to: Math.round(to * 1_000) })}
        />
        {range.lines.length === 0 && <p className="chart-none">There is nothing in this time.</p>}
      </div>
      {range.found > MOST_LINES && (
        <p className="note">
          <Icon name="chart" />
          <span>
            {count(MOST_LINES)} of {count(range.found)} series are drawn. Sum them up by a label, or take the
            top 10.
          </span>
        </p>
      )}
      {range.lines.length > 0 && (
        <Legend
          lines={range.lines}
          unit={unit}
          row={row}
          hidden={hidden}
          onToggle={toggle}
          onHighlight={setHighlighted}
        />
      )}
      <Suspense>
        {forecast && range.lines.length > 0 && <ForecastList outlook={forecast.data} unit={unit} />}
        {anomalies && range.lines.length > 0 && (
          <AnomalyList found={anomalies.data} unit={unit} onGo={onZoom} />
        )}
      </Suspense>
    </>
  );
}
