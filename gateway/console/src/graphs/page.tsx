// The graphs of a project.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { palette } from "../app/palette";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { type Graph, GraphKind } from "../gen/weft/graph/v1/graph_pb";
import { GraphService } from "../gen/weft/graph/v1/graph_service_pb";
import { graphs } from "../rpc/clients";
import { may } from "../rpc/policy";
import { CopyButton } from "../ui/copy";
import { ago, count, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { CreateGraphDialog } from "./create-dialog";
import { DeleteGraphDialog } from "./delete-dialog";
import { ExportMenu } from "./export";
import { ImportDialog } from "./import-dialog";

const route = getRouteApi("/graphs");
const ROW = 60;

type SortKey = "name" | "nodes" | "edges" | "updated";
const COLUMNS: readonly { key: SortKey; label: string; className?: string }[] = [
  { key: "name", label: "Name" },
  { key: "nodes", label: "Nodes", className: "number" },
  { key: "edges", label: "Edges", className: "number" },
  { key: "updated", label: "Updated" },
];

export function GraphsPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const { principal } = useStore(session.store);
  const [creating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<Graph | null>(null);
  const [importing, setImporting] = useState<string | null>(null);
  const filter = search.q ?? "";
  const deferredFilter = useDeferredValue(filter);
  const [sortKey, descending] = parseSort(search.sort);
  const mayCreate = may(principal, GraphService.method.createGraph, project);

  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = "Graphs · weft";
    if (!mayCreate) return;
    return palette.offer([
      { id: "new-graph", title: "New graph", icon: "plus", run: () => setCreating(true) },
    ]);
  }, [mayCreate]);

  const list = useQuery({
    queryKey: ["graphs", project],
    queryFn: ({ signal }) => listAll(project, signal),
    refetchInterval: 10_000,
  });
  const rows = useMemo(
    () =>
      sorted(
        (list.data ?? []).filter((graph) => matches(graph, deferredFilter)),
        sortKey,
        descending,
      ),
    [list.data, deferredFilter, sortKey, descending],
  );
  const set = (part: Partial<typeof search>) =>
    navigate({ to: "/graphs", search: (now) => ({ ...now, ...part }), replace: true });

  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker project={project} onPick={(next) => set({ project: next })} />
        <h1>Graphs</h1>
        <ShellTools />
      </header>
      <div className="page-body">
        <div className="toolbar">
          <label className="search-field">
            <Icon name="search" />
            <input
              type="search"
              placeholder="Filter by name, description or label"
              aria-label="Filter graphs"
              value={filter}
              onChange={(event) => set({ q: event.target.value || undefined })}
            />
          </label>
          <span className="toolbar-count" role="status">
            {list.data &&
              (filter ? `${count(rows.length)} of ${count(list.data.length)}` : count(list.data.length))}
          </span>
          {mayCreate && (
            <button type="button" className="button button-primary" onClick={() => setCreating(true)}>
              <Icon name="plus" /> New graph
            </button>
          )}
        </div>
        {list.isError && !list.data ? (
          <Failure title="The graphs cannot be listed" error={list.error} onRetry={() => list.refetch()} />
        ) : list.data?.length === 0 ? (
          <NoGraphs mayCreate={mayCreate} onCreate={() => setCreating(true)} project={project} />
        ) : (
          <GraphTable
            project={project}
            rows={rows}
            loading={list.isPending}
            filtered={filter !== ""}
            sortKey={sortKey}
            descending={descending}
            mayChange={mayCreate}
            onSort={(key) => set({ sort: key === sortKey && !descending ? `-${key}` : key })}
            onDelete={setDeleting}
            onImport={(graph) => setImporting(graph.name)}
          />
        )}
      </div>
      {creating && (
        <CreateGraphDialog
          project={project}
          onClose={() => setCreating(false)}
          onCreated={(name, next) => {
            setCreating(false);
            if (next === "import") setImporting(name);
            else navigate({ to: "/graphs/$project/$graph", params: { project, graph: lastPart(name) } });
          }}
        />
      )}
      {deleting && <DeleteGraphDialog graph={deleting} onClose={() => setDeleting(null)} />}
      {importing && <ImportDialog graph={importing} onClose={() => setImporting(null)} />}
    </div>
  );
}

interface TableProps {
  project: string;
  rows: Graph[];
  loading: boolean;
  filtered: boolean;
  sortKey: SortKey;
  descending: boolean;
  mayChange: boolean;
  onSort: (key: SortKey) => void;
  onDelete: (graph: Graph) => void;
  onImport: (graph: Graph) => void;
}

