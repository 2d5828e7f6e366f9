// The table of traces: only what is in sight is drawn, and pages come as somebody scrolls.
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import type { TraceSummary } from "../gen/weft/telemetry/v1/trace_pb";
import type { More } from "../logs/table";
import { timeText } from "../logs/model";
import { describe } from "../rpc/errors";
import { count } from "../ui/format";
import { Skeleton } from "../ui/states";
import { lengthText, millisOf, nanosOf } from "./time";

const ROW = 52;
/** So many rows before the end of what is loaded the next page is asked for. */
const AHEAD = 40;
const COLUMNS: readonly string[] = ["Trace", "Began", "Took", "Spans", "Errors", "Services"];

interface Props {
  project: string;
  traces: readonly TraceSummary[];
  isPending: boolean;
  more: More;
}

export function TraceTable({ project, traces, isPending, more }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: traces.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (at) => traces[at].name,
    overscan: 10,
  });
  const items = virtual.getVirtualItems();
  const lastSeen = items[items.length - 1]?.index ?? 0;
  const { has, isFetching, failed, fetch } = more;
  useEffect(() => {
    if (lastSeen > traces.length - AHEAD && has && !isFetching && !failed) void fetch();
  }, [lastSeen, traces.length, has, isFetching, failed, fetch]);
  const longest = useMemo(() => traces.reduce((most, one) => Math.max(most, tookOf(one)), 0), [traces]);
  return (
    <div
      className="table traces-table"
      role="table"
      aria-label="Traces"
      aria-rowcount={has ? -1 : traces.length + 1}
    >
      <div className="table-head" role="row">
        {COLUMNS.map((label) => (
          <div key={label} role="columnheader" className={isNumber(label) ? "number" : undefined}>
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
        {!isPending && traces.length === 0 && has && <p className="table-none">Looking further back…</p>}
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
              <Cells project={project} trace={traces[item.index]} longest={longest} />
            </div>
          ))}
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

const isNumber = (label: string) => label === "Spans" || label === "Errors";

function tookOf(trace: TraceSummary): number {
  return millisOf(nanosOf(trace.duration));
}

function Cells({ project, trace, longest }: { project: string; trace: TraceSummary; longest: number }) {
  const took = tookOf(trace);
  return (
    <>
      <div role="cell">
        <Link
          to="/traces/$project/$trace"
          params={{ project, trace: trace.traceId }}
          search={{}}
          className="row-link"
        >
          {trace.rootOperation || "(no name)"}
        </Link>
        <small>
          {trace.rootServiceName}
          {!trace.hasRoot && " · without its root"} <code>{trace.traceId.slice(0, 12)}</code>
        </small>
      </div>
      <div role="cell">{timeText(trace.startTime)}</div>
      <div role="cell" className="trace-took">
        <span>{lengthText(took)}</span>
        <span className="trace-track" aria-hidden="true">
          <span
            className="trace-bar"
            data-bad={trace.errorSpanCount > 0}
            style={{ width: `${longest > 0 ? (took / longest) * 100 : 0}%` }}
          />
        </span>
      </div>
      <div role="cell" className="number">
        {count(trace.spanCount)}
      </div>
      <div role="cell" className={trace.errorSpanCount > 0 ? "number bad" : "number"}>
        {trace.errorSpanCount > 0 ? count(trace.errorSpanCount) : "–"}
      </div>
      <div role="cell">{trace.serviceNames.join(", ")}</div>
    </>
  );
}
