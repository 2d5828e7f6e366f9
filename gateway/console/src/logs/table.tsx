// The list of records, the newest first: only what is in sight is drawn, pages come
// as somebody scrolls, and a record opens where it stands.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type RefObject, useEffect } from "react";
import { describe } from "../rpc/errors";
import { Skeleton } from "../ui/states";
import type { LogRecord } from "../gen/weft/telemetry/v1/log_pb";
import { type Entry, severityText } from "./model";
import { LogLine, OpenRecord } from "./record";

const ROW = 30;
/** So many rows before the end of what is loaded the next page is asked for. */
const AHEAD = 60;
/** Nearer to the top than this nobody has scrolled. */
const TOP = 4;

export interface More {
  has: boolean;
  isFetching: boolean;
  failed: unknown;
  fetch: () => unknown;
}

interface Props {
  project: string;
  entries: readonly Entry[];
  isPending: boolean;
  more: More;
  finder: RegExp | null;
  open: ReadonlySet<string>;
  /** Older ones were let go. */
  cut: boolean;
  box: RefObject<HTMLDivElement | null>;
  onToggle: (id: string) => void;
  onScrolled: (scrolled: boolean) => void;
  onPair: (pair: string) => void;
  onTrace: (trace: string) => void;
  onAround: (record: LogRecord) => void;
}

export function LogTable(props: Props) {
  const { project, entries, isPending, more, finder, open, cut, box, onToggle, onScrolled } = props;
  const virtual = useVirtualizer({
    count: entries.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (at) => entries[at].id,
    overscan: 16,
  });
  const items = virtual.getVirtualItems();
  const lastSeen = items[items.length - 1]?.index ?? 0;
  const { has, isFetching, failed, fetch } = more;
  useEffect(() => {
    if (lastSeen > entries.length - AHEAD && has && !isFetching && !failed) void fetch();
  }, [lastSeen, entries.length, has, isFetching, failed, fetch]);
  const focus = (at: number) => {
    const index = Math.max(0, Math.min(entries.length - 1, at));
    const there = () => box.current?.querySelector<HTMLElement>(`[data-index="${index}"] > button`);
    virtual.scrollToIndex(index);
    // One that was out of sight is drawn first.
    if (there()) there()?.focus();
    else requestAnimationFrame(() => there()?.focus());
  };
  const keys = (event: KeyboardEvent, at: number, id: string) => {
    if (event.key === "ArrowDown") focus(at + 1);
    else if (event.key === "ArrowUp") focus(at - 1);
    else if (event.key === "ArrowRight" && !open.has(id)) onToggle(id);
    else if (event.key === "ArrowLeft" && open.has(id)) onToggle(id);
    else return;
    event.preventDefault();
  };
  return (
    <div className="table logs-table">
      <div className="table-head" aria-hidden="true">
        <span>Time</span>
        <span>Severity</span>
        <span>Service</span>
        <span>What was said</span>
      </div>
      <div
        className="table-body"
        ref={box}
        role="region"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label="Records"
        onScroll={(event) => onScrolled(event.currentTarget.scrollTop > TOP)}
      >
        {isPending &&
          [60, 45, 70].map((width) => (
            <div key={width} className="log-row log-wait">
              <Skeleton width={`${width}%`} />
            </div>
          ))}
        {entries.length > 0 && (
          <div role="list" aria-label="Logs" style={{ height: virtual.getTotalSize(), position: "relative" }}>
            {items.map((item) => {
              const { id, record } = entries[item.index];
              const isOpen = open.has(id);
              return (
                <div
                  key={item.key}
                  ref={virtual.measureElement}
                  data-index={item.index}
                  role="listitem"
                  aria-setsize={has || cut ? -1 : entries.length}
                  aria-posinset={item.index + 1}
                  className="log-row"
                  data-severity={severityText(record)}
                  data-open={isOpen}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <button
                    type="button"
                    className="log-line"
                    aria-expanded={isOpen}
                    onClick={() => onToggle(id)}
                    onKeyDown={(event) => keys(event, item.index, id)}
                  >
                    <LogLine record={record} finder={finder} />
                  </button>
                  {isOpen && (
                    <OpenRecord
                      project={project}
                      record={record}
                      finder={finder}
                      onPair={props.onPair}
                      onTrace={props.onTrace}
                      onAround={props.onAround}
                    />
                  )}
                </div>
              );
            })}
          </div>
        )}
        {has && entries.length === 0 && <p className="table-none">Looking further back…</p>}
        {cut && <p className="table-none">Older ones are not kept here. Search again to see them.</p>}
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
