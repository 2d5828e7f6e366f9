// One graph: the map of it or the table of its nodes, and what is known about
// the node at hand.
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { palette } from "../app/palette";
import { currentProject } from "../app/project";
import { Loading, ShellTools } from "../app/shell";
import { useStore, useStoreValue } from "../app/store";
import { Code } from "@connectrpc/connect";
import { codeOf } from "../rpc/errors";
import { compact, count, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/states";
import { ExportMenu } from "../graphs/export";
import { GraphService } from "../gen/weft/graph/v1/graph_service_pb";
import { session } from "../auth/session";
import { may } from "../rpc/policy";
import { LayoutControls } from "./controls";
import { attachKeys } from "./keys";
import { Legend } from "./legend";
import { LiveGraph } from "./live";
import { MapView } from "./map";
import { NodeSearch } from "./search";

const route = getRouteApi("/graphs/$project/$graph");
const AnalysisPanel = lazy(() =>
  import("../analysis/panel").then((found) => ({ default: found.AnalysisPanel })),
);
const ImportDialog = lazy(async () => ({
  default: (await import("../graphs/import-dialog")).ImportDialog,
}));
const NodesTable = lazy(async () => ({ default: (await import("./nodes-table")).NodesTable }));
const loadPanel = () => import("./panel");
const SidePanel = lazy(async () => ({ default: (await loadPanel()).SidePanel }));
const SourcesView = lazy(() => import("../sources/view"));
const VIEWS = [
  { view: undefined, label: "Map", icon: "map" },
  { view: "table", label: "Table", icon: "table" },
  { view: "sources", label: "Sources", icon: "folder" },
] as const;

export function GraphPage() {
  const { project, graph } = route.useParams();
  const [live, setLive] = useState<LiveGraph | null>(null);
  useEffect(() => {
    currentProject.set(project);
    const opened = new LiveGraph(project, graph);
    setLive(opened);
    opened.start();
    return () => opened.dispose();
  }, [project, graph]);
  return live && live.project === project && live.id === graph ? (
    <OpenGraph key={live.name} live={live} />
  ) : null;
}

function OpenGraph({ live }: { live: LiveGraph }) {
  const navigate = useNavigate();
  const search = route.useSearch();
  // One by one: the layout and the pointer change the rest of the state many times a second.
  const phase = useStoreValue(live.state, (state) => state.phase);
  const error = useStoreValue(live.state, (state) => state.error);
  const shown = useStoreValue(live.state, (state) => state.graph);
  const selected = useStoreValue(live.state, (state) => state.selected);
  const webgl = useStoreValue(live.state, (state) => state.webgl);
  useStoreValue(live.state, (state) => state.version);
  const { principal } = useStore(session.store);
  const [importing, setImporting] = useState(false);
  const { view } = search;
  const map = view === undefined;
  const analysing = search.analysis !== undefined && view !== "sources";
  const title = shown?.displayName || live.id;
  const mayImport = may(principal, GraphService.method.importGraph, live.project);
  const setSearch = (part: Partial<typeof search>) =>
    navigate({
      from: "/graphs/$project/$graph",
      to: ".",
      search: (now) => ({ ...now, ...part }),
      replace: true,
    });

  useEffect(() => {
    document.title = `${title} · weft`;
  }, [title]);

  // A click on a node should find its panel there.
  useEffect(() => {
    if (phase === "ready") void loadPanel().catch(() => {});
  }, [phase]);

  // The address follows the selection, so that it can be sent to somebody.
  const selectedKey = selected >= 0 ? live.model?.keys[selected] : undefined;
  useEffect(() => {
    if (search.node) live.goToKey(search.node);
  }, [live]);
  useEffect(() => {
    if (phase === "ready" && selectedKey !== search.node) setSearch({ node: selectedKey });
  }, [selectedKey, phase]);

  useEffect(() => {
    const toggle = () => setSearch({ view: view === "table" ? undefined : "table" });
    const undo = [
      attachKeys(live, toggle),
      palette.offer([
        {
          id: "fit",
          title: "Fit the graph into the view",
          hint: "F",
          icon: "fit",
          run: () => live.scene?.fit(),
        },
        {
          id: "view",
          title: view === "table" ? "Show the map" : "Show the table of nodes",
          hint: "T",
          icon: "table",
          run: toggle,
        },
        {
          id: "sources",
          title: "Sources of this graph",
          icon: "folder",
          run: () => setSearch({ view: "sources" }),
        },
        {
          id: "analyses",
          title: "Analyse this graph",
          icon: "chart",
          run: () => setSearch({ analysis: "all", view: undefined }),
        },
        {
          id: "snapshot",
          title: "Save a picture of the map",
          hint: "S",
          icon: "camera",
          run: () => live.scene && live.state.patch({ snapshot: true }),
        },
        { id: "reheat", title: "Reheat the layout", icon: "heat", run: () => void live.command("reheat") },
        {
          id: "dims",
          title: "Change between 2D and 3D",
          icon: "map",
          run: () => live.setDimensions(live.state.get().dimensions === 2 ? 3 : 2),
        },
      ]),
    ];
    return () => {
      for (const one of undo) one();
    };
  }, [live, view]);

  const failed = phase === "failed";
  const empty = phase === "ready" && live.model?.liveNodeCount === 0;
  return (
    <div className="page graph-page">
      <header className="bar">
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/graphs" search={{ project: live.project }}>
            {live.project}
          </Link>
          <span aria-hidden="true">/</span>
          <h1>{title}</h1>
        </nav>
        {phase === "ready" && (
          <span
            className="bar-counts"
            title={`${plural(live.model?.liveNodeCount ?? 0, "node")}, ${plural(live.model?.edgeCount ?? 0, "edge")}, revision ${live.model?.revision}`}
          >
            {compact(live.model?.liveNodeCount ?? 0)} nodes · {compact(live.model?.edgeCount ?? 0)} edges
          </span>
        )}
        {!failed && <NodeSearch live={live} />}
        <div className="segments" role="group" aria-label="View">
          {VIEWS.map((one) => (
            <button
              key={one.label}
              type="button"
              className="segment"
              aria-pressed={view === one.view}
              data-active={view === one.view}
              onClick={() => setSearch({ view: one.view })}
            >
              <Icon name={one.icon} /> {one.label}
            </button>
          ))}
        </div>
        <button
          type="button"
          className="icon-button"
          aria-label="Analyses"
          aria-pressed={analysing}
          title="Analyses"
          onClick={() => setSearch({ analysis: analysing ? undefined : "all", view: undefined })}
        >
          <Icon name="chart" size={18} />
        </button>
        {mayImport && (
          <button
            type="button"
            className="icon-button"
            aria-label="Import files"
            title="Import files"
            onClick={() => setImporting(true)}
          >
            <Icon name="upload" size={18} />
          </button>
        )}
        <ExportMenu graph={live.name} />
        <ShellTools />
      </header>
      <div className="graph-body">
        {failed ? (
          <Failure
            title={codeOf(error) === Code.NotFound ? "This graph is not there" : "The graph cannot be shown"}
            error={error}
            onRetry={() => live.start()}
          />
        ) : (
          <>
            {analysing && phase === "ready" && (
              <Suspense fallback={<aside className="panel analysis-panel" aria-busy="true" />}>
                <AnalysisPanel
                  live={live}
                  selected={search.analysis === "all" ? undefined : search.analysis}
                  onSelect={(analysis) => setSearch({ analysis: analysis ?? "all" })}
                  onClose={() => setSearch({ analysis: undefined })}
                />
              </Suspense>
            )}
            <div className="graph-stage">
              {map && webgl && <MapView live={live} />}
              {map && !webgl && <NoWebGl onTable={() => setSearch({ view: "table" })} />}
              {view === "table" && (
                <Suspense fallback={<Loading />}>
                  <NodesTable live={live} />
                </Suspense>
              )}
              {view === "sources" && (
                <Suspense fallback={<Loading />}>
                  <SourcesView
                    project={live.project}
                    graph={live.name}
                    selected={search.source}
                    onSelect={(source) => setSearch({ source })}
                  />
                </Suspense>
              )}
              {map && empty && (
                <div className="stage-cover">
                  <Empty icon="graph" title="This graph is empty">
                    <p>
                      Import files here, or from the shell with{" "}
                      <code>weft graph import FILE --graph {live.id}</code>
                    </p>
                    {mayImport && (
                      <div className="button-row">
                        <button
                          type="button"
                          className="button button-primary"
                          onClick={() => setImporting(true)}
                        >
                          <Icon name="upload" /> Import files
                        </button>
                        <button
                          type="button"
                          className="button"
                          onClick={() => setSearch({ view: "sources" })}
                        >
                          <Icon name="folder" /> Keep it true to a folder
                        </button>
                      </div>
                    )}
                  </Empty>
                </div>
              )}
              {map && webgl && !empty && <Placing live={live} />}
              {map && webgl && !empty && <LayoutGone live={live} />}
              {map && webgl && phase === "ready" && !empty && (
                <>
                  <Legend live={live} />
                  <LayoutControls live={live} />
                </>
              )}
            </div>
            {view !== "sources" && selected >= 0 && live.model && (
              <Suspense fallback={<aside className="panel" aria-busy="true" />}>
                <SidePanel live={live} index={selected} />
              </Suspense>
            )}
          </>
        )}
      </div>
      {importing && (
        <Suspense>
          <ImportDialog graph={live.name} onClose={() => setImporting(false)} />
        </Suspense>
      )}
    </div>
  );
}

/** What is being waited for, until the first positions are there. */
function Placing({ live }: { live: LiveGraph }) {
  const { phase, progress, placing, layoutError, layoutGone } = useStore(live.state);
  if (phase === "ready" && (!placing || layoutGone)) return null;
  const total = progress.totalNodes + progress.totalEdges;
  const done = progress.nodes + progress.edges;
  return (
    <div className="stage-cover" role="status">
      <div className="placing">
        {layoutError ? (
          <p className="note note-warn">
            <Icon name="alert" /> The layout does not answer: {layoutError}
          </p>
        ) : (
          <>
            <progress
              max={Math.max(1, total)}
              value={phase === "ready" ? undefined : done}
              aria-label="Loading"
            />
            <p>
              {phase === "ready"
                ? "Waiting for the first positions…"
                : total > 0
                  ? `${count(progress.nodes)} of ${count(progress.totalNodes)} nodes, ${count(progress.edges)} of ${count(progress.totalEdges)} edges`
                  : "Loading the graph…"}
            </p>
          </>
        )}
      </div>
    </div>
  );
}

/** Says that what is shown stands still, because its layout is not there any more. */
function LayoutGone({ live }: { live: LiveGraph }) {
  const gone = useStoreValue(live.state, (state) => state.layoutGone);
  const [making, setMaking] = useState(false);
  if (!gone) return null;
  const make = () => {
    setMaking(true);
    void live.makeLayout().finally(() => setMaking(false));
  };
  return (
    <div className="layout-gone float" role="alert">
      <p className="note note-warn">
        <Icon name="alert" />
        <span>
          Somebody has deleted this layout: the map stands still.
          {!live.mayMakeLayout && " Your role does not let you make it anew."}
        </span>
      </p>
      {live.mayMakeLayout && (
        <button type="button" className="button button-small" disabled={making} onClick={make}>
          Make it anew
        </button>
      )}
    </div>
  );
}

function NoWebGl({ onTable }: { onTable: () => void }) {
  return (
    <Empty icon="map" title="This browser cannot draw the map">
      <p>
        The map needs WebGL 2, which is switched off here or not supported. Everything else works: the table
        lists every node.
      </p>
      <button type="button" className="button button-primary" onClick={onTable}>
        <Icon name="table" /> Show the table
      </button>
    </Empty>
  );
}
