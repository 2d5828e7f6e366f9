// What stands where no sources are: how to make one, or who opens a folder for
// it and how.
import { useQuery } from "@tanstack/react-query";
import type { Folder } from "../gen/weft/graph/v1/source_pb";
import { sources } from "../rpc/sources";
import { Loading } from "../app/shell";
import { CopyButton } from "../ui/copy";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/states";

/** The folders that are open to a project. */
export function useFolders(project: string, enabled = true) {
  return useQuery({
    queryKey: ["folders", project],
    queryFn: ({ signal }) => listAll(project, signal),
    enabled,
  });
}

export function NoSources(props: { project: string; mayCreate: boolean; onCreate: () => void }) {
  const { project, mayCreate, onCreate } = props;
  const folders = useFolders(project, mayCreate);
  if (!mayCreate) {
    return (
      <Empty icon="folder" title="This graph has no sources">
        <p>A source keeps a part of a graph true to a folder of files. An operator can make one.</p>
      </Empty>
    );
  }
  if (folders.isPending) {
    return <Loading label="Asking which folders are open" />;
  }
  if (folders.isError) {
    return (
      <Failure title="The folders cannot be listed" error={folders.error} onRetry={() => folders.refetch()} />
    );
  }
  if (folders.data.length === 0) return <OpenAFolder project={project} />;
  return (
    <Empty icon="folder" title="No sources yet">
      <p>
        A source keeps a part of the graph true to a folder of files: notes, edge lists, exports. Each refresh
        brings in what is new or changed and removes what is gone.
      </p>
      <button type="button" className="button button-primary" onClick={onCreate}>
        <Icon name="plus" /> New source
      </button>
    </Empty>
  );
}

export function OpenAFolder({ project }: { project: string }) {
  const config = `[graph.folders.notes]\npath = "/srv/notes"\nprojects = ["${project}"]`;
  const flag = "weft up --folder notes=/srv/notes";
  return (
    <Empty icon="folder" title="No folder is open to this project">
      <p>
        Sources bring in files from folders that whoever runs the mesh has opened by name. In its
        configuration:
      </p>
      <div className="command-line command-block">
        <pre>
          <code>{config}</code>
        </pre>
        <CopyButton text={config} />
      </div>
      <p>or, for a mesh on your own machine:</p>
      <div className="command-line">
        <code>{flag}</code>
        <CopyButton text={flag} />
      </div>
    </Empty>
  );
}

async function listAll(project: string, signal: AbortSignal): Promise<Folder[]> {
  const all: Folder[] = [];
  let pageToken = "";
  do {
    const page = await sources.listFolders(
      { parent: `projects/${project}`, pageSize: 1000, pageToken },
      { signal },
    );
    all.push(...page.folders);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return all;
}
