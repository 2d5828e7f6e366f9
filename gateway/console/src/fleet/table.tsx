// The list of agents: as many as there are, of which only those in sight are drawn.
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { ago, count, lastPart, when } from "../ui/format";
import { Skeleton } from "../ui/states";
import { type Row, type SortKey, STATES, titleOf } from "./model";
import { Labels, State } from "./parts";

const ROW = 48;
const HEADING = 34;
const COLUMNS: readonly { key: SortKey; label: string }[] = [
  { key: "name", label: "Name" },
  { key: "state", label: "State" },
  { key: "host", label: "Host" },
  { key: "version", label: "Version" },
  { key: "since", label: "Since" },
];

interface Props {
  project: string;
  rows: readonly Row[];
  loading: boolean;
  sortKey: SortKey;
  descending: boolean;
  /** Names of agents that were picked; null where nobody may pick. */
  chosen: ReadonlySet<string> | null;
  onChoose: (chosen: ReadonlySet<string>) => void;
  onSort: (key: SortKey) => void;
}

export function FleetTable(props: Props) {
  const { project, rows, loading, sortKey, descending, chosen } = props;
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: (at) => ("heading" in rows[at] ? HEADING : ROW),
    getItemKey: (at) => {
      const row = rows[at];
      return "heading" in row ? `group ${row.heading}` : row.agent.name;
    },
    overscan: 10,
  });
  const choose = (name: string) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    props.onChoose(next);
  };
  const shown = rows.flatMap((row) => ("agent" in row ? [row.agent.name] : []));
  const allChosen = chosen !== null && shown.length > 0 && shown.every((name) => chosen.has(name));
  return (
    <div className="table fleet-table" role="table" aria-label="Agents" aria-rowcount={rows.length + 1}>
      <div className="table-head" role="row">
        <div role="columnheader">
          {chosen ? (
            <input
              type="checkbox"
              aria-label="Choose all that are shown"
              checked={allChosen}
              onChange={() => props.onChoose(new Set(allChosen ? [] : shown))}
            />
          ) : (
            <span className="hidden-text">Chosen</span>
          )}
        </div>
        {COLUMNS.map((column) => (
          <div
            key={column.key}
            role="columnheader"
            aria-sort={column.key === sortKey ? (descending ? "descending" : "ascending") : "none"}
          >
            <button type="button" onClick={() => props.onSort(column.key)}>
              {column.label}
              <span aria-hidden="true">{column.key === sortKey ? (descending ? "↓" : "↑") : ""}</span>
            </button>
          </div>
        ))}
        <div role="columnheader">Labels</div>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="table-body" ref={box} role="rowgroup" tabIndex={0} aria-label="Rows">
        {loading &&
          [60, 45, 70, 50].map((width) => (
            <div key={width} className="table-row" role="row">
              <div role="cell" />
              <div role="cell">
                <Skeleton width={`${width}%`} />
              </div>
              <div role="cell">
                <Skeleton width="60%" />
              </div>
              <div role="cell">
                <Skeleton width="70%" />
              </div>
            </div>
          ))}
        {!loading && rows.length === 0 && <p className="table-none">No agent matches.</p>}
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            const place = {
              position: "absolute",
              top: 0,
              left: 0,
              right: 0,
              height: item.size,
              transform: `translateY(${item.start}px)`,
            } as const;
            if ("heading" in row) {
              const parts = STATES.filter((state) => row.counts[state] > 0);
              return (
                <div
                  key={item.key}
                  role="row"
                  className="group-row"
                  style={place}
                  aria-rowindex={item.index + 2}
                >
                  <div role="cell">
                    <strong>{row.heading}</strong> <span>{count(row.count)}</span>
                    <small>{parts.map((state) => `${count(row.counts[state])} ${state}`).join(", ")}</small>
                  </div>
                </div>
              );
            }
            const { agent } = row;
            const id = lastPart(agent.name);
            return (
              <div
                key={item.key}
                role="row"
                aria-rowindex={item.index + 2}
                className="table-row table-row-link"
                style={place}
                data-selected={chosen?.has(agent.name) ?? false}
              >
                <div role="cell" className="pick">
                  {chosen && (
                    <input
                      type="checkbox"
                      aria-label={`Choose ${id}`}
                      checked={chosen.has(agent.name)}
                      onChange={() => choose(agent.name)}
                    />
                  )}
                </div>
                <div role="cell">
                  <Link to="/fleet/$project/$agent" params={{ project, agent: id }} className="row-link">
                    {titleOf(agent)}
                  </Link>
                  {agent.displayName && (
                    <small>
                      <code>{id}</code>
                    </small>
                  )}
                </div>
                <div role="cell">
                  <State agent={agent} />
                </div>
                <div role="cell">
                  {agent.host?.hostname}
                  <small>{agent.host?.osVersion || agent.host?.os}</small>
                </div>
                <div role="cell">{agent.version}</div>
                <div role="cell" title={when(agent.stateTime)}>
                  {ago(agent.stateTime)}
                </div>
                <div role="cell" className="labels">
                  <Labels labels={agent.labels} />
                </div>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
