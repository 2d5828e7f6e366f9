// The table of sources, a line for each.
import type { Source } from "../gen/weft/graph/v1/source_pb";
import { ago, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Skeleton } from "../ui/states";
import { RefreshProgress, StateMark } from "./progress";
import { outcomeInWords, outcomeOf, runningOf } from "./refreshes";
import { locationOf } from "./settings";
import type { Permissions } from "./permissions";

interface Props {
  list: readonly Source[] | undefined;
  selected: string | undefined;
  permissions: Permissions;
  onSelect: (id: string | undefined) => void;
  onRefresh: (source: Source) => void;
}

export function SourceTable({ list, selected, permissions, onSelect, onRefresh }: Props) {
  return (
    <table className="plain-table sources-table" aria-label="Sources">
      <thead>
        <tr>
          <th scope="col">Source</th>
          <th scope="col">Comes from</th>
          <th scope="col">Last refresh</th>
          <th scope="col">
            <span className="hidden-text">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {list === undefined
          ? [70, 50, 60].map((width) => (
              <tr key={width}>
                {[width, width - 20, width - 10].map((part) => (
                  <td key={part}>
                    <Skeleton width={`${part}%`} />
                  </td>
                ))}
                <td />
              </tr>
            ))
          : list.map((source) => {
              const id = lastPart(source.name);
              return (
                <tr key={source.name} data-selected={id === selected}>
                  <td>
                    <button
                      type="button"
                      className="row-link"
                      aria-pressed={id === selected}
                      onClick={() => onSelect(id === selected ? undefined : id)}
                    >
                      {source.displayName || id}
                    </button>
                    {source.displayName && (
                      <small>
                        <code>{id}</code>
                      </small>
                    )}
                  </td>
                  <td>
                    <ComesFrom source={source} />
                  </td>
                  <td>
                    <LastRefresh source={source} />
                  </td>
                  <td className="actions">
                    {permissions.refresh && (
                      <button
                        type="button"
                        className="button button-small"
                        aria-label={`Refresh ${id}`}
                        disabled={runningOf(source) !== undefined}
                        onClick={() => onRefresh(source)}
                      >
                        <Icon name="refresh" size={14} /> Refresh
                      </button>
                    )}
                  </td>
                </tr>
              );
            })}
      </tbody>
    </table>
  );
}

function ComesFrom({ source }: { source: Source }) {
  const location = locationOf(source);
  if (!location) return <>–</>;
  const path = [lastPart(location.folder), location.path].filter(Boolean).join("/");
  const patterns = [...location.include, ...location.exclude.map((pattern) => `not ${pattern}`)];
  return (
    <>
      <span className="folder-path" title={path}>
        <Icon name="folder" size={14} />
        <span>{path}</span>
      </span>
      {patterns.length > 0 && (
        <small title={patterns.join("\n")}>
          {patterns.slice(0, 2).join(", ")}
          {patterns.length > 2 && ` and ${patterns.length - 2} more`}
        </small>
      )}
    </>
  );
}

function LastRefresh({ source }: { source: Source }) {
  const { lastRefresh } = source;
  const running = runningOf(source);
  if (running) return <RefreshProgress refresh={running} brief />;
  if (!lastRefresh) return <span className="quiet">not yet</span>;
  const time = lastRefresh.endTime ?? lastRefresh.createTime;
  return (
    <>
      <span className="state-line">
        <StateMark state={lastRefresh.state} />
        <time title={when(time)}>{ago(time)}</time>
      </span>
      {lastRefresh.result && (
        <small title={outcomeInWords(lastRefresh.result)}>{outcomeOf(lastRefresh.result)}</small>
      )}
      {lastRefresh.error && <small title={lastRefresh.error.message}>{lastRefresh.error.message}</small>}
    </>
  );
}
