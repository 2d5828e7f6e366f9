// The drawing of a workflow: nodes to move, ports to join, bodies around what is in
// them. Everything that the mouse does here the keyboard does too.
import { type PointerEvent, useEffect, useMemo, useRef, useState } from "react";
import type { WorkflowFault } from "../gen/weft/execution/v1/execution_pb";
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";
import {
  type Document,
  edgeId,
  IN,
  parentOf,
  type Point,
  portOf,
  type WorkflowNode,
  withInside,
} from "./document";
import { mayConnect, snap } from "./edits";
import { zoomed, type View } from "./editor-view";
import { type Box, boxesOf, curve, listed, portAt } from "./geometry";
import { iconOf } from "./kind-look";
import { ERROR, fits, hasBody, inputsOf, type Kinds, outputsOf } from "./ports";
import { only, type Selection, toggled } from "./selection";

interface Props {
  document: Document;
  kinds: Kinds;
  places: ReadonlyMap<string, Point>;
  faults: readonly WorkflowFault[];
  selection: Selection;
  view: View;
  mayEdit: boolean;
  onView: (view: View) => void;
  onSelect: (selection: Selection) => void;
  onMove: (keys: ReadonlySet<string>, by: Point) => void;
  onConnect: (source: string, port: string, target: string) => void;
  /** A wire was let go where nothing is. */
  onWireToNothing: (source: string, port: string) => void;
  onInsert: (edge: string) => void;
  onRemoveEdge: (edge: string) => void;
}

type Drag =
  | { what: "pan"; from: Point; view: View }
  | { what: "nodes"; keys: ReadonlySet<string>; from: Point; by: Point }
  | { what: "wire"; source: string; port: string; to: Point };

/** A hand that moves less has not dragged. */
const STILL = 4;

