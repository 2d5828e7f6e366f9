// Traces: those with a span for which all holds that is asked, the newest first.
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo } from "react";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { Chips, TextField, WhenPicker } from "../logs/filters";
import { isTraceId } from "../logs/pairs";
import { type Bounds, boundsOf, DEFAULT_LAST, isAll, stays } from "../logs/when";
import { traces as client } from "../rpc/logs";
import { count } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/states";
import { filterOf, isFiltered, lengthOf, readTracesSearch, type TracesSearch } from "./search";
import { TraceTable } from "./table";

const route = getRouteApi("/traces");
const PAGE = 100;

interface Place {
  token: string;
  /** The time of the first page, which the token is of. */
  bounds?: Bounds;
}

export function TracesPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = "Traces · weft";
  }, []);
  const { last, from, to, min, ...rest } = search;
  const list = useInfiniteQuery({
    queryKey: ["traces", project, { ...rest, last, from, to, min }],
    queryFn: async ({ pageParam, signal }) => {
      const bounds = pageParam.bounds ?? boundsOf({ last, from, to }, Date.now());
      const asked = { ...filterOf(project, search), ...bounds, pageSize: PAGE, pageToken: pageParam.token };
      const { traces, nextPageToken } = await client.searchTraces(asked, { signal });
      return { traces, next: nextPageToken, bounds };
    },
    initialPageParam: { token: "" } as Place,
    getNextPageParam: ({ next, bounds }): Place | undefined => (next ? { token: next, bounds } : undefined),
    placeholderData: (before, query) => (query?.queryKey[1] === project ? before : undefined),
    staleTime: 30_000,
    refetchOnWindowFocus: false,
  });
  const found = useMemo(() => {
    // A trace whose spans came over a while is of more than one page.
    const byName = new Map(list.data?.pages.flatMap((page) => page.traces).map((one) => [one.name, one]));
    return [...byName.values()];
  }, [list.data]);
  const services = useMemo(() => [...new Set(found.flatMap((one) => one.serviceNames))].sort(), [found]);
  const operations = useMemo(() => [...new Set(found.map((one) => one.rootOperation))].sort(), [found]);
  // Of what the address is by now: two fields may be left one right after the other.
  const set = (part: Partial<TracesSearch>, replace = false) =>
    navigate({ to: "/traces", search: (now) => ({ ...readTracesSearch(now), ...part }), replace });
  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker project={project} onPick={(next) => set({ project: next })} />
        <h1>Traces</h1>
        <ShellTools />
      </header>
      <div className="page-body traces-body">
        <div className="toolbar logs-toolbar">
          <span className="logs-service-field">
            <TextField
              label="Service"
              value={search.service ?? ""}
              offers={services}
              onChange={(service) => set({ service: service || undefined })}
            />
          </span>
          <div className="search-field">
            <Icon name="search" />
            <TextField
              label="Operation"
              value={search.operation ?? ""}
              offers={operations}
              onChange={(operation) => set({ operation: operation || undefined })}
            />
          </div>
          <span className="logs-length-field">
            <TextField
              label="Took at least"
              placeholder="at least 250ms"
              value={search.min ?? ""}
              isValid={(text) => lengthOf(text) !== undefined}
              onChange={(length) => set({ min: length.trim() || undefined })}
            />
          </span>
          <label className="check">
            <input
              type="checkbox"
              checked={search.errors === true}
              onChange={(event) => set({ errors: event.target.checked || undefined })}
            />
            Errors only
          </label>
          <WhenPicker when={search} onChange={set} />
          <button
            type="button"
            className="icon-button"
            aria-label="Search again"
            title="Search again"
            onClick={() => list.refetch()}
          >
            <Icon name="refresh" />
          </button>
        </div>
        <div className="toolbar logs-chips">
          <Chips
            pairs={search.attr}
            placeholder="key=value, or a trace id"
            onChange={(attr) => set({ attr })}
            onOther={(text) => {
              if (!isTraceId(text)) return false;
              void navigate({
                to: "/traces/$project/$trace",
                params: { project, trace: text.toLowerCase() },
                search: {},
              });
              return true;
            }}
          />
          <span className="toolbar-count" role="status">
            {list.data && `${count(found.length)}${list.hasNextPage ? "+" : ""}`}
            {list.isFetching && " · looking"}
          </span>
        </div>
        {list.isError && !list.data ? (
          <Failure title="The traces cannot be searched" error={list.error} onRetry={() => list.refetch()} />
        ) : list.data && found.length === 0 && !list.hasNextPage && !list.isPlaceholderData ? (
          <Nothing search={search} onAll={() => set({ last: "all", from: undefined, to: undefined })} />
        ) : (
          <TraceTable
            project={project}
            traces={found}
            isPending={list.isPending}
            more={{
              has: list.hasNextPage,
              isFetching: list.isFetching,
              failed: list.isFetchNextPageError ? list.error : null,
              fetch: list.fetchNextPage,
            }}
          />
        )}
      </div>
    </div>
  );
}

function Nothing({ search, onAll }: { search: TracesSearch; onAll: () => void }) {
  const all = isAll(search);
  if (all && !isFiltered(search)) {
    return (
      <Empty icon="trace" title="There are no traces yet">
        <p>
          Programs send their spans with OpenTelemetry to <code>/v1/traces</code> of this mesh, as{" "}
          <code>docs/telemetry.md</code> says.
        </p>
      </Empty>
    );
  }
  const time = all ? "" : stays(search) ? " in this time" : ` in the last ${search.last ?? DEFAULT_LAST}`;
  return (
    <Empty icon="search" title={`No trace ${isFiltered(search) ? "matches" : "began"}${time}`}>
      {isFiltered(search) && <p>All that is asked must hold for one span of a trace.</p>}
      {!all && (
        <button type="button" className="button" onClick={onAll}>
          <Icon name="clock" /> Look in all that is kept
        </button>
      )}
    </Empty>
  );
}
