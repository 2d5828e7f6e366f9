// One trace: its spans as a waterfall, and the chosen one beside it.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { currentProject } from "../app/project";
import { isTyping, ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { theme } from "../app/theme";
import type { Trace } from "../gen/weft/telemetry/v1/trace_pb";
import { timeText } from "../logs/model";
import { traces } from "../rpc/logs";
import { colourOf } from "../telemetry/colours";
import { count, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { SpanPane } from "./span-pane";
import { lengthText, millisOf, nanosOf } from "./time";
import { hasWords, nextOf, rowsOf, type SpanNode, treeOf, unfoldedFor } from "./tree";
import { type View, Waterfall } from "./waterfall";

const route = getRouteApi("/traces/$project/$trace");
/** A trace whose root has not ended yet is asked for again so often, and for so long after it began. */
const REFRESH_MILLISECONDS = 5_000;
const GROWS_MILLISECONDS = 10 * 60_000;
/** A key that is held chooses many: the address says where it came to rest. */
const TELL_MILLISECONDS = 250;
const NONE: ReadonlySet<string> = new Set();

export function TracePage() {
  const { project, trace } = route.useParams();
  const found = useQuery({
    queryKey: ["trace", project, trace],
    queryFn: ({ signal }) =>
      traces.getTrace({ name: `projects/${project}/traces/${trace.toLowerCase()}` }, { signal }),
    refetchInterval: ({ state }) => (mayGrow(state.data) ? REFRESH_MILLISECONDS : false),
    refetchOnWindowFocus: false,
    staleTime: 30_000,
  });
  useEffect(() => currentProject.set(project), [project]);
  const title = found.data?.summary?.rootOperation || trace.slice(0, 12);
  useEffect(() => {
    document.title = `${title} · weft`;
  }, [title]);
  return (
    <div className="page">
      <header className="bar">
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/traces" search={{ project }}>
            Traces
          </Link>
          <span aria-hidden="true">/</span>
          <h1>{title}</h1>
        </nav>
        <ShellTools />
      </header>
      <div className="page-body traces-body">
        {found.isError && !found.data ? (
          <Failure title="The trace cannot be shown" error={found.error} onRetry={() => found.refetch()} />
        ) : !found.data ? (
          <section className="card" aria-label="Loading">
            <Skeleton width="40%" />
            <Skeleton width="60%" />
          </section>
        ) : found.data.spans.length === 0 ? (
          <Empty icon="trace" title="There are no spans of this trace" />
        ) : (
          // Another trace is another page, with nothing folded or zoomed.
          <Shown key={trace} project={project} trace={found.data} onAgain={() => found.refetch()} />
        )}
      </div>
    </div>
  );
}

/** The root ends last: while it is not there others may come, but not for ever. */
function mayGrow(trace: Trace | undefined): boolean {
  const { hasRoot, startTime } = trace?.summary ?? {};
  return (
    hasRoot === false && startTime !== undefined && Date.now() - timestampMs(startTime) < GROWS_MILLISECONDS
  );
}

interface ShownProps {
  project: string;
  trace: Trace;
  onAgain: () => unknown;
}

function Shown({ project, trace, onAgain }: ShownProps) {
  const tree = useMemo(() => treeOf(trace.spans), [trace]);
  const [chosen, choose] = useChosen(tree.byId, tree.roots[0]);
  const [folded, setFolded] = useState(NONE);
  const [view, setView] = useState<View | null>(null);
  const [words, setWords] = useState("");
  const rows = useMemo(() => rowsOf(tree, folded), [tree, folded]);
  const matches = useMemo(
    () => (words.trim() ? new Set(tree.all.filter((node) => hasWords(node, words))) : null),
    [tree, words],
  );
  useStore(theme.store);
  const shade = theme.effective();
  const colour = useCallback(
    (service: string) => colourOf(shade, tree.services.indexOf(service)),
    [shade, tree],
  );
  const go = (node: SpanNode | undefined) => {
    if (!node) return;
    setFolded((before) => unfoldedFor(before, node));
    choose(node);
  };
  const toggle = (node: SpanNode) => {
    const next = new Set(folded);
    if (!next.delete(node.id)) {
      next.add(node.id);
      // What is chosen stays in sight.
      for (let at: SpanNode | null | undefined = chosen; at; at = at.parent)
        if (at.parent === node) choose(node);
    }
    setFolded(next);
  };
  const zoom = (node: SpanNode) => {
    const room = Math.max(node.took * 0.05, 0.0005);
    setView({ from: Math.max(0, node.offset - room), to: node.offset + node.took + room });
  };
  const parents = useMemo(() => tree.all.filter((node) => node.children.length > 0), [tree]);
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      if (event.key !== "/" || isTyping(event.target)) return;
      event.preventDefault();
      search.current?.focus();
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, []);
  const failed = useMemo(() => tree.all.filter((node) => node.failed).length, [tree]);
  return (
    <>
      <Summary trace={trace} length={tree.length} services={tree.services} colour={colour} />
      <div className="toolbar logs-toolbar">
        <div className="search-field">
          <Icon name="search" />
          <input
            ref={search}
            type="search"
            aria-label="Find spans"
            placeholder="Operation, service, attribute"
            value={words}
            onChange={(event) => setWords(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || !matches) return;
              go(nextOf(tree, chosen, (node) => matches.has(node), event.shiftKey ? -1 : 1));
            }}
          />
          <kbd>/</kbd>
        </div>
        <span className="toolbar-count" role="status">
          {matches && `${plural(matches.size, "span")} found`}
        </span>
        {failed > 0 && (
          <button
            type="button"
            className="button"
            onClick={() => go(nextOf(tree, chosen, (node) => node.failed))}
          >
            <Icon name="alert" /> Next error ({count(failed)})
          </button>
        )}
        <button
          type="button"
          className="button"
          aria-pressed={view !== null}
          onClick={() => (view ? setView(null) : chosen && zoom(chosen))}
        >
          <Icon name={view ? "fit" : "target"} /> {view ? "Whole time" : "Zoom to span"}
        </button>
        <button
          type="button"
          className="button"
          disabled={parents.length === 0}
          onClick={() => {
            if (folded.size > 0) return setFolded(NONE);
            setFolded(new Set(parents.map((node) => node.id)));
            let top = chosen;
            while (top?.parent) top = top.parent;
            if (top) choose(top);
          }}
        >
          {folded.size > 0 ? "Unfold all" : "Fold all"}
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label="Load again"
          title="Load again"
          onClick={onAgain}
        >
          <Icon name="refresh" />
        </button>
      </div>
      <div className="trace-panes">
        <Waterfall
          rows={rows}
          view={view ?? { from: 0, to: tree.length }}
          chosen={chosen}
          folded={folded}
          found={matches}
          colour={colour}
          onChoose={choose}
          onToggle={toggle}
          onZoom={zoom}
        />
        {chosen && (
          <SpanPane
            project={project}
            tree={tree}
            node={chosen}
            colour={colour(chosen.service)}
            onChoose={go}
          />
        )}
      </div>
    </>
  );
}

