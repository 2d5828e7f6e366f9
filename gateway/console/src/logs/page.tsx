// What programs have said: found by words, severity, service, attributes, trace and
// time, and followed as it arrives. Everything that is set is in the address.
import { Code } from "@connectrpc/connect";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { palette } from "../app/palette";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { isTyping, ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import type { LogRecord } from "../gen/weft/telemetry/v1/log_pb";
import { codeOf, describe } from "../rpc/errors";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/states";
import { LogNotes } from "./notes";
import { useLiveLogs } from "./live";
import { withPair } from "./pairs";
import { filterOf, isFiltered, type LogsSearch, readLogsSearch } from "./search";
import { LogTable } from "./table";
import { rowsOf } from "./tail";
import { LogToolbar } from "./toolbar";
import { useFound } from "./use-found";
import { DEFAULT_LAST, isAll, stays } from "./when";
import { finderOf } from "./words";

const route = getRouteApi("/logs");
const NONE: ReadonlySet<string> = new Set();
/** Of what came around a record so much before it, and after. */
const AROUND = 30_000;

export function LogsPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const isLive = search.live === true;
  const [again, setAgain] = useState(0);
  /** How often live was left: what was found before is older than what has arrived meanwhile. */
  const [left, setLeft] = useState(0);
  const [paused, setPaused] = useState(false);
  const [scrolled, setScrolled] = useState(false);
  const [open, setOpen] = useState(NONE);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => currentProject.set(project), [project]);

  const filter = useMemo(() => filterOf(project, search), [project, search]);
  // Who reads is not to have the lines run away.
  const live = useLiveLogs(isLive ? filter : null, paused || scrolled || open.size > 0, again);
  const { list, entries: found } = useFound(
    filter,
    search,
    isLive ? live.begun : null,
    isLive ? again : again + left,
  );
  const { data, isPlaceholderData, isError, error } = list;
  const tellFound = live.found;
  useEffect(() => {
    if (isLive && live.begun > 0 && !isPlaceholderData && (data || isError)) tellFound(found);
  }, [isLive, live.begun, isPlaceholderData, data, isError, tellFound, found]);
  const { shown, cut } = live;
  const entries = useMemo(
    () => (isLive ? rowsOf({ shown, cut }, found) : found),
    [isLive, shown, cut, found],
  );
  const finder = useMemo(() => finderOf(search.q ?? ""), [search.q]);

  const toTop = useCallback(() => {
    setOpen(NONE);
    setScrolled(false);
    box.current?.scrollTo({ top: 0 });
  }, []);
  const set = useCallback(
    (part: Partial<LogsSearch>, replace = false) => {
      toTop();
      // Of what the address is by now: two fields may be left one right after the other.
      return navigate({ to: "/logs", search: (now) => ({ ...readLogsSearch(now), ...part }), replace });
    },
    [navigate, toTop],
  );
  const restart = () => {
    toTop();
    setAgain((before) => before + 1);
  };
  const goLive = useCallback(
    (on: boolean) => {
      setPaused(false);
      if (!on) setLeft((before) => before + 1);
      // What arrives is of no time that has an end.
      void set(on ? { live: true, from: undefined, to: undefined } : { live: undefined });
    },
    [set],
  );
  const only = (part: LogsSearch) => {
    toTop();
    void navigate({ to: "/logs", search: { project, ...part } });
  };
  const around = ({ logTime, origin }: LogRecord) => {
    const at = logTime ? timestampMs(logTime) : Date.now();
    const service = origin?.serviceName || undefined;
    only({ service, from: at - AROUND, to: at + AROUND });
  };
  useEffect(() => {
    document.title = `${search.q ? `${search.q} · ` : ""}Logs · weft`;
  }, [search.q]);
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      if (event.key !== "/" || isTyping(event.target)) return;
      event.preventDefault();
      document.querySelector<HTMLInputElement>(".logs-search input")?.focus();
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, []);
  useEffect(
    () =>
      palette.offer([
        {
          id: "live-logs",
          title: isLive ? "Stop to follow the logs" : "Follow the logs live",
          icon: isLive ? "stop" : "play",
          run: () => goLive(!isLive),
        },
      ]),
    [isLive, goLive],
  );

  const failure = live.error ?? (isError && !data ? error : null);
  const toggle = (id: string) => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  };
  const showHeld = () => {
    live.release();
    toTop();
  };
  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker project={project} onPick={(next) => set({ project: next })} />
        <h1>Logs</h1>
        <ShellTools />
      </header>
      <div className="page-body logs-body">
        <LogToolbar
          search={search}
          entries={entries}
          hasMore={list.hasNextPage && !cut}
          isFetching={list.isFetching}
          live={isLive ? { paused, onPause: setPaused } : null}
          set={set}
          onLive={goLive}
          onAgain={restart}
        />
        {isLive && <LogNotes tail={live} onAgain={restart} />}
        {failure && codeOf(failure) === Code.InvalidArgument ? (
          <p className="note note-warn" role="alert">
            <Icon name="alert" />
            <span>{describe(failure)}</span>
          </p>
        ) : failure ? (
          <Failure title="The logs cannot be searched" error={failure} onRetry={restart} />
        ) : entries.length === 0 && data && !isPlaceholderData && !list.hasNextPage ? (
          <Nothing
            search={search}
            isLive={isLive}
            onAll={() => set({ last: "all", from: undefined, to: undefined })}
          />
        ) : (
          <div className="logs-place" data-old={isPlaceholderData}>
            {isLive && live.held > 0 && (
              <button type="button" className="button button-primary logs-new" onClick={showHeld}>
                {live.held.toLocaleString("en")} new
              </button>
            )}
            <LogTable
              project={project}
              entries={entries}
              isPending={list.isPending}
              more={{
                has: list.hasNextPage && !cut,
                isFetching: list.isFetching,
                failed: list.isFetchNextPageError ? error : null,
                fetch: list.fetchNextPage,
              }}
              finder={finder}
              open={open}
              cut={cut}
              box={box}
              onToggle={toggle}
              onScrolled={setScrolled}
              onPair={(pair) => set({ attr: withPair(search.attr, pair) })}
              onTrace={(trace) => only({ trace, last: "all" })}
              onAround={around}
            />
          </div>
        )}
      </div>
    </div>
  );
}

interface NothingProps {
  search: LogsSearch;
  isLive: boolean;
  onAll: () => void;
}

function Nothing({ search, isLive, onAll }: NothingProps) {
  const all = isAll(search);
  if (all && !isFiltered(search)) {
    return (
      <Empty icon="logs" title={isLive ? "Nothing has arrived yet" : "Nothing was said here yet"}>
        <p>
          Programs send their logs with OpenTelemetry to <code>/v1/logs</code> of this mesh, as{" "}
          <code>docs/telemetry.md</code> says.
        </p>
      </Empty>
    );
  }
  const time = all ? "" : stays(search) ? " in this time" : ` in the last ${search.last ?? DEFAULT_LAST}`;
  return (
    <Empty icon="search" title={`Nothing ${isFiltered(search) ? "matches" : "was said"}${time}`}>
      {isLive && <p>What arrives shows here by itself.</p>}
      {!isLive && search.q && (
        <p>
          Whole words are found: <code>begin*</code> finds those that begin so.
        </p>
      )}
      {!all && (
        <button type="button" className="button" onClick={onAll}>
          <Icon name="clock" /> Look in all that is kept
        </button>
      )}
    </Empty>
  );
}
