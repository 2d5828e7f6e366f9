// The runs of a project, the newest first: what was run, and what became of it.
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { palette } from "../app/palette";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import type { Execution } from "../gen/weft/execution/v1/execution_pb";
import { ExecutionService } from "../gen/weft/execution/v1/execution_service_pb";
import { useDebounced } from "../graph/search";
import { executions as client } from "../rpc/executions";
import { may } from "../rpc/policy";
import { count, lastPart, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/states";
import { toast } from "../ui/toast";
import { forEach, told } from "./bulk";
import { filterOf, hasEnded, mayRetry, RUN_STATES } from "./model";
import { SavedMenu } from "./saved-menu";
import { StartDialog } from "./start-dialog";
import { ExecutionTable } from "./table";
import { listWorkflows } from "./workflows";

const route = getRouteApi("/executions");
const PAGE = 200;
/** Runs move: while few are loaded they are asked for again so often. */
const REFRESH_MILLISECONDS = 2_000;
const REFRESHED_PAGES = 2;

export function ExecutionsPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const { principal } = useStore(session.store);
  const mayStart = may(principal, ExecutionService.method.createExecution, project);
  const [starting, setStarting] = useState(false);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());

  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = "Runs · weft";
    if (!mayStart) return;
    return palette.offer([
      { id: "new-run", title: "Run a workflow", icon: "play", run: () => setStarting(true) },
    ]);
  }, [mayStart]);

  const filter = filterOf({ ...search, q: useDebounced(search.q, 250) });
  const workflows = useQuery({
    queryKey: ["workflows", project],
    queryFn: ({ signal }) => listWorkflows(project, signal),
  });
  const list = useInfiniteQuery({
    queryKey: ["executions", project, filter],
    queryFn: ({ pageParam, signal }) =>
      client.listExecutions(
        { parent: `projects/${project}`, pageSize: PAGE, pageToken: pageParam, filter },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.nextPageToken || undefined,
    refetchInterval: ({ state }) =>
      (state.data?.pages.length ?? 0) <= REFRESHED_PAGES ? REFRESH_MILLISECONDS : false,
    placeholderData: (before, query) => (query?.queryKey[1] === project ? before : undefined),
  });
  const found = useMemo(() => list.data?.pages.flatMap((page) => page.executions) ?? [], [list.data]);
  const picked = found.filter((execution) => chosen.has(execution.name));
  const set = (part: Partial<typeof search>) => {
    setChosen(new Set());
    return navigate({ to: "/executions", search: (now) => ({ ...now, ...part }), replace: true });
  };
  const bulk = useMutation({
    mutationFn: async ({ what, of }: { what: "cancel" | "retry"; of: readonly Execution[] }) => {
      const outcome = await forEach(of, ({ name }) =>
        what === "cancel"
          ? client.cancelExecution({ name })
          : client.retryExecution({ name, requestId: crypto.randomUUID() }),
      );
      return { outcome, what };
    },
    onSuccess: ({ outcome, what }) => {
      const text = told(outcome, what === "cancel" ? "cancelled" : "retried");
      if (outcome.refused.size > 0) toast.error(text);
      else toast.done(text);
      setChosen(new Set());
      void list.refetch();
    },
  });
  const open = (name: string) =>
    navigate({
      to: "/executions/$project/$execution",
      params: { project, execution: lastPart(name) },
      search: {},
    });
  const toCancel = picked.filter((execution) => !hasEnded(execution));
  const toRetry = picked.filter(mayRetry);

  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker project={project} onPick={(next) => set({ project: next, workflow: undefined })} />
        <h1>Runs</h1>
        <ShellTools />
      </header>
      <div className="page-body">
        <div className="toolbar runs-toolbar">
          <div className="search-field">
            <Icon name="search" />
            <input
              type="search"
              aria-label="Search names"
              placeholder="Name of a run or workflow"
              value={search.q ?? ""}
              onChange={(event) => set({ q: event.target.value || undefined })}
            />
          </div>
          <label className="inline-field">
            <span className="hidden-text">State</span>
            <select
              aria-label="State"
              value={search.state ?? ""}
              onChange={(event) => set({ state: event.target.value || undefined })}
            >
              <option value="">in any state</option>
              {RUN_STATES.map((state) => (
                <option key={state} value={state}>
                  {state === "waiting" ? "waiting for a person" : state}
                </option>
              ))}
            </select>
          </label>
          <label className="inline-field">
            <span className="hidden-text">Workflow</span>
            <select
              aria-label="Workflow"
              value={search.workflow ?? ""}
              onChange={(event) => set({ workflow: event.target.value || undefined })}
            >
              <option value="">of any workflow</option>
              {workflows.data?.map((graph) => (
                <option key={graph.name} value={lastPart(graph.name)}>
                  {graph.displayName || lastPart(graph.name)}
                </option>
              ))}
            </select>
          </label>
          <SavedMenu
            filter={{ state: search.state, workflow: search.workflow, q: search.q }}
            onPick={(saved) => set({ state: undefined, workflow: undefined, q: undefined, ...saved })}
          />
          <span className="toolbar-count" role="status">
            {list.data && `${count(found.length)}${list.hasNextPage ? "+" : ""}`}
            {list.isFetchingNextPage && " · looking further"}
          </span>
          <Link to="/executions/limits" search={{ project }} className="button">
            Limits
          </Link>
          {mayStart && (
            <button type="button" className="button button-primary" onClick={() => setStarting(true)}>
              <Icon name="play" /> Run
            </button>
          )}
        </div>
        {picked.length > 0 && (
          <section className="chosen-bar" aria-label="Chosen runs">
            <span role="status">{plural(picked.length, "run")} chosen</span>
            <button
              type="button"
              className="button button-small"
              disabled={toCancel.length === 0 || bulk.isPending}
              onClick={() => bulk.mutate({ what: "cancel", of: toCancel })}
            >
              <Icon name="stop" /> Cancel {count(toCancel.length)}
            </button>
            <button
              type="button"
              className="button button-small"
              disabled={toRetry.length === 0 || bulk.isPending}
              onClick={() => bulk.mutate({ what: "retry", of: toRetry })}
            >
              <Icon name="refresh" /> Retry {count(toRetry.length)}
            </button>
            <button type="button" className="button button-small" onClick={() => setChosen(new Set())}>
              Choose none
            </button>
          </section>
        )}
        {list.isError && !list.data ? (
          <Failure title="The runs cannot be listed" error={list.error} onRetry={() => list.refetch()} />
        ) : list.data && found.length === 0 && filter === "" && !list.hasNextPage ? (
          <Empty icon="runs" title="Nothing was run yet">
            <p>A workflow that is run shows here: how it stands, what it waits for, and what it gave.</p>
            {mayStart && (
              <button type="button" className="button button-primary" onClick={() => setStarting(true)}>
                <Icon name="play" /> Run a workflow
              </button>
            )}
          </Empty>
        ) : (
          <ExecutionTable
            project={project}
            executions={found}
            isPending={list.isPending}
            more={{
              has: list.hasNextPage,
              isFetching: list.isFetching,
              failed: list.isFetchNextPageError ? list.error : null,
              fetch: list.fetchNextPage,
            }}
            chosen={mayStart ? chosen : undefined}
            onChoose={setChosen}
          />
        )}
      </div>
      {starting && (
        <StartDialog
          project={project}
          workflow={search.workflow}
          onClose={() => setStarting(false)}
          onStarted={open}
        />
      )}
    </div>
  );
}
