// The sources of the mesh that lives in the page: one of each kind of outcome,
// and refreshes that take some seconds.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  type Refresh,
  RefreshPhase,
  RefreshSchema,
  RefreshState,
  type Source,
  SourceSchema,
} from "../src/gen/weft/graph/v1/source_pb";
import type { SourceService } from "../src/gen/weft/graph/v1/source_service_pb";

const FILES = 240n;
const STEPS = 30;
const sources = new Map<string, Source>();
const refreshes = new Map<string, Refresh[]>();

function add(graph: string, id: string, displayName: string, path: string): Source {
  const source = create(SourceSchema, {
    name: `${graph}/sources/${id}`,
    uid: `${graph}/${id}`,
    displayName,
    location: {
      case: "folder",
      value: { folder: "projects/default/folders/notes", path, include: ["**/*.md"], exclude: ["drafts/**"] },
    },
    propertyLinks: [{ property: "author", nodeType: "creator", edgeType: "author" }],
    createTime: timestampFromMs(Date.now() - 9e8),
  });
  sources.set(source.name, source);
  refreshes.set(source.name, []);
  return source;
}

function begin(
  source: Source,
  state: RefreshState,
  part: MessageInitShape<typeof RefreshSchema> = {},
): Refresh {
  const history = refreshes.get(source.name) ?? [];
  const refresh = create(RefreshSchema, {
    name: `${source.name}/refreshes/${history.length + 1}`,
    state,
    actor: "projects/default/apiKeys/admin",
    createTime: timestampFromMs(Date.now() - 4e6 / (history.length + 1)),
    ...part,
  });
  history.unshift(refresh);
  source.lastRefresh = refresh;
  return refresh;
}

function fill(graph: string): void {
  if ([...sources.keys()].some((name) => name.startsWith(`${graph}/`))) return;
  const endTime = timestampFromMs(Date.now() - 1e6);
  const result = { revision: 4n, createdNodeCount: 812n, updatedNodeCount: 3n, createdEdgeCount: 2_044n };
  begin(add(graph, "team-notes", "Team notes", ""), RefreshState.SUCCEEDED, { endTime, result });
  begin(add(graph, "papers", "Papers", "library/papers"), RefreshState.FAILED, {
    endTime,
    error: { code: Code.FailedPrecondition, message: "the folder has no file that the source asks for" },
  });
  add(graph, "archive", "", "archive/2019");
}

async function* run(source: Source, refresh: Refresh) {
  for (let step = 0; step <= STEPS && refresh.state === RefreshState.RUNNING; step++) {
    const done = (FILES * BigInt(step)) / BigInt(STEPS);
    Object.assign(refresh, {
      progress: create(RefreshSchema, {
        progress: {
          phase:
            step < 3 ? RefreshPhase.SCANNING : step < STEPS ? RefreshPhase.READING : RefreshPhase.WRITING,
          foundFileCount: FILES,
          foundBytes: FILES * 4096n,
          readFileCount: done,
          readBytes: done * 4096n,
          nodeCount: done * 3n,
          edgeCount: done * 7n,
        },
      }).progress,
    });
    yield refresh;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  if (refresh.state === RefreshState.RUNNING) refresh.state = RefreshState.SUCCEEDED;
  refresh.endTime = timestampFromMs(Date.now());
  if (refresh.state === RefreshState.SUCCEEDED)
    refresh.result = create(RefreshSchema, { result: { revision: 5n, updatedNodeCount: 12n } }).result;
  source.lastRefresh = refresh;
  yield refresh;
}

const of = (name: string): Source => {
  const found = sources.get(name);
  if (!found) throw new ConnectError(`there is no source ${name}`, Code.NotFound);
  return found;
};
const find = (name: string): [Source, Refresh] => {
  const source = of(name.slice(0, name.indexOf("/refreshes/")));
  return [source, refreshes.get(source.name)?.find((one) => one.name === name) as Refresh];
};

export function demoSources(mode: string): Partial<ServiceImpl<typeof SourceService>> {
  return {
    listFolders: () =>
      mode === "empty"
        ? {}
        : {
            folders: [
              { name: "projects/default/folders/notes", description: "The team's notebook", available: true },
              { name: "projects/default/folders/exports", available: false },
            ],
          },
    listSources: ({ parent }) => {
      if (mode === "error")
        throw new ConnectError("the database of this mesh is being restored", Code.Unavailable);
      if (mode !== "empty") fill(parent);
      return { sources: [...sources.values()].filter((one) => one.name.startsWith(`${parent}/`)) };
    },
    createSource({ parent, sourceId, source }) {
      const made = add(parent, sourceId, source?.displayName ?? "", "");
      return Object.assign(made, { location: source?.location, propertyLinks: source?.propertyLinks });
    },
    updateSource: ({ source }) =>
      Object.assign(of(source?.name ?? ""), {
        displayName: source?.displayName,
        location: source?.location,
        propertyLinks: source?.propertyLinks,
      }),
    deleteSource({ name }) {
      sources.delete(name);
      return {};
    },
    refreshSource: ({ name }) =>
      begin(of(name), RefreshState.RUNNING, { createTime: timestampFromMs(Date.now()) }),
    watchRefresh: ({ name }) => run(...find(name)),
    listRefreshes: ({ parent }) => ({ refreshes: refreshes.get(parent) }),
    cancelRefresh: ({ name }) => Object.assign(find(name)[1], { state: RefreshState.CANCELLED }),
  };
}
