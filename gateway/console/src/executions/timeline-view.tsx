// When each step was at work: a bar for each, what ran inside others folded.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import type { Execution, Step } from "../gen/weft/execution/v1/execution_pb";
import { count, duration } from "../ui/format";
import { Icon } from "../ui/icon";
import { around, hasEnded, type StepStateName, stepState } from "./model";
import { StateMark } from "./state";
import { type Row, rowsOf, worst } from "./timeline";

const ROW = 38;

interface Props {
  execution: Execution;
  steps: readonly Step[];
  chosen: Step | undefined;
  onChoose: (step: Step) => void;
}

export function Timeline({ execution, steps, chosen, onChoose }: Props) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => rowsOf(steps, open), [steps, open]);
  const now = useNow(!hasEnded(execution));
  const start = execution.createTime ? timestampMs(execution.createTime) : now;
  const span = Math.max(1, (execution.endTime ? timestampMs(execution.endTime) : now) - start);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (at) => rows[at].path,
    overscan: 12,
  });
  const chosenPath = chosen?.path;
  // A step that somebody came for is in sight, also inside others.
  useEffect(() => {
    if (chosenPath === undefined) return;
    const items = chosenPath.split("/").flatMap((_, at, parts) => [parts.slice(0, at + 1).join("/")]);
    const needed = [...around(chosenPath), ...items.filter((path) => path !== chosenPath)];
    setOpen((before) =>
      needed.every((path) => before.has(path)) ? before : new Set([...before, ...needed]),
    );
  }, [chosenPath]);
  const toggle = (row: Row) => {
    const next = new Set(open);
    if (!next.delete(row.path)) next.add(row.path);
    setOpen(next);
  };
  const focus = (at: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, at))];
    if (!row) return;
    const there = () => box.current?.querySelector<HTMLElement>(`[data-path="${CSS.escape(row.path)}"]`);
    virtual.scrollToIndex(rows.indexOf(row));
    // One that was out of sight is drawn first.
    if (there()) there()?.focus();
    else requestAnimationFrame(() => there()?.focus());
  };
  const keys = (event: KeyboardEvent, row: Row, at: number) => {
    if (event.key === "ArrowDown") focus(at + 1);
    else if (event.key === "ArrowUp") focus(at - 1);
    else if (event.key === "ArrowRight" && row.inner > 0 && !row.open) toggle(row);
    else if (event.key === "ArrowLeft" && row.open) toggle(row);
    else return;
    event.preventDefault();
  };
  return (
    <section className="timeline" aria-label="Timeline">
      <header>
        <span>{count(steps.length)} steps</span>
        <span className="timeline-axis" aria-hidden="true">
          <span>0</span>
          <span>{duration(span / 2)}</span>
          <span>{duration(span)}</span>
        </span>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="timeline-rows" ref={box} tabIndex={0} role="group" aria-label="Steps">
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            const state = row.step ? stepState(row.step) : worst(row.counts);
            const name = (
              <span className="timeline-name" style={{ paddingLeft: 30 + row.depth * 18 }}>
                <span>{row.label}</span>
                {row.step ? <small>{row.step.kind}</small> : null}
                {row.step?.cachedFrom ? (
                  <small title="what was kept was given, and nothing was done">kept</small>
                ) : null}
                {row.inner > 0 && <Counts counts={row.counts} />}
              </span>
            );
            return (
              <div
                key={item.key}
                className="timeline-row"
                data-chosen={row.step !== undefined && row.path === chosenPath}
                style={{
                  height: item.size,
                  transform: `translateY(${item.start}px)`,
                }}
              >
                {row.inner > 0 ? (
                  <button
                    type="button"
                    className="icon-button timeline-twisty"
                    style={{ left: 6 + row.depth * 18 }}
                    aria-expanded={row.open}
                    aria-label={`What is in ${row.path}`}
                    onClick={() => toggle(row)}
                  >
                    <Icon name={row.open ? "down" : "right"} size={14} />
                  </button>
                ) : null}
                <button
                  type="button"
                  className="timeline-step"
                  data-path={row.path}
                  aria-pressed={row.step !== undefined && row.path === chosenPath}
                  onClick={() => (row.step ? onChoose(row.step) : toggle(row))}
                  onKeyDown={(event) => keys(event, row, item.index)}
                >
                  {name}
                  <StateMark state={state} />
                  <span className="timeline-track">
                    <Bar row={row} state={state} start={start} span={span} now={now} />
                  </span>
                  <span className="timeline-took">{duration(rowTook(row, now))}</span>
                </button>
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

interface BarProps {
  row: Row;
  state: StepStateName;
  start: number;
  span: number;
  now: number;
}

function Bar({ row, state, start, span, now }: BarProps) {
  const left = Math.min(1, Math.max(0, (row.begins - start) / span));
  const width = Math.min(1 - left, rowTook(row, now) / span);
  return (
    <span
      className="timeline-bar"
      data-state={state}
      style={{ left: `${left * 100}%`, width: `max(3px, ${width * 100}%)` }}
    />
  );
}

function rowTook(row: Row, now: number): number {
  return Math.max(0, (row.ends ?? now) - row.begins);
}

function Counts({ counts }: { counts: Row["counts"] }) {
  const told = Object.entries(counts)
    .map(([state, many]) => `${count(many)} ${state}`)
    .join(", ");
  return <small className="timeline-counts">{told}</small>;
}

/** The time, each second while something goes on. */
function useNow(goesOn: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    if (!goesOn) return;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [goesOn]);
  return now;
}
