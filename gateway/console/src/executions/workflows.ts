// The workflows of a project, and what one of them is started with.
import type { JsonObject } from "@bufbuild/protobuf";
import type { Graph } from "../gen/weft/graph/v1/graph_pb";
import { graphs } from "../rpc/clients";

/** More than a list to choose from can show. */
const MOST = 5_000;

export async function listWorkflows(project: string, signal: AbortSignal): Promise<Graph[]> {
  const all: Graph[] = [];
  let pageToken = "";
  do {
    const page = await graphs.listGraphs(
      {
        parent: `projects/${project}`,
        pageSize: 1000,
        pageToken,
        filter: "kind = workflow",
        orderBy: "update_time desc",
      },
      { signal },
    );
    all.push(...page.graphs);
    pageToken = page.nextPageToken;
  } while (pageToken && all.length < MOST);
  return all;
}

/** The schema of a workflow's input: of the first `input` node that is in no body and has one. */
export async function inputSchema(graph: string, signal: AbortSignal): Promise<JsonObject | undefined> {
  const { nodes } = await graphs.listNodes({ graph, filter: 'type = "input"', pageSize: 1000 }, { signal });
  const schemas = nodes
    .filter((node) => !node.properties?.parent)
    .map((node) => node.properties?.schema)
    .filter((schema) => typeof schema === "object" && schema !== null && !Array.isArray(schema));
  return schemas[0] as JsonObject | undefined;
}
