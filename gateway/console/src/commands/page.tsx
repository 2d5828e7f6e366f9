// The commands of a project, the newest first: what was asked of whom, and what
// became of it.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { palette } from "../app/palette";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { CommandService } from "../gen/weft/command/v1/command_service_pb";
import { commands as client } from "../rpc/fleet";
import { may } from "../rpc/policy";
import { count, lastPart } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { CommandDialog } from "./create-dialog";
import { STATES } from "./model";
import { COLUMNS, CommandCells } from "./rows";
import { listTypes } from "./types";

const route = getRouteApi("/commands");
const PAGE = 100;
const ROW = 56;
/** Commands move: what is in sight is asked for again so often. */
const REFRESH_MILLISECONDS = 3_000;

/** Not a state of its own: a pending command that somebody must approve. */
const WAITING = "waiting";

export function CommandsPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const { principal } = useStore(session.store);
  const mayCreate = may(principal, CommandService.method.createCommand, project);
  const [creating, setCreating] = useState(false);

  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = "Commands · weft";
    if (!mayCreate) return;
    return palette.offer([
      { id: "new-command", title: "New command", icon: "terminal", run: () => setCreating(true) },
    ]);
  }, [mayCreate]);

  const filter = filterOf(search.state, search.type);
  const types = useQuery({
    queryKey: ["command-types", project],
    queryFn: ({ signal }) => listTypes(project, signal),
  });
  const list = useInfiniteQuery({
    queryKey: ["commands", project, filter],
    queryFn: ({ pageParam, signal }) =>
      client.listCommands(
        { parent: `projects/${project}`, pageSize: PAGE, pageToken: pageParam, filter },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.nextPageToken || undefined,
    refetchInterval: REFRESH_MILLISECONDS,
    placeholderData: (before, query) => (query?.queryKey[1] === project ? before : undefined),
  });
  const found = list.data?.pages.flatMap((page) => page.commands) ?? [];
  const set = (part: Partial<typeof search>) =>
    navigate({ to: "/commands", search: (now) => ({ ...now, ...part }), replace: true });

  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker project={project} onPick={(next) => set({ project: next, type: undefined })} />
        <h1>Commands</h1>
        <ShellTools />
      </header>
      <div className="page-body">
        <div className="toolbar">
          <label className="inline-field">
            <span className="hidden-text">State</span>
            <select
              aria-label="State"
              value={search.state ?? ""}
              onChange={(event) => set({ state: event.target.value || undefined })}
            >
              <option value="">in any state</option>
              {STATES.map((state) => (
                <option key={state}>{state}</option>
              ))}
              <option value={WAITING}>waits for a second person</option>
            </select>
          </label>
          <label className="inline-field">
            <span className="hidden-text">Type</span>
            <select
              aria-label="Type"
              value={search.type ?? ""}
              onChange={(event) => set({ type: event.target.value || undefined })}
            >
              <option value="">of any type</option>
              {types.data?.map((type) => (
                <option key={type.name}>{lastPart(type.name)}</option>
              ))}
            </select>
          </label>
          <span className="toolbar-count" role="status">
            {list.data && `${count(found.length)}${list.hasNextPage ? "+" : ""}`}
          </span>
          {mayCreate && (
            <button type="button" className="button button-primary" onClick={() => setCreating(true)}>
              <Icon name="plus" /> New command
            </button>
          )}
        </div>
        {list.isError && !list.data ? (
          <Failure title="The commands cannot be listed" error={list.error} onRetry={() => list.refetch()} />
        ) : list.data && found.length === 0 && filter === "" ? (
          <Empty icon="terminal" title="Nothing was asked of the agents yet">
            {mayCreate && (
              <button type="button" className="button button-primary" onClick={() => setCreating(true)}>
                <Icon name="plus" /> New command
              </button>
            )}
          </Empty>
        ) : (
          <CommandTable project={project} list={list} filtered={filter !== ""} />
        )}
      </div>
      {creating && (
        <CommandDialog
          project={project}
          agents={[]}
          onClose={() => setCreating(false)}
          onCreated={(name) =>
            navigate({ to: "/commands/$project/$command", params: { project, command: lastPart(name) } })
          }
        />
      )}
    </div>
  );
}

interface TableProps {
  project: string;
  filtered: boolean;
  list: Pick<
    ReturnType<typeof useInfiniteQuery<Awaited<ReturnType<typeof client.listCommands>>>>,
    "isPending" | "hasNextPage" | "isFetching" | "fetchNextPage"
  > & { data?: { pages: Awaited<ReturnType<typeof client.listCommands>>[] } };
}

function CommandTable({ project, list, filtered }: TableProps) {
  const commands = list.data?.pages.flatMap((page) => page.commands) ?? [];
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: commands.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (at) => commands[at].name,
    overscan: 10,
  });
  const items = virtual.getVirtualItems();
  const lastSeen = items[items.length - 1]?.index ?? 0;
  useEffect(() => {
    if (lastSeen > commands.length - 40 && list.hasNextPage && !list.isFetching) void list.fetchNextPage();
  }, [lastSeen, commands.length, list.hasNextPage, list.isFetching, list.fetchNextPage]);
  return (
    <div
      className="table commands-table"
      role="table"
      aria-label="Commands"
      aria-rowcount={list.hasNextPage ? -1 : commands.length + 1}
    >
      <div className="table-head" role="row">
        {COLUMNS.map((label) => (
          <div key={label} role="columnheader">
            {label}
          </div>
        ))}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="table-body" ref={box} role="rowgroup" tabIndex={0} aria-label="Rows">
        {list.isPending &&
          [60, 45, 70].map((width) => (
            <div key={width} className="table-row" role="row">
              <div role="cell">
                <Skeleton width={`${width}%`} />
              </div>
            </div>
          ))}
        {!list.isPending && commands.length === 0 && filtered && (
          <p className="table-none">No command matches.</p>
        )}
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {items.map((item) => (
            <div
              key={item.key}
              role="row"
              aria-rowindex={item.index + 2}
              className="table-row table-row-link"
              style={{
                position: "absolute",
                top: 0,
                left: 0,
                right: 0,
                transform: `translateY(${item.start}px)`,
              }}
            >
              <CommandCells command={commands[item.index]} project={project} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

function filterOf(state: string | undefined, type: string | undefined): string {
  const stands = state === WAITING ? "approval = waiting" : state && `state = ${state}`;
  return [stands, type && `command_type = "${type}"`].filter(Boolean).join(" AND ");
}
