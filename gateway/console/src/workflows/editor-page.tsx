// The editor of a workflow: a canvas with its nodes, the settings of what is chosen,
// and what is wrong with it. What is changed is saved by itself.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { palette } from "../app/palette";
import { currentProject } from "../app/project";
import { isTyping, ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { StartDialog } from "../executions/start-dialog";
import type { WorkflowFault } from "../gen/weft/execution/v1/execution_pb";
import { ExecutionService } from "../gen/weft/execution/v1/execution_service_pb";
import { GraphService } from "../gen/weft/graph/v1/graph_service_pb";
import { TriggerService } from "../gen/weft/trigger/v1/trigger_service_pb";
import { executions } from "../rpc/executions";
import { may } from "../rpc/policy";
import { lastPart } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Spinner } from "../ui/states";
import { AddDialog } from "./add-dialog";
import { Canvas } from "./canvas";
import { ConnectDialog } from "./connect-dialog";
import {
  type Document,
  type Point,
  parentOf,
  putNode,
  removeEdge,
  renameNode,
  setProperty,
} from "./document";
import { added, arranged, connected, moved, placed, type Where, without } from "./edits";
import { Editor, type SaveState } from "./editor";
import { fitted, shown, type View, zoomed } from "./editor-view";
import { boxesOf } from "./geometry";
import { Inspector } from "./inspector";
import { placesOf } from "./layout";
import { hasBody, type Kinds } from "./ports";
import { Problems } from "./problems";
import { NOTHING, only, type Selection } from "./selection";
import { nearest } from "./steering";

const route = getRouteApi("/workflows/$project/$graph");

type Open = { what: "add"; where: Where } | { what: "connect"; source: string } | { what: "run" };

export function EditorPage() {
  const { project, graph } = route.useParams();
  const name = `projects/${project}/graphs/${graph}`;
  const editor = useMemo(() => new Editor(name), [name]);
  const state = useStore(editor.store);
  const kinds = useQuery({
    queryKey: ["node-kinds", project],
    queryFn: async ({ signal }) => {
      const { nodeKinds } = await executions.listNodeKinds(
        { parent: `projects/${project}`, pageSize: 1000 },
        { signal },
      );
      return new Map(nodeKinds.map((kind) => [kind.kind, kind]));
    },
    staleTime: 300_000,
  });
  useEffect(() => {
    void editor.load();
    return () => editor.close();
  }, [editor]);
  useEffect(() => currentProject.set(project), [project]);
  const title = state.title || graph;
  useEffect(() => {
    document.title = `${title} · weft`;
  }, [title]);
  const error = state.error ?? (kinds.data ? undefined : kinds.error);
  return (
    <div className="page">
      {state.document && kinds.data ? (
        <Workbench
          project={project}
          graph={graph}
          editor={editor}
          document={state.document}
          kinds={kinds.data}
        />
      ) : (
        <>
          <header className="bar">
            <Crumbs project={project} title={title} />
            <ShellTools />
          </header>
          {error ? (
            <Failure
              title="The workflow cannot be shown"
              error={error}
              onRetry={() => {
                void kinds.refetch();
                void editor.load();
              }}
            />
          ) : (
            <div className="empty">
              <Spinner label="Loading the workflow" />
            </div>
          )}
        </>
      )}
    </div>
  );
}

function Crumbs({ project, title }: { project: string; title: string }) {
  return (
    <nav className="crumbs" aria-label="Where you are">
      <Link to="/workflows" search={{ project }}>
        Workflows
      </Link>
      <span aria-hidden="true">/</span>
      <h1>{title}</h1>
    </nav>
  );
}

/** A workflow that is opened is not drawn smaller: one sees its beginning. */
const READABLE = 0.7;

const SAVED: Record<SaveState, string> = {
  saved: "Saved",
  changed: "Saving…",
  saving: "Saving…",
  away: "Not saved: the mesh is away",
  refused: "Not saved",
};

interface WorkbenchProps {
  project: string;
  graph: string;
  editor: Editor;
  document: Document;
  kinds: Kinds;
}