function GraphTable(props: TableProps) {
  const { project, rows, loading, sortKey, descending } = props;
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  return (
    <div className="table graphs-table" role="table" aria-label="Graphs" aria-rowcount={rows.length + 1}>
      <div className="table-head" role="row">
        {COLUMNS.map((column) => (
          <div
            key={column.key}
            role="columnheader"
            className={column.className}
            aria-sort={column.key === sortKey ? (descending ? "descending" : "ascending") : "none"}
          >
            <button type="button" onClick={() => props.onSort(column.key)}>
              {column.label}
              <span aria-hidden="true">{column.key === sortKey ? (descending ? "↓" : "↑") : ""}</span>
            </button>
          </div>
        ))}
        <div role="columnheader" className="actions">
          <span className="hidden-text">Actions</span>
        </div>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="table-body" ref={box} role="rowgroup" tabIndex={0} aria-label="Rows">
        {loading
          ? Array.from({ length: 6 }, (_, i) => (
              <div className="table-row" role="row" key={i}>
                <div role="cell">
                  <Skeleton width={`${60 - i * 6}%`} />
                </div>
                <div role="cell" className="number">
                  <Skeleton width="50%" />
                </div>
                <div role="cell" className="number">
                  <Skeleton width="50%" />
                </div>
                <div role="cell">
                  <Skeleton width="60%" />
                </div>
                <div role="cell" className="actions" />
              </div>
            ))
          : null}
        {!loading && rows.length === 0 && props.filtered && (
          <p className="table-none">No graph matches the filter.</p>
        )}
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const graph = rows[item.index];
            const id = lastPart(graph.name);
            return (
              <div
                key={graph.name}
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
                <div role="cell">
                  <Link to="/graphs/$project/$graph" params={{ project, graph: id }} className="row-link">
                    {graph.displayName || id}
                  </Link>
                  <small>
                    {graph.displayName && <code>{id}</code>}
                    {graph.kind === GraphKind.WORKFLOW && <span className="tag">workflow</span>}
                    {graph.description}
                  </small>
                </div>
                <div role="cell" className="number">
                  {count(graph.nodeCount)}
                </div>
                <div role="cell" className="number">
                  {count(graph.edgeCount)}
                </div>
                <div role="cell" title={when(graph.updateTime)}>
                  {ago(graph.updateTime)}
                  <small>revision {count(graph.revision)}</small>
                </div>
                <div role="cell" className="actions">
                  {props.mayChange && (
                    <button
                      type="button"
                      className="icon-button"
                      aria-label={`Import into ${id}`}
                      title="Import files"
                      onClick={() => props.onImport(graph)}
                    >
                      <Icon name="upload" />
                    </button>
                  )}
                  <ExportMenu graph={graph.name} />
                  {props.mayChange && (
                    <button
                      type="button"
                      className="icon-button"
                      aria-label={`Delete ${id}`}
                      title="Delete"
                      onClick={() => props.onDelete(graph)}
                    >
                      <Icon name="trash" />
                    </button>
                  )}
                </div>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function NoGraphs({
  mayCreate,
  onCreate,
  project,
}: {
  mayCreate: boolean;
  onCreate: () => void;
  project: string;
}) {
  const command = `weft graph import debian.tsv --graph debian${project === "default" ? "" : ` --project ${project}`}`;
  return (
    <Empty icon="graph" title="No graphs here yet">
      <p>Bring one in from a file, from the shell:</p>
      <div className="command-line">
        <code>{command}</code>
        <CopyButton text={command} />
      </div>
      {mayCreate && (
        <>
          <p>or make an empty one here and drop files on it.</p>
          <button type="button" className="button button-primary" onClick={onCreate}>
            <Icon name="plus" /> New graph
          </button>
        </>
      )}
    </Empty>
  );
}

async function listAll(project: string, signal: AbortSignal): Promise<Graph[]> {
  const all: Graph[] = [];
  let pageToken = "";
  do {
    const page = await graphs.listGraphs(
      { parent: `projects/${project}`, pageSize: 1000, pageToken },
      { signal },
    );
    all.push(...page.graphs);
    pageToken = page.nextPageToken;
  } while (pageToken && all.length < 20_000);
  return all;
}

function parseSort(sort: string | undefined): [SortKey, boolean] {
  const key = (sort ?? "-updated").replace(/^-/, "") as SortKey;
  return [
    COLUMNS.some((column) => column.key === key) ? key : "updated",
    (sort ?? "-updated").startsWith("-"),
  ];
}

function matches(graph: Graph, filter: string): boolean {
  if (!filter) return true;
  const labels = Object.entries(graph.labels).map(([key, value]) => `${key}=${value}`);
  const text = [graph.name, graph.displayName, graph.description, ...labels].join(" ").toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function sorted(list: Graph[], key: SortKey, descending: boolean): Graph[] {
  const value = (graph: Graph): string | bigint => {
    if (key === "nodes") return graph.nodeCount;
    if (key === "edges") return graph.edgeCount;
    if (key === "updated")
      return (graph.updateTime?.seconds ?? 0n) * 1_000_000_000n + BigInt(graph.updateTime?.nanos ?? 0);
    return (graph.displayName || lastPart(graph.name)).toLowerCase();
  };
  return list.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1);
  });
}
