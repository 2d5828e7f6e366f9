// A mesh that lives in the page: enough of the services to work on every page
// of the console without a server. `npm run demo`; never in a build.
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { AnalysisService } from "../src/gen/weft/compute/v1/analysis_service_pb";
import { type Layout, LayoutSchema, LayoutState } from "../src/gen/weft/compute/v1/layout_pb";
import { LayoutService } from "../src/gen/weft/compute/v1/layout_service_pb";
import { GatewayService } from "../src/gen/weft/gateway/v1/gateway_service_pb";
import { type Graph, GraphSchema, type Node, NodeSchema } from "../src/gen/weft/graph/v1/graph_pb";
import { GraphService } from "../src/gen/weft/graph/v1/graph_service_pb";
import { SourceService } from "../src/gen/weft/graph/v1/source_service_pb";
import { type ApiKey, ApiKeySchema, Role } from "../src/gen/weft/identity/v1/identity_pb";
import { IdentityService } from "../src/gen/weft/identity/v1/identity_service_pb";
import type { Mesh } from "../src/rpc/mesh";
import { demoCommunities } from "./communities";
import { demoRoutes } from "./routes";
import { demoSources } from "./sources";
import { type DemoGraph, demoFrame, demoGraph, TYPES } from "./graph";

const params = new URLSearchParams(location.search);
const mode = params.get("demo") ?? sessionStorage.getItem("demo") ?? "";
sessionStorage.setItem("demo", mode);

const SIZES: Record<string, [number, number]> = {
  big: [100_000, 300_000],
  middle: [10_000, 20_000],
  small: [400, 1200],
};
const content = new Map<string, DemoGraph>();
const graphsByName = new Map<string, Graph>();
for (const [id, [nodes, edges]] of Object.entries(SIZES)) addGraph(id, nodes, edges);
addGraph("empty", 0, 0);
for (let i = 0; i < 40; i++) addGraph(`team-notes-${i}`, 0, 0, [i * 137 + 5, i * 411]);
if (mode === "empty") graphsByName.clear();

function addGraph(id: string, nodes: number, edges: number, shown: [number, number] = [nodes, edges]): void {
  const name = `projects/default/graphs/${id}`;
  const updateTime = timestampFromDate(new Date(Date.now() - graphsByName.size * 3_700_000));
  graphsByName.set(
    name,
    create(GraphSchema, {
      name,
      uid: id,
      displayName: id[0].toUpperCase() + id.slice(1).replaceAll("-", " "),
      description: nodes ? "Made up, with communities" : "",
      nodeCount: BigInt(shown[0]),
      edgeCount: BigInt(shown[1]),
      revision: 3n,
      updateTime,
      createTime: updateTime,
    }),
  );
}

function open(name: string): DemoGraph {
  const found = graphsByName.get(name);
  if (!found) throw new ConnectError(`graph ${name} does not exist`, Code.NotFound);
  const id = found.uid;
  let graph = content.get(id);
  if (!graph) {
    const [nodes, edges] = SIZES[id] ?? [0, 0];
    graph = demoGraph(id, nodes, edges);
    content.set(id, graph);
  }
  return graph;
}

