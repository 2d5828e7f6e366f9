// The spans of a trace, one below the other, each where it was at work; what is out of
// sight is not drawn.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type KeyboardEvent, useEffect, useId, useRef } from "react";
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { moveOf } from "./keys";
import { lengthText, ticksOf, tickText } from "./time";
import type { SpanNode } from "./tree";

const ROW = 28;
const INDENT = 14;
/** Deeper than this nothing is moved further in: the names would have no room. */
const DEEPEST = 16;

export interface View {
  /** Milliseconds from the beginning of the trace. */
  from: number;
  to: number;
}

interface Props {
  rows: readonly SpanNode[];
  view: View;
  chosen: SpanNode | undefined;
  folded: ReadonlySet<string>;
  /** Those that are found are as they are, the others fade. */
  found: ReadonlySet<SpanNode> | null;
  colour: (service: string) => string;
  onChoose: (node: SpanNode) => void;
  onToggle: (node: SpanNode) => void;
  onZoom: (node: SpanNode) => void;
}

export function Waterfall(props: Props) {
  const { rows, view, chosen, folded, found, colour, onChoose, onToggle, onZoom } = props;
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (at) => rows[at].id,
    overscan: 20,
  });
  const at = chosen ? rows.indexOf(chosen) : -1;
  const scroll = useRef(virtual);
  scroll.current = virtual;
  useEffect(() => {
    if (at >= 0) scroll.current.scrollToIndex(at, { align: "auto" });
  }, [at]);
  const keys = (event: KeyboardEvent<HTMLDivElement>) => {
    const page = Math.max(1, Math.floor(event.currentTarget.clientHeight / ROW) - 1);
    const move = moveOf(event.key, rows, chosen, folded, page);
    if (!move) return;
    event.preventDefault();
    if (move.choose) onChoose(move.choose);
    if (move.toggle) onToggle(move.toggle);
  };
  const ticks = ticksOf(view.from, view.to, 4);
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : view.to - view.from;
  const span = view.to - view.from || 1;
  const share = (millis: number) => `${((millis - view.from) / span) * 100}%`;
  const grid = gridOf(step / span, ((ticks[0] ?? view.from) - view.from) / span);
  const items = virtual.getVirtualItems();
  return (
    <section className="waterfall" aria-label="Waterfall">
      <header>
        <span>{plural(rows.length, "span")} in sight</span>
        <span className="waterfall-axis" aria-hidden="true">
          {ticks
            .filter((tick) => (tick - view.from) / span < 0.9)
            .map((tick) => (
              <span key={tick} style={{ left: share(tick) }}>
                {tickText(tick, step)}
              </span>
            ))}
        </span>
        <span className="span-took">Took</span>
      </header>
      <div
        className="waterfall-rows"
        ref={box}
        role="tree"
        tabIndex={0}
        aria-label="Spans"
        aria-activedescendant={items.some((item) => item.index === at) ? `${id}-${at}` : undefined}
        onKeyDown={keys}
      >
        <div role="presentation" style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {items.map((item) => {
            const node = rows[item.index];
            const isFolded = folded.has(node.id);
            return (
              // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the tree
              <div
                key={item.key}
                id={`${id}-${item.index}`}
                role="treeitem"
                aria-level={node.depth + 1}
                aria-expanded={node.children.length > 0 ? !isFolded : undefined}
                aria-selected={node === chosen}
                className="span-row"
                data-dim={found !== null && !found.has(node)}
                data-span={node.id}
                style={{ height: item.size, transform: `translateY(${item.start}px)` }}
                onClick={() => onChoose(node)}
                onDoubleClick={() => onZoom(node)}
              >
                <Name node={node} isFolded={isFolded} colour={colour(node.service)} onToggle={onToggle} />
                <span className="span-track" style={grid}>
                  {node.offset <= view.to && node.offset + node.took >= view.from && (
                    <span
                      className="span-bar"
                      data-bad={node.failed}
                      style={{
                        // What begins at the very end is still to be seen.
                        left: `min(${share(node.offset)}, 100% - 3px)`,
                        width: `${(node.took / span) * 100}%`,
                        background: colour(node.service),
                      }}
                    />
                  )}
                </span>
                <span className="span-took">{lengthText(node.took)}</span>
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

/** Lines at the ticks. What a background is moved by is a part of what it leaves free. */
function gridOf(step: number, first: number): CSSProperties {
  const at = step < 1 ? first / (1 - step) : 0;
  return { "--tick": `${step * 100}%`, "--tick-at": `${at * 100}%` } as CSSProperties;
}

interface NameProps {
  node: SpanNode;
  isFolded: boolean;
  colour: string;
  onToggle: (node: SpanNode) => void;
}

function Name({ node, isFolded, colour, onToggle }: NameProps) {
  const bad = node.failed || (isFolded && node.innerFailed > 0);
  return (
    <span className="span-name" style={{ paddingLeft: Math.min(node.depth, DEEPEST) * INDENT }}>
      {node.children.length > 0 ? (
        // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the tree
        // biome-ignore lint/a11y/noStaticElementInteractions: the tree item is what takes part; this is its left end
        <span
          className="span-fold"
          title={isFolded ? `Unfold ${node.inner}` : "Fold"}
          onClick={(event) => {
            event.stopPropagation();
            onToggle(node);
          }}
          onDoubleClick={(event) => event.stopPropagation()}
        >
          <Icon name={isFolded ? "right" : "down"} size={13} />
          {isFolded && node.inner}
        </span>
      ) : (
        <span className="span-fold" />
      )}
      <span className="service-swatch" style={{ background: colour }} />
      {bad && <Icon name="alert" size={14} />}
      <span className="span-operation">{node.span.operation || "(no name)"}</span>
      <small>
        {node.service}
        {node.isLost && " · its parent is not here"}
        {node.failed && <span className="hidden-text"> failed</span>}
      </small>
    </span>
  );
}