export function Canvas(props: Props) {
  const { document, kinds, places, selection, view, mayEdit } = props;
  const root = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const latest = useRef({ view, onView: props.onView });
  latest.current = { view, onView: props.onView };

  const now = useMemo(() => {
    if (drag?.what !== "nodes") return places;
    const next = new Map(places);
    for (const key of withInside(document, drag.keys)) {
      const at = places.get(key);
      if (at) next.set(key, { x: at.x + drag.by.x, y: at.y + drag.by.y });
    }
    return next;
  }, [places, drag, document]);
  const boxes = useMemo(() => boxesOf(document, now, kinds), [document, now, kinds]);

  useEffect(() => {
    const element = root.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const { view: at, onView } = latest.current;
      if (event.ctrlKey || event.metaKey) {
        const corner = element.getBoundingClientRect();
        const point = { x: event.clientX - corner.left, y: event.clientY - corner.top };
        onView(zoomed(at, Math.exp(-event.deltaY / 300), point));
      } else {
        const sideways = event.shiftKey && event.deltaX === 0;
        onView({
          ...at,
          x: at.x - (sideways ? event.deltaY : event.deltaX),
          y: at.y - (sideways ? 0 : event.deltaY),
        });
      }
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);

  const world = (event: PointerEvent): Point => {
    const corner = root.current?.getBoundingClientRect();
    return {
      x: (event.clientX - (corner?.left ?? 0) - view.x) / view.scale,
      y: (event.clientY - (corner?.top ?? 0) - view.y) / view.scale,
    };
  };
  const hold = (event: PointerEvent, begun: Drag) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    root.current?.setPointerCapture(event.pointerId);
    setDrag(begun);
  };
  const move = (event: PointerEvent) => {
    if (!drag) return;
    if (drag.what === "pan") {
      const { from, view: before } = drag;
      props.onView({ ...before, x: before.x + event.clientX - from.x, y: before.y + event.clientY - from.y });
    } else if (drag.what === "wire") setDrag({ ...drag, to: world(event) });
    else {
      const { from } = drag;
      const by = { x: (event.clientX - from.x) / view.scale, y: (event.clientY - from.y) / view.scale };
      setDrag({ ...drag, by: mayEdit ? by : { x: 0, y: 0 } });
    }
  };
  const drop = (event: PointerEvent) => {
    if (!drag) return;
    setDrag(null);
    root.current?.releasePointerCapture(event.pointerId);
    if (drag.what === "nodes") {
      const by = { x: snap(drag.by.x), y: snap(drag.by.y) };
      const isStill = Math.hypot(drag.by.x, drag.by.y) * view.scale < STILL;
      if (!isStill && (by.x !== 0 || by.y !== 0)) props.onMove(drag.keys, by);
    } else if (drag.what === "wire") {
      const under = globalThis.document.elementFromPoint(event.clientX, event.clientY);
      const target = under?.closest<HTMLElement>("[data-node]")?.dataset.node;
      if (target && mayConnect(document, drag.source, target, kinds)) {
        props.onConnect(drag.source, drag.port, target);
      } else if (!target) props.onWireToNothing(drag.source, drag.port);
    } else if (Math.hypot(event.clientX - drag.from.x, event.clientY - drag.from.y) < STILL) {
      props.onSelect({ nodes: new Set() });
    }
  };

  const byDepth = useMemo(() => inOrder(document), [document]);
  const port = (key: string, side: "in" | "out", name: string): Point | undefined => {
    const node = document.nodes.get(key);
    const box = boxes.get(key);
    if (!node || !box) return undefined;
    const at = portAt(node, kinds, side, name, box.width);
    return { x: box.x + at.x, y: box.y + at.y };
  };
  const wireType =
    drag?.what === "wire" ? typeOf(document.nodes.get(drag.source), kinds, drag.port) : undefined;
  const grid = (view.scale < 0.6 ? 60 : 20) * view.scale;
  return (
    <div
      ref={root}
      className="wf-canvas"
      data-drag={drag?.what}
      data-testid="canvas"
      style={{
        backgroundSize: `${grid}px ${grid}px`,
        backgroundPosition: `${view.x}px ${view.y}px`,
      }}
      onPointerDown={(event) =>
        hold(event, { what: "pan", from: { x: event.clientX, y: event.clientY }, view })
      }
      onPointerMove={move}
      onPointerUp={drop}
      onPointerCancel={() => setDrag(null)}
    >
      <div
        className="wf-world"
        style={{ transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})` }}
      >
        {byDepth
          .filter((node) => hasBody(node, kinds))
          .map((node) => (
            <Body key={node.key} box={boxes.get(node.key)} selected={selection.nodes.has(node.key)} />
          ))}
        <svg className="wf-edges" aria-hidden="true">
          {[...document.edges.values()].map((edge) => {
            const from = port(edge.source, "out", portOf(edge));
            const to = port(edge.target, "in", targetPort(edge.properties.to));
            if (!from || !to) return null;
            const id = edgeId(edge);
            const line = curve(from, to);
            return (
              <g key={id} className="wf-edge" data-selected={selection.edge === id} data-port={portOf(edge)}>
                <path d={line} className="wf-line" />
                <path
                  d={line}
                  className="wf-grip"
                  onPointerDown={(event) => {
                    event.stopPropagation();
                    props.onSelect({ nodes: new Set(), edge: id });
                  }}
                />
              </g>
            );
          })}
          {drag?.what === "wire" && (
            <path
              className="wf-line wf-wire"
              d={curve(port(drag.source, "out", drag.port) ?? drag.to, drag.to)}
            />
          )}
        </svg>
        {byDepth.map((node) => (
          <NodeBox
            key={node.key}
            node={node}
            kinds={kinds}
            box={boxes.get(node.key)}
            selected={selection.nodes.has(node.key)}
            faults={props.faults.filter((fault) => fault.node === node.key)}
            target={
              drag?.what === "wire" && node.key !== drag.source
                ? mayConnect(document, drag.source, node.key, kinds) && takes(node, kinds, wireType)
                : undefined
            }
            used={usedPorts(document, node.key)}
            mayEdit={mayEdit}
            onHold={(event) => {
              const isChosen = selection.nodes.has(node.key);
              const next =
                event.shiftKey || event.ctrlKey || event.metaKey
                  ? toggled(selection, node.key)
                  : only(node.key);
              if (!isChosen || event.shiftKey || event.ctrlKey || event.metaKey) props.onSelect(next);
              const keys = isChosen ? selection.nodes : next.nodes;
              hold(event, {
                what: "nodes",
                keys,
                from: { x: event.clientX, y: event.clientY },
                by: { x: 0, y: 0 },
              });
            }}
            onChoose={() => props.onSelect(only(node.key))}
            onWire={(event, name) =>
              hold(event, { what: "wire", source: node.key, port: name, to: world(event) })
            }
          />
        ))}
        {mayEdit && selection.edge !== undefined && (
          <EdgeTools
            edge={document.edges.get(selection.edge)}
            port={port}
            onInsert={() => selection.edge && props.onInsert(selection.edge)}
            onRemove={() => selection.edge && props.onRemoveEdge(selection.edge)}
          />
        )}
      </div>
    </div>
  );
}

const targetPort = (to: unknown): string => (typeof to === "string" ? to : IN);

function typeOf(node: WorkflowNode | undefined, kinds: Kinds, name: string): string {
  return (node && outputsOf(node, kinds).find((port) => port.name === name)?.type) ?? "any";
}

function takes(node: WorkflowNode, kinds: Kinds, type = "any"): boolean {
  return inputsOf(node, kinds).some((port) => fits(type, port.type));
}

function usedPorts(document: Document, key: string): Set<string> {
  return new Set([...document.edges.values()].filter((edge) => edge.source === key).map(portOf));
}

/** Bodies before what is in them, so that this is above them; and as they are read: from left to right. */
function inOrder(document: Document): WorkflowNode[] {
  const depth = (node: WorkflowNode): number => {
    let at: WorkflowNode | undefined = node;
    let found = 0;
    while (at && found < 20) {
      at = document.nodes.get(parentOf(at));
      found++;
    }
    return found;
  };
  return [...document.nodes.values()]
    .map((node) => ({ node, depth: depth(node) }))
    .sort((a, b) => a.depth - b.depth)
    .map(({ node }) => node);
}

function Body({ box, selected }: { box: Box | undefined; selected: boolean }) {
  if (!box) return null;
  const { x, y, width, height } = box;
  return (
    <div
      className="wf-body"
      data-selected={selected}
      style={{ left: x, top: y, width, height }}
      aria-hidden="true"
    />
  );
}

interface NodeProps {
  node: WorkflowNode;
  kinds: Kinds;
  box: Box | undefined;
  selected: boolean;
  faults: readonly WorkflowFault[];
  /** While a wire is drawn: whether it may end here. */
  target: boolean | undefined;
  used: ReadonlySet<string>;
  mayEdit: boolean;
  onHold: (event: PointerEvent) => void;
  onChoose: () => void;
  onWire: (event: PointerEvent, port: string) => void;
}

function NodeBox(props: NodeProps) {
  const { node, kinds, box, selected, faults, used } = props;
  if (!box) return null;
  const kind = kinds.get(node.type);
  const body = hasBody(node, kinds);
  const errors = faults.filter((fault) => !fault.warning).length;
  const title = node.displayName || node.key;
  const rows = listed(node, kinds);
  return (
    <div
      className="wf-node"
      data-node={node.key}
      data-kind={node.type}
      data-body={body}
      data-selected={selected}
      data-target={props.target}
      data-fault={errors > 0 ? "error" : faults.length > 0 ? "warning" : undefined}
      style={{ left: box.x, top: box.y, width: box.width, height: body ? undefined : box.height }}
    >
      <button
        type="button"
        className="wf-main"
        aria-pressed={selected}
        onPointerDown={props.onHold}
        onClick={(event) => event.detail === 0 && props.onChoose()}
        onFocus={(event) => event.target.matches(":focus-visible") && props.onChoose()}
      >
        <span className="wf-icon">
          <Icon name={iconOf(node.type)} size={18} />
        </span>
        <span className="wf-words">
          <span className="wf-title">{title}</span>
          <small>{subtitle(node, kind?.title ?? node.type)}</small>
          <span className="hidden-text">
            , {kind?.title ?? node.type}
            {faults.length > 0 && `, ${plural(faults.length, "problem")}`}
          </span>
        </span>
        {faults.length > 0 && (
          <span
            className="wf-faults"
            aria-hidden="true"
            title={faults.map((fault) => fault.message).join("\n")}
          >
            {faults.length}
          </span>
        )}
      </button>
      {inputsOf(node, kinds).map((port) => (
        <span
          key={port.name}
          className="wf-port"
          data-side="in"
          data-type={port.type}
          data-fault={faults.some((fault) => fault.port === port.name && !fault.warning)}
          title={`${port.name}: ${port.type}. ${port.description}`}
          style={style(node, kinds, "in", port.name, box.width)}
        />
      ))}
      {outputsOf(node, kinds).map((port) => (
        <button
          key={port.name}
          type="button"
          tabIndex={-1}
          className="wf-port"
          data-side="out"
          data-port={port.name}
          data-type={port.name === ERROR ? ERROR : port.type}
          data-used={used.has(port.name)}
          data-fault={faults.some((fault) => fault.port === port.name && !fault.warning)}
          aria-label={`Out of ${node.key}: ${port.name}`}
          title={`${port.name}: ${port.type}. ${port.description}`}
          style={style(node, kinds, "out", port.name, box.width)}
          onPointerDown={(event) => props.mayEdit && props.onWire(event, port.name)}
        />
      ))}
      {!body &&
        rows.map((name) => (
          <span
            key={name}
            className="wf-port-name"
            style={{ top: portAt(node, kinds, "out", name, box.width).y }}
          >
            {name}
          </span>
        ))}
    </div>
  );
}

/** What a node does, as short as it can be said: its expression, its address, its question. */
function subtitle(node: WorkflowNode, kind: string): string {
  const { properties } = node;
  const names = [
    "condition",
    "items",
    "url",
    "title",
    "command_type",
    "method",
    "graph",
    "signal",
    "for",
    "until",
    "value",
    "message",
    "text",
  ];
  for (const name of names) {
    const value = properties[name];
    if (value === undefined || value === null) continue;
    const text = typeof value === "string" ? value : JSON.stringify(value);
    if (text.trim() !== "") return text.replace(/^projects\/[^/]+\/graphs\//, "");
  }
  return kind;
}

function style(node: WorkflowNode, kinds: Kinds, side: "in" | "out", name: string, width: number) {
  const at = portAt(node, kinds, side, name, width);
  return { left: at.x, top: at.y };
}

interface EdgeToolsProps {
  edge: { source: string; target: string; type: string; properties: { [key: string]: unknown } } | undefined;
  port: (key: string, side: "in" | "out", name: string) => Point | undefined;
  onInsert: () => void;
  onRemove: () => void;
}

function EdgeTools({ edge, port, onInsert, onRemove }: EdgeToolsProps) {
  const from = edge && port(edge.source, "out", edge.type || "out");
  const to = edge && port(edge.target, "in", targetPort(edge.properties.to));
  if (!edge || !from || !to) return null;
  return (
    <div
      className="wf-edge-tools"
      style={{ left: (from.x + to.x) / 2, top: (from.y + to.y) / 2 }}
      onPointerDown={(event) => event.stopPropagation()}
    >
      <button
        type="button"
        className="icon-button"
        aria-label="Put a node between"
        title="Put a node between"
        onClick={onInsert}
      >
        <Icon name="plus" size={14} />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Remove the connection"
        title="Remove the connection"
        onClick={onRemove}
      >
        <Icon name="close" size={14} />
      </button>
    </div>
  );
}
