// Everything about one source: its settings, and each of its refreshes with
// how it ended.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Refresh, Source } from "../gen/weft/graph/v1/source_pb";
import { describe } from "../rpc/errors";
import { sources } from "../rpc/sources";
import { FORMATS } from "../graphs/import";
import { ago, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { RefreshEntry } from "./entry";
import { RefreshProgress } from "./progress";
import { isRunning, newer, runningOf, tell } from "./refreshes";
import { linkInWords, locationOf } from "./settings";
import type { Permissions } from "./permissions";

interface Props {
  id: string;
  /** Undefined where there is none of that id, or not any more. */
  source: Source | undefined;
  permissions: Permissions;
  onClose: () => void;
  onRefresh: (source: Source) => void;
  onEdit: (source: Source) => void;
  onDelete: (source: Source) => void;
}

export function SourcePanel({ id, source, onClose, ...rest }: Props) {
  const running = source && runningOf(source);
  return (
    <aside className="panel source-panel" aria-label="Source" data-testid="source-panel">
      <header className="panel-head">
        <div className="panel-title">
          <h2>{source?.displayName || id}</h2>
          <button type="button" className="icon-button" aria-label="Close the panel" onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        {source && <Actions source={source} {...rest} />}
      </header>
      {source ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <div className="panel-scroll" tabIndex={0} role="group" aria-label="Settings and history">
          {running && <Running refresh={running} mayCancel={rest.permissions.cancel} />}
          <Facts source={source} />
          <History source={source} />
        </div>
      ) : (
        <Empty icon="folder" title="This source is not there">
          <p>
            There is no source <code>{id}</code> now. What it brought in may have stayed in the graph.
          </p>
        </Empty>
      )}
    </aside>
  );
}

function Actions(props: Omit<Props, "id" | "source" | "onClose"> & { source: Source }) {
  const { source, permissions } = props;
  const running = runningOf(source) !== undefined;
  return (
    <div className="panel-line source-actions">
      {permissions.refresh && (
        <button
          type="button"
          className="button button-primary button-small"
          disabled={running}
          onClick={() => props.onRefresh(source)}
        >
          <Icon name="refresh" size={14} /> {running ? "Refreshing…" : "Refresh"}
        </button>
      )}
      {permissions.update && (
        <button type="button" className="button button-small" onClick={() => props.onEdit(source)}>
          <Icon name="pencil" size={14} /> Edit
        </button>
      )}
      {permissions.remove && (
        <button type="button" className="button button-small" onClick={() => props.onDelete(source)}>
          <Icon name="trash" size={14} /> Delete
        </button>
      )}
    </div>
  );
}

function Running({ refresh, mayCancel }: { refresh: Refresh; mayCancel: boolean }) {
  const queries = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => sources.cancelRefresh({ name: refresh.name }),
    onSuccess: (told) => tell(queries, told),
    onError: (error) => toast.error(describe(error)),
  });
  // It ends within seconds of being asked to: until then the button says what it waits for.
  const ending = cancel.isPending || cancel.isSuccess;
  return (
    <section className="running" role="status" aria-label="Refresh in progress" data-testid="running">
      <RefreshProgress refresh={refresh} />
      {mayCancel && (
        <button
          type="button"
          className="button button-small"
          disabled={ending}
          onClick={() => cancel.mutate()}
        >
          <Icon name="stop" size={14} /> {ending ? "Ending…" : "Cancel"}
        </button>
      )}
    </section>
  );
}

function Facts({ source }: { source: Source }) {
  const location = locationOf(source);
  const format = FORMATS.find((one) => one.format === source.format);
  const facts: [string, string[]][] = [
    ["Folder", [location ? lastPart(location.folder) : "–"]],
    ["Path", location?.path ? [location.path] : []],
    ["Only", location?.include ?? []],
    ["Not", location?.exclude ?? []],
    ["Format", [format?.name ?? "found out from the files"]],
    ["Links", source.propertyLinks.map(linkInWords)],
    ["Node type", source.defaultNodeType ? [source.defaultNodeType] : []],
    ["Edge type", source.defaultEdgeType ? [source.defaultEdgeType] : []],
  ];
  return (
    <dl className="facts facts-narrow">
      {facts
        .filter(([, values]) => values.length > 0)
        .map(([name, values]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {values.map((value) => (
                <span key={value}>{value}</span>
              ))}
            </dd>
          </div>
        ))}
      <div>
        <dt>Created</dt>
        <dd title={when(source.createTime)}>{ago(source.createTime)}</dd>
      </div>
    </dl>
  );
}

function History({ source }: { source: Source }) {
  const last = source.lastRefresh;
  const history = useQuery({
    queryKey: ["refreshes", source.uid, last?.name ?? "", last?.state ?? 0],
    queryFn: ({ signal }) => listAll(source.name, signal),
    placeholderData: (before) => before,
  });
  const listed = history.data ?? [];
  const known = new Map(listed.map((refresh) => [refresh.name, refresh]));
  // The stream is ahead of the list.
  if (last) known.set(last.name, newer(known.get(last.name), last) ?? last);
  const entries = [...known.values()]
    .filter((refresh) => !isRunning(refresh))
    .sort((a, b) => Number(lastPart(b.name)) - Number(lastPart(a.name)));
  return (
    <section className="history" aria-label="History">
      <h3>History</h3>
      {history.isError && !history.data ? (
        <Failure title="The history cannot be read" error={history.error} onRetry={() => history.refetch()} />
      ) : history.isPending ? (
        [80, 60].map((width) => <Skeleton key={width} width={`${width}%`} />)
      ) : entries.length === 0 ? (
        <p className="hint">
          {isRunning(last)
            ? "This is its first refresh."
            : "Nothing was brought in yet. Refresh it to begin."}
        </p>
      ) : (
        <ol>
          {entries.map((refresh) => (
            <RefreshEntry key={refresh.name} refresh={refresh} />
          ))}
        </ol>
      )}
    </section>
  );
}

async function listAll(parent: string, signal: AbortSignal): Promise<Refresh[]> {
  const all: Refresh[] = [];
  let pageToken = "";
  do {
    const page = await sources.listRefreshes({ parent, pageSize: 1000, pageToken }, { signal });
    all.push(...page.refreshes);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return all;
}