function node(graph: DemoGraph, index: number): Node {
  return create(NodeSchema, {
    key: graph.keys[index],
    type: TYPES[graph.types[index]],
    ordinal: index + 1,
    labels: index % 3 ? ["stable"] : [],
    properties: {
      section: TYPES[graph.types[index]],
      size: index * 17,
      maintainer: { name: "Ada", since: 2019 },
      tags: ["a", "b"],
    },
  });
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const layout: Layout = create(LayoutSchema, { name: "", state: LayoutState.RUNNING, parameters: {} });
const keys: ApiKey[] = [
  create(ApiKeySchema, {
    name: "projects/default/apiKeys/admin",
    displayName: "First key",
    role: Role.ADMIN,
    createTime: timestampFromDate(new Date(Date.now() - 9e8)),
    lastUseTime: timestampFromDate(new Date()),
  }),
  create(ApiKeySchema, {
    name: "projects/default/apiKeys/ci",
    displayName: "Nightly import",
    role: Role.OPERATOR,
    createTime: timestampFromDate(new Date(Date.now() - 5e9)),
  }),
  create(ApiKeySchema, {
    name: "projects/default/apiKeys/old",
    displayName: "Old laptop",
    role: Role.VIEWER,
    createTime: timestampFromDate(new Date(Date.now() - 9e9)),
    revokeTime: timestampFromDate(new Date(Date.now() - 3e8)),
  }),
];

async function* events(
  name: string,
  dragged: { index: number; at: number[] } | null,
  signal: AbortSignal,
  hold: () => { index: number; at: number[] } | null,
) {
  const three = name.endsWith("3d");
  const graph = open(name.slice(0, name.indexOf("/layouts")));
  const ids = Uint32Array.from({ length: graph.nodes }, (_, i) => i + 1);
  const places = new Float32Array(graph.nodes * 3);
  layout.name = name;
  yield { event: { event: { case: "layout" as const, value: layout } } };
  for (let sequence = 1; !signal.aborted; sequence++) {
    const open = Math.min(1, sequence / 40) ** 0.5;
    if (layout.state === LayoutState.RUNNING || sequence === 1) {
      const swing = Math.max(0.4, 6 - sequence / 10);
      for (let i = 0; i < graph.nodes; i++) {
        for (let axis = 0; axis < 3; axis++) {
          places[i * 3 + axis] =
            graph.home[i * 3 + axis] * open + Math.sin(sequence * 0.12 + i * 1.7 + axis) * swing;
        }
      }
      const held = hold() ?? dragged;
      if (held) places.set(held.at, held.index * 3);
      yield {
        event: {
          event: {
            case: "frame" as const,
            value: demoFrame(places, sequence === 1 ? ids : null, three ? 3 : 2, sequence),
          },
        },
      };
      if (sequence > 50 && graph.nodes > 20_000) {
        layout.state = LayoutState.SETTLED;
        yield { event: { event: { case: "layout" as const, value: layout } } };
      }
    }
    await wait(50);
  }
}

export function createMesh(interceptors: Interceptor[]): Mesh {
  const transport = createRouterTransport(
    ({ service }) => {
      service(IdentityService, {
        issueToken(request) {
          if (request.credential.value === "wrong")
            throw new ConnectError("unknown key", Code.Unauthenticated);
          if (request.credential.case === "ticket") throw new ConnectError("used", Code.Unauthenticated);
          return { token: "demo", lifetime: { seconds: 900n } };
        },
        whoAmI: () => ({
          name: "projects/mesh/apiKeys/admin",
          displayName: "Demo admin",
          grants: [{ project: "projects/mesh", role: mode === "viewer" ? Role.VIEWER : Role.ADMIN }],
        }),
        listApiKeys: () => ({ apiKeys: keys }),
        createApiKey: (request) => {
          const made = create(ApiKeySchema, {
            displayName: request.apiKey?.displayName,
            role: request.apiKey?.role,
            name: `projects/default/apiKeys/k${keys.length}`,
            secret: "weft_1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d",
          });
          keys.push(made);
          return made;
        },
      });
      service(GatewayService, demoRoutes(mode));
      service(GraphService, {
        async listGraphs() {
          if (mode === "loading") await wait(1e9);
          if (mode === "error")
            throw new ConnectError("the database of this mesh is being restored", Code.Unavailable);
          return { graphs: [...graphsByName.values()] };
        },
        createGraph(request) {
          addGraph(request.graphId, 0, 0);
          return graphsByName.get(`projects/default/graphs/${request.graphId}`) as Graph;
        },
        async *streamSnapshot(request) {
          const graph = open(request.graph);
          yield {
            piece: {
              case: "header",
              value: { graph: graphsByName.get(request.graph), nodeTypes: TYPES, edgeTypes: ["depends"] },
            },
          };
          if (mode === "loading") await wait(1e9);
          for (let at = 0; at < graph.nodes; at += 20_000) {
            const indices = Array.from({ length: Math.min(20_000, graph.nodes - at) }, (_, i) => at + i);
            yield {
              piece: {
                case: "nodes",
                value: {
                  ordinals: indices.map((i) => i + 1),
                  types: indices.map((i) => graph.types[i]),
                  keys: indices.map((i) => graph.keys[i]),
                  displayNames: indices.map(() => ""),
                  labels: indices.map((i) => (i % 3 ? "stable" : "")),
                },
              },
            };
          }
          for (let at = 0; at < graph.edges; at += 50_000) {
            const indices = Array.from({ length: Math.min(50_000, graph.edges - at) }, (_, i) => at + i);
            yield {
              piece: {
                case: "edges",
                value: {
                  sources: indices.map((i) => graph.ends[i * 2] + 1),
                  targets: indices.map((i) => graph.ends[i * 2 + 1] + 1),
                  types: indices.map(() => 0),
                },
              },
            };
          }
          yield { piece: { case: "end", value: { revision: 3n } } };
        },
        async *watchGraph(_request, context) {
          yield { event: { case: "caughtUpRevision", value: 3n } };
          while (!context.signal.aborted) await wait(1000);
        },
        getNode: (request) => node(open(request.graph), open(request.graph).keys.indexOf(request.key)),
        listNodes(request) {
          const graph = open(request.graph);
          if (request.filter.includes("!!"))
            throw new ConnectError("filter: unexpected `!` at column 3", Code.InvalidArgument);
          const at = Number(request.pageToken || 0);
          const size = Math.min(request.pageSize, graph.nodes - at);
          return {
            nodes: Array.from({ length: size }, (_, i) => node(graph, at + i)),
            nextPageToken: at + size < graph.nodes ? String(at + size) : "",
          };
        },
        searchNodes(request) {
          const graph = open(request.graph);
          const found = graph.keys
            .map((key, i) => [key, i] as const)
            .filter(([key]) => key.includes(request.query));
          return {
            results: found
              .slice(0, request.pageSize)
              .map(([, i]) => ({ node: node(graph, i), score: 1, snippet: "" })),
            totalSize: BigInt(found.length),
          };
        },
        getNeighborhood(request) {
          const graph = open(request.graph);
          const own = graph.keys.indexOf(request.keys[0]);
          const edges = [];
          const seen = new Set([own]);
          for (let e = 0; e < graph.edges; e++) {
            const [s, t] = [graph.ends[e * 2], graph.ends[e * 2 + 1]];
            if (s !== own && t !== own) continue;
            seen.add(s).add(t);
            edges.push({ source: graph.keys[s], target: graph.keys[t], type: "depends" });
          }
          return { nodes: [...seen].map((i) => node(graph, i)), edges };
        },
        listRelatedNodes(request) {
          const graph = open(request.graph);
          return {
            related: Array.from({ length: 12 }, (_, i) => ({
              node: node(graph, i * 7),
              score: 0.9 - i * 0.06,
              textSimilarity: 0.5,
              linkSimilarity: 0.4,
              sharedNeighbors: [graph.keys[i], graph.keys[i + 1]],
              linked: i % 2 === 0,
            })),
          };
        },
        findShortestPath(request) {
          const graph = open(request.graph);
          const own = graph.keys.indexOf(request.source);
          const target = graph.keys.indexOf(request.target);
          return { found: true, length: 1, nodes: [node(graph, own), node(graph, target)], edges: [{}] };
        },
      });
      service(SourceService, demoSources(mode));
      service(AnalysisService, {
        listAnalyses: () => ({ analyses: [] }),
        watchCommunities: (request, context) => demoCommunities(open(request.graph), mode, context.signal),
      });
      service(LayoutService, {
        getLayout: () => layout,
        startLayout: () => Object.assign(layout, { state: LayoutState.RUNNING }),
        stopLayout: () => Object.assign(layout, { state: LayoutState.STOPPED }),
        reheatLayout: () => Object.assign(layout, { state: LayoutState.RUNNING }),
        updateLayout: (request) => {
          Object.assign(layout.parameters ?? {}, request.layout?.parameters);
          return layout;
        },
        async *attachLayout(requests, context) {
          const stream = requests[Symbol.asyncIterator]();
          const first = (await stream.next()).value;
          let held: { index: number; at: number[] } | null = null;
          void (async () => {
            for (let next = await stream.next(); !next.done; next = await stream.next()) {
              const { action } = next.value;
              if (action.case === "drag" && action.value.node.case === "ordinal" && action.value.position) {
                const { x, y, z } = action.value.position;
                held = { index: action.value.node.value - 1, at: [x, y, z] };
              } else if (action.case === "release") held = null;
            }
          })().catch(() => {});
          if (first?.action.case === "open")
            yield* events(first.action.value.name, null, context.signal, () => held);
        },
      });
    },
    { transport: { interceptors } },
  );
  return { web: transport, socket: transport };
}
