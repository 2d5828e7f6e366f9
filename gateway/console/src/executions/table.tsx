// The table of executions: only what is in sight is drawn, and pages come as somebody scrolls.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { Execution } from "../gen/weft/execution/v1/execution_pb";
import { describe } from "../rpc/errors";
import { Skeleton } from "../ui/states";
import { runTitle } from "./model";
import { COLUMNS, ExecutionCells } from "./rows";

const ROW = 56;
/** So many rows before the end of what is loaded the next page is asked for. */
const AHEAD = 40;

interface Props {
  project: string;
  executions: readonly Execution[];
  isPending: boolean;
  more: { has: boolean; isFetching: boolean; failed: unknown; fetch: () => unknown };
  /** Absent where nothing can be done with many. */
  chosen?: ReadonlySet<string>;
  onChoose: (chosen: ReadonlySet<string>) => void;
}

export function ExecutionTable({ project, executions, isPending, more, chosen, onChoose }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: executions.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (at) => executions[at].name,
    overscan: 10,
  });
  const items = virtual.getVirtualItems();
  const lastSeen = items[items.length - 1]?.index ?? 0;
  const { has, isFetching, failed, fetch } = more;
  useEffect(() => {
    if (lastSeen > executions.length - AHEAD && has && !isFetching && !failed) void fetch();
  }, [lastSeen, executions.length, has, isFetching, failed, fetch]);
  const all =
    chosen !== undefined && executions.length > 0 && executions.every(({ name }) => chosen.has(name));
  const toggle = (name: string) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    onChoose(next);
  };
  return (
    <div
      className="table runs-table"
      data-chosen={chosen !== undefined}
      role="table"
      aria-label="Runs"
      aria-rowcount={has ? -1 : executions.length + 1}
    >
      <div className="table-head" role="row">
        {chosen && (
          <div role="columnheader">
            <input
              type="checkbox"
              aria-label="Choose all that are loaded"
              checked={all}
              onChange={() => onChoose(all ? new Set() : new Set(executions.map(({ name }) => name)))}
            />
          </div>
        )}
        {COLUMNS.map((label) => (
          <div key={label} role="columnheader">
            {label}
          </div>
        ))}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="table-body" ref={box} role="rowgroup" tabIndex={0} aria-label="Rows">
        {isPending &&
          [60, 45, 70].map((width) => (
            <div key={width} className="table-row" role="row">
              <div role="cell">
                <Skeleton width={`${width}%`} />
              </div>
            </div>
          ))}
        {!isPending && executions.length === 0 && !has && <p className="table-none">No run matches.</p>}
        {!isPending && executions.length === 0 && has && <p className="table-none">Looking further back…</p>}
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {items.map((item) => {
            const execution = executions[item.index];
            return (
              <div
                key={item.key}
                role="row"
                aria-rowindex={item.index + 2}
                className="table-row table-row-link"
                data-selected={chosen?.has(execution.name)}
                style={{
                  position: "absolute",
                  top: 0,
                  left: 0,
                  right: 0,
                  transform: `translateY(${item.start}px)`,
                }}
              >
                {chosen && (
                  <div role="cell" className="actions">
                    <input
                      type="checkbox"
                      aria-label={`Choose ${runTitle(execution)}`}
                      checked={chosen.has(execution.name)}
                      onChange={() => toggle(execution.name)}
                    />
                  </div>
                )}
                <ExecutionCells execution={execution} project={project} />
              </div>
            );
          })}
        </div>
        {failed ? (
          <p className="table-none" role="alert">
            {describe(failed)}{" "}
            <button type="button" className="button button-small" onClick={() => fetch()}>
              Try again
            </button>
          </p>
        ) : null}
      </div>
    </div>
  );
}