/** The chosen span: at once on the page, and a little later in the address. */
function useChosen(
  byId: ReadonlyMap<string, SpanNode>,
  first: SpanNode | undefined,
): [SpanNode | undefined, (node: SpanNode) => void] {
  const { project, trace } = route.useParams();
  const { span } = route.useSearch();
  const navigate = useNavigate();
  const [id, setId] = useState(span);
  const told = useRef(span);
  useEffect(() => {
    // Somebody else has changed it: a link, or the way back.
    if (span === told.current) return;
    told.current = span;
    setId(span);
  }, [span]);
  useEffect(() => {
    if (id === undefined || id === told.current) return;
    const timer = setTimeout(() => {
      told.current = id;
      void navigate({
        to: "/traces/$project/$trace",
        params: { project, trace },
        search: { span: id },
        replace: true,
      });
    }, TELL_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [id, navigate, project, trace]);
  const choose = useCallback((node: SpanNode) => setId(node.id), []);
  return [(id === undefined ? undefined : byId.get(id)) ?? first, choose];
}

interface SummaryProps {
  trace: Trace;
  length: number;
  services: readonly string[];
  colour: (service: string) => string;
}

function Summary({ trace, length, services, colour }: SummaryProps) {
  const { summary, spans } = trace;
  const total = summary?.spanCount ?? spans.length;
  const errors = summary?.errorSpanCount ?? 0;
  const took = summary?.duration ? millisOf(nanosOf(summary.duration)) : length;
  return (
    <>
      <section className="trace-facts" aria-label="Trace">
        <span>
          <strong>{lengthText(took)}</strong> from {timeText(summary?.startTime)}
        </span>
        <span>
          <strong>{count(total)}</strong> {total === 1 ? "span" : "spans"}
        </span>
        {errors > 0 && (
          <span className="bad">
            <Icon name="alert" size={14} /> {plural(errors, "error")}
          </span>
        )}
        <ul className="trace-services" aria-label="Services">
          {services.map((service) => (
            <li key={service}>
              <span className="service-swatch" style={{ background: colour(service) }} />
              {service || "no service told"}
            </li>
          ))}
        </ul>
        <code>{summary?.traceId}</code>
      </section>
      {summary && !summary.hasRoot && (
        <p className="note">
          <Icon name="clock" />
          <span>Its root is not here. Spans come when they end, and the root ends last.</span>
        </p>
      )}
      {total > spans.length && (
        <p className="note note-warn">
          <Icon name="alert" />
          <span>
            These are the first {count(spans.length)} of {count(total)} spans.
          </span>
        </p>
      )}
    </>
  );
}