function Workbench({ project, graph, editor, document, kinds }: WorkbenchProps) {
  const state = useStore(editor.store);
  const navigate = useNavigate();
  const { principal } = useStore(session.store);
  const mayEdit = may(principal, GraphService.method.applyChanges, project);
  const mayRun = may(principal, ExecutionService.method.createExecution, project);
  const mayTrigger = may(principal, TriggerService.method.createTrigger, project);
  const [chosen, setChosen] = useState<Selection>(NOTHING);
  const [open, setOpen] = useState<Open | null>(null);
  const [view, setView] = useState<View>({ x: 0, y: 0, scale: 1 });
  const stage = useRef<HTMLDivElement>(null);
  const places = useMemo(() => placesOf(document, kinds), [document, kinds]);
  // What is gone is chosen no more.
  const selection = useMemo<Selection>(
    () => ({
      nodes: new Set([...chosen.nodes].filter((key) => document.nodes.has(key))),
      edge: chosen.edge !== undefined && document.edges.has(chosen.edge) ? chosen.edge : undefined,
    }),
    [chosen, document],
  );
  const [first] = selection.nodes;

  const boxes = useCallback((of: Document) => boxesOf(of, placesOf(of, kinds), kinds), [kinds]);
  const fit = useCallback(
    (smallest?: number) => {
      const { clientWidth = 0, clientHeight = 0 } = stage.current ?? {};
      const all = boxes(editor.store.get().document ?? { nodes: new Map(), edges: new Map() });
      setView(fitted(all.values(), clientWidth, clientHeight, smallest));
    },
    [boxes, editor],
  );
  // Once, when it is there; afterwards it stays where somebody has moved it.
  useEffect(() => fit(READABLE), [fit]);

  /** Chooses a node, and brings it into sight and, by the keyboard, into focus. */
  const go = (key: string, focus = true) => {
    setChosen(only(key));
    const box = boxes(editor.store.get().document ?? document).get(key);
    const { clientWidth = 0, clientHeight = 0 } = stage.current ?? {};
    if (box) setView((before) => shown(before, box, clientWidth, clientHeight));
    if (focus)
      requestAnimationFrame(() =>
        stage.current?.querySelector<HTMLElement>(`[data-node="${CSS.escape(key)}"] .wf-main`)?.focus(),
      );
  };
  const toSettings = (property?: string) =>
    requestAnimationFrame(() => {
      const panel = globalThis.document.querySelector(".wf-panel");
      const box = property && panel?.querySelector(`[data-setting-box="${CSS.escape(property)}"]`);
      (box || panel)?.querySelector<HTMLElement>("textarea, input, select")?.focus();
    });
  const change = (make: (before: Document) => Document, place?: string) => editor.change(make, place);
  const add = (kind: string, where: Where) => {
    const made = added(document, kind, where, kinds);
    change(() => made.document);
    setOpen(null);
    go(made.key);
  };
  const whereNow = (): Where => {
    if (selection.edge !== undefined) return { at: "on", edge: selection.edge };
    if (first === undefined) return { at: "alone" };
    const node = document.nodes.get(first);
    const isEmpty = ![...document.nodes.values()].some((one) => parentOf(one) === first);
    return node && hasBody(node, kinds) && isEmpty
      ? { at: "inside", key: first }
      : { at: "after", key: first };
  };
  const remove = (keys: readonly string[]) => change((before) => without(placed(before, kinds), keys));
  const move = (by: Point) => change((before) => moved(before, selection.nodes, by, kinds), "move");
  const arrange = () => {
    change((before) => arranged(before, kinds));
    requestAnimationFrame(() => fit(READABLE));
  };
  const run = async () => {
    await editor.flush();
    setOpen({ what: "run" });
  };
  const goTo = (fault: WorkflowFault) => {
    if (!document.nodes.has(fault.node)) return;
    go(fault.node, !fault.property);
    if (fault.property) toSettings(/^[^.[]*/.exec(fault.property)?.[0]);
  };

  const actions = useRef<(event: KeyboardEvent) => void>(() => {});
  actions.current = (event) => {
    if (isTyping(event.target) || open) return;
    const isControl = event.ctrlKey || event.metaKey;
    const inside = event.target instanceof Node && stage.current?.contains(event.target);
    const key = event.key.toLowerCase();
    const step = ARROWS[event.key];
    if (isControl && key === "z") event.shiftKey ? editor.redo() : editor.undo();
    else if (isControl && key === "y") editor.redo();
    else if (isControl || event.altKey) return;
    else if (step && inside && event.shiftKey && mayEdit) move({ x: step.x * 20, y: step.y * 20 });
    else if (step && (inside || event.target === globalThis.document.body)) {
      const next =
        first === undefined ? [...document.nodes.keys()][0] : nearest(boxes(document), first, step);
      if (next !== undefined) go(next);
    } else if (key === "f") fit();
    else if (event.key === "+" || event.key === "-")
      setView((before) => zoomed(before, event.key === "+" ? 1.2 : 1 / 1.2, middle()));
    else if (event.key === "Escape") setChosen(NOTHING);
    else if (event.key === "Enter" && inside && first !== undefined) {
      setChosen(only(first));
      toSettings();
    } else if (!mayEdit) return;
    else if (key === "a") setOpen({ what: "add", where: whereNow() });
    else if (key === "c" && first !== undefined) setOpen({ what: "connect", source: first });
    else if (key === "l") arrange();
    else if ((event.key === "Delete" || event.key === "Backspace") && inside && selection.nodes.size > 0) {
      remove([...selection.nodes]);
    } else if ((event.key === "Delete" || event.key === "Backspace") && selection.edge !== undefined) {
      const { edge } = selection;
      change((before) => removeEdge(before, edge));
    } else return;
    event.preventDefault();
  };
  const middle = (): Point => ({
    x: (stage.current?.clientWidth ?? 0) / 2,
    y: (stage.current?.clientHeight ?? 0) / 2,
  });
  useEffect(() => {
    const keys = (event: KeyboardEvent) => actions.current(event);
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, []);
  useEffect(() => {
    // What is not saved yet is not lost by closing the tab without a word.
    const leaving = (event: BeforeUnloadEvent) => {
      if (editor.store.get().save !== "saved") event.preventDefault();
    };
    addEventListener("beforeunload", leaving);
    return () => removeEventListener("beforeunload", leaving);
  }, [editor]);
  const runs = useRef(run);
  runs.current = run;
  useEffect(
    () =>
      palette.offer([
        ...(mayRun
          ? [
              {
                id: "run-this",
                title: "Run this workflow",
                icon: "play",
                run: () => void runs.current(),
              } as const,
            ]
          : []),
        ...(mayTrigger
          ? [
              {
                id: "trigger-this",
                title: "New trigger for this workflow",
                icon: "bolt",
                run: () =>
                  void navigate({ to: "/triggers", search: { project, workflow: graph, make: true } }),
              } as const,
            ]
          : []),
        ...(mayEdit
          ? ([
              {
                id: "add-node",
                title: "Add a node",
                hint: "A",
                icon: "plus",
                run: () => setOpen({ what: "add", where: { at: "alone" } }),
              },
            ] as const)
          : []),
      ]),
    [mayRun, mayTrigger, mayEdit, navigate, project, graph],
  );

  return (
    <>
      <header className="bar">
        <Crumbs project={project} title={state.title || graph} />
        <span className="bar-counts wf-saved" data-state={state.save} role="status" title={state.problem}>
          {SAVED[state.save]}
          {state.save === "refused" && `: ${state.problem}`}
        </span>
        <div className="wf-bar">
          {mayEdit && (
            <>
              <button
                type="button"
                className="icon-button"
                aria-label="A step back"
                title="A step back (Ctrl Z)"
                disabled={!state.canUndo}
                onClick={() => editor.undo()}
              >
                <Icon name="undo" size={18} />
              </button>
              <button
                type="button"
                className="icon-button"
                aria-label="A step forward"
                title="A step forward (Ctrl Shift Z)"
                disabled={!state.canRedo}
                onClick={() => editor.redo()}
              >
                <Icon name="redo" size={18} />
              </button>
              <button
                type="button"
                className="button"
                onClick={() => setOpen({ what: "add", where: whereNow() })}
              >
                <Icon name="plus" /> Add a node
              </button>
            </>
          )}
          {mayRun && (
            <button type="button" className="button button-primary" onClick={() => void run()}>
              <Icon name="play" /> Run
            </button>
          )}
          <Link to="/triggers" search={{ project, workflow: graph }} className="button">
            <Icon name="bolt" /> <span className="wf-bar-word">Triggers</span>
          </Link>
          <Link to="/executions" search={{ project, workflow: graph }} className="button">
            <Icon name="runs" /> <span className="wf-bar-word">Runs</span>
          </Link>
        </div>
        <ShellTools />
      </header>
      <div className="wf-bench">
        <div className="wf-stage" ref={stage} role="group" aria-label="Canvas">
          <Canvas
            document={document}
            kinds={kinds}
            places={places}
            faults={state.faults}
            selection={selection}
            view={view}
            mayEdit={mayEdit}
            onView={setView}
            onSelect={setChosen}
            onMove={(keys, by) => change((before) => moved(before, keys, by, kinds))}
            onConnect={(source, port, target) =>
              change((before) => connected(placed(before, kinds), source, port, target, kinds))
            }
            onWireToNothing={(source, port) =>
              setOpen({ what: "add", where: { at: "after", key: source, port } })
            }
            onInsert={(edge) => setOpen({ what: "add", where: { at: "on", edge } })}
            onRemoveEdge={(edge) => change((before) => removeEdge(before, edge))}
          />
          {document.nodes.size === 0 && (
            <div className="wf-empty">
              <Empty icon="flow" title="Nothing happens here yet">
                <p>
                  A workflow begins with an input, goes through nodes that do something, and ends with an
                  output.
                </p>
                {mayEdit && (
                  <button
                    type="button"
                    className="button button-primary"
                    onClick={() => add("input", { at: "alone" })}
                  >
                    <Icon name="plus" /> Begin with an input
                  </button>
                )}
              </Empty>
            </div>
          )}
          <div className="wf-view-tools">
            <button
              type="button"
              className="icon-button"
              aria-label="Larger"
              title="Larger (+)"
              onClick={() => setView(zoomed(view, 1.2, middle()))}
            >
              <Icon name="plus" />
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label="Smaller"
              title="Smaller (−)"
              onClick={() => setView(zoomed(view, 1 / 1.2, middle()))}
            >
              <Icon name="minus" />
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label="Fit into view"
              title="Fit into view (F)"
              onClick={() => fit()}
            >
              <Icon name="fit" />
            </button>
            {mayEdit && (
              <button
                type="button"
                className="icon-button"
                aria-label="Put in order"
                title="Put in order (L)"
                onClick={arrange}
              >
                <Icon name="flow" />
              </button>
            )}
          </div>
          <Problems faults={state.faults} checked={state.checked} onGo={goTo} />
        </div>
        <Inspector
          document={document}
          kinds={kinds}
          faults={state.faults}
          selection={selection}
          mayEdit={mayEdit}
          onSetting={(key, setting, value) =>
            change((before) => setProperty(before, key, setting, value), `setting ${key} ${setting}`)
          }
          onName={(key, displayName) =>
            change((before) => {
              const node = before.nodes.get(key);
              return node ? putNode(before, { ...node, displayName }) : before;
            }, `name ${key}`)
          }
          onRename={(from, to) => {
            change((before) => renameNode(before, from, to));
            setChosen(only(to));
          }}
          onParent={(key, parent) => change((before) => intoBody(placed(before, kinds), key, parent))}
          onConnect={(source) => setOpen({ what: "connect", source })}
          onRemove={remove}
          onRemoveEdge={(edge) => change((before) => removeEdge(before, edge))}
          onSelectNode={(key) => go(key)}
        />
      </div>
      {open?.what === "add" && (
        <AddDialog
          kinds={kinds}
          document={document}
          where={open.where}
          onWhere={(where) => setOpen({ what: "add", where })}
          onClose={() => setOpen(null)}
          onAdd={(kind) => add(kind, open.where)}
        />
      )}
      {open?.what === "connect" && (
        <ConnectDialog
          document={document}
          kinds={kinds}
          source={open.source}
          onClose={() => setOpen(null)}
          onConnect={(port, target) => {
            change((before) => connected(placed(before, kinds), open.source, port, target, kinds));
            setOpen(null);
            go(open.source);
          }}
        />
      )}
      {open?.what === "run" && (
        <StartDialog
          project={project}
          workflow={graph}
          onClose={() => setOpen(null)}
          onStarted={(started) =>
            navigate({
              to: "/executions/$project/$execution",
              params: { project, execution: lastPart(started) },
              search: {},
            })
          }
        />
      )}
    </>
  );
}

const ARROWS: Partial<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** Into a body, or out of it; edges do not lead into bodies. */
function intoBody(document: Document, key: string, parent: string): Document {
  let next = setProperty(document, key, "parent", parent || undefined);
  for (const [id, edge] of next.edges) {
    const ends = [edge.source, edge.target].map((end) => next.nodes.get(end));
    const [from, to] = ends.map((node) => node && parentOf(node));
    if ((edge.source === key || edge.target === key) && from !== to) next = removeEdge(next, id);
  }
  return next;
}
