// The frame of what a host is asked about live: its heading, its filter, a table
// that is sorted by a press, and what stands there when there is nothing to show.
import type { ReactNode } from "react";
import { describe, reasonOf } from "../rpc/errors";
import { Skeleton } from "../ui/states";
import { type Access, nextSort, type Sort } from "./host-model";

export interface Column {
  /** The field that it is sorted by. */
  key: string;
  label: string;
  /** A number: set to the right, the largest first. */
  number?: boolean;
}

interface Props {
  title: string;
  access: Access;
  /** What must be in `agent.toml` for it to be shown. */
  opens: string;
  columns: readonly Column[];
  /** Whether rows end with buttons. */
  hasActions?: boolean;
  sort: Sort;
  onSort: (sort: Sort) => void;
  filter: string;
  onFilter: (filter: string) => void;
  /** What is said of the rows, for example how many there are. */
  status: string;
  pending: boolean;
  error: unknown;
  none: string;
  rows: ReactNode[];
  className: string;
}

export function HostTable(props: Props) {
  const { title, access, filter, status } = props;
  return (
    <section className="host-part" aria-label={title}>
      <header className="host-head">
        <h2>{title}</h2>
        {access === "open" && (
          <>
            <span className="toolbar-count">{status}</span>
            <input
              type="search"
              spellCheck={false}
              placeholder="Filter"
              aria-label={`Filter ${title.toLowerCase()}`}
              value={filter}
              onChange={(event) => props.onFilter(event.target.value)}
            />
          </>
        )}
      </header>
      {access === "open" ? (
        <Table {...props} />
      ) : (
        <Closed access={access} title={title} opens={props.opens} />
      )}
    </section>
  );
}

/** Why there is nothing to be seen. */
function Closed({ access, title, opens }: { access: Access; title: string; opens: string }) {
  const what = title.toLowerCase();
  if (access === "offline") return <p className="hint">The agent is offline: its {what} are not known.</p>;
  if (access === "old") return <p className="hint">Its program is too old to be asked for {what}.</p>;
  return (
    <p className="hint">
      This host does not show its {what}. Its owner can: <code>{opens}</code> under <code>[host]</code> in{" "}
      <code>agent.toml</code>.
    </p>
  );
}

function Table(props: Props) {
  const { title, columns, sort, rows, error, pending } = props;
  // A filter that is wrong, or an agent that has just gone: what was there before says less than why.
  if (error && (rows.length === 0 || reasonOf(error) === "INVALID_FIELD")) {
    return (
      <p className="field-error" role="alert">
        {describe(error)}
      </p>
    );
  }
  return (
    <div className={`table host-table ${props.className}`} role="table" aria-label={title}>
      <div className="table-head" role="row">
        {columns.map((column) => {
          const sorted = column.key === sort.key;
          return (
            <div
              key={column.key}
              role="columnheader"
              className={column.number ? "number" : undefined}
              aria-sort={sorted ? (sort.descending ? "descending" : "ascending") : "none"}
            >
              <button
                type="button"
                onClick={() => props.onSort(nextSort(sort, column.key, column.number ?? false))}
              >
                {column.label}
                <span aria-hidden="true">{sorted ? (sort.descending ? "↓" : "↑") : ""}</span>
              </button>
            </div>
          );
        })}
        {props.hasActions && (
          <div role="columnheader">
            <span className="hidden-text">Actions</span>
          </div>
        )}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="host-rows" role="rowgroup" tabIndex={0} aria-label={`${title}, rows`}>
        {pending &&
          [60, 45, 70].map((width) => (
            <div key={width} className="table-row" role="row">
              <div role="cell">
                <Skeleton width={`${width}%`} />
              </div>
            </div>
          ))}
        {!pending && rows.length === 0 && (
          <div role="row">
            <div role="cell" className="table-none">
              {props.none}
            </div>
          </div>
        )}
        {rows}
      </div>
    </div>
  );
}
