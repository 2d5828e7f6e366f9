// The sources of one graph: what parts of it come from, when they were brought
// up to date, and what can be done about it.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { palette } from "../app/palette";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import type { Source } from "../gen/weft/graph/v1/source_pb";
import { SourceService } from "../gen/weft/graph/v1/source_service_pb";
import { may } from "../rpc/policy";
import { sources } from "../rpc/sources";
import { count, lastPart } from "../ui/format";
import { Icon } from "../ui/icon";
import { Failure } from "../ui/states";
import { DeleteSourceDialog } from "./delete-dialog";
import { EditSourceDialog } from "./edit-dialog";
import { NoSources } from "./empty";
import { SourcePanel } from "./panel";
import { merge, runningOf, sourcesKey } from "./refreshes";
import { looking, refreshSource, watchRefresh } from "./run";
import type { Permissions } from "./permissions";
import { SourceTable } from "./table";

const LIST_EVERY_MS = 10_000;

interface Props {
  project: string;
  /** `projects/{project}/graphs/{graph}`. */
  graph: string;
  /** Id of the source that is looked at. */
  selected: string | undefined;
  onSelect: (id: string | undefined) => void;
}

export default function SourcesView({ project, graph, selected, onSelect }: Props) {
  const queries = useQueryClient();
  const { principal } = useStore(session.store);
  const [editing, setEditing] = useState<Source | "new" | null>(null);
  const [deleting, setDeleting] = useState<Source | null>(null);
  const allowed = (name: keyof typeof SourceService.method) =>
    may(principal, SourceService.method[name], project);
  const permissions: Permissions = {
    create: allowed("createSource"),
    update: allowed("updateSource"),
    remove: allowed("deleteSource"),
    refresh: allowed("refreshSource"),
    cancel: allowed("cancelRefresh"),
  };
  const list = useQuery({
    queryKey: sourcesKey(graph),
    queryFn: async ({ signal }) => {
      const listed = await listAll(graph, signal);
      return merge(queries.getQueryData<Source[]>(sourcesKey(graph)), listed);
    },
    refetchInterval: LIST_EVERY_MS,
  });
  useFollowing(list.data);
  useEffect(() => {
    looking.add(graph);
    return () => {
      looking.delete(graph);
    };
  }, [graph]);
  useEffect(() => {
    if (!permissions.create) return;
    return palette.offer([
      { id: "new-source", title: "New source", icon: "plus", run: () => setEditing("new") },
    ]);
  }, [permissions.create]);

  const shown = list.data?.find((source) => lastPart(source.name) === selected);
  const refresh = (source: Source) => {
    onSelect(lastPart(source.name));
    void refreshSource(queries, source);
  };
  return (
    <div className="sources-view">
      <div className="sources-list">
        <div className="toolbar">
          <h2>Sources</h2>
          <span className="toolbar-count" role="status">
            {list.data && list.data.length > 0 && count(list.data.length)}
          </span>
          {permissions.create && list.data?.length !== 0 && (
            <button type="button" className="button button-primary" onClick={() => setEditing("new")}>
              <Icon name="plus" /> New source
            </button>
          )}
        </div>
        {list.isError && !list.data ? (
          <Failure title="The sources cannot be listed" error={list.error} onRetry={() => list.refetch()} />
        ) : list.data?.length === 0 ? (
          <NoSources project={project} mayCreate={permissions.create} onCreate={() => setEditing("new")} />
        ) : (
          <SourceTable
            list={list.data}
            selected={selected}
            permissions={permissions}
            onSelect={onSelect}
            onRefresh={refresh}
          />
        )}
      </div>
      {selected && list.data && (
        <SourcePanel
          // Another source is another panel, not the same one with other words in it.
          key={selected}
          id={selected}
          source={shown}
          permissions={permissions}
          onClose={() => onSelect(undefined)}
          onRefresh={refresh}
          onEdit={setEditing}
          onDelete={setDeleting}
        />
      )}
      {editing && (
        <EditSourceDialog
          project={project}
          graph={graph}
          source={editing === "new" ? null : editing}
          mayRefresh={permissions.refresh}
          onClose={() => setEditing(null)}
          onSaved={(source, next) => {
            setEditing(null);
            if (next === "refresh") refresh(source);
            else onSelect(lastPart(source.name));
          }}
        />
      )}
      {deleting && (
        <DeleteSourceDialog
          source={deleting}
          onClose={() => setDeleting(null)}
          onDeleted={() => {
            setDeleting(null);
            onSelect(undefined);
          }}
        />
      )}
    </div>
  );
}

/** Watches whatever runs: begun here, by others, or before a reload. */
function useFollowing(list: readonly Source[] | undefined): void {
  const queries = useQueryClient();
  useEffect(() => {
    for (const source of list ?? []) {
      const running = runningOf(source);
      if (running) void watchRefresh(queries, running.name);
    }
  }, [list, queries]);
}

async function listAll(parent: string, signal: AbortSignal): Promise<Source[]> {
  const all: Source[] = [];
  let pageToken = "";
  do {
    const page = await sources.listSources({ parent, pageSize: 1000, pageToken }, { signal });
    all.push(...page.sources);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return all;
}
