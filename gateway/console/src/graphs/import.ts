// Files from the browser into a graph: read in pieces, sent up the socket while
// progress comes back.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { GraphFormat } from "../gen/weft/graph/v1/graph_pb";
import type {
  ImportMode,
  ImportProgress,
  ImportGraphRequestSchema,
  ImportResult,
} from "../gen/weft/graph/v1/graph_service_pb";
import { liveGraphs } from "../rpc/clients";

/** Half of what a message may hold: small enough to cancel quickly. */
const PIECE_BYTES = 512 * 1024;

export interface ImportOptions {
  graph: string;
  format: GraphFormat;
  mode: ImportMode;
  requestId: string;
}

export async function importFiles(
  files: readonly File[],
  options: ImportOptions,
  onProgress: (progress: ImportProgress) => void,
  signal: AbortSignal,
): Promise<ImportResult> {
  for await (const { event } of liveGraphs.importGraph(pieces(files, options), { signal })) {
    if (event.case === "progress") onProgress(event.value);
    else if (event.case === "result") return event.value;
  }
  throw new Error("the import ended without a result");
}

async function* pieces(
  files: readonly File[],
  { graph, format, mode, requestId }: ImportOptions,
): AsyncIterable<MessageInitShape<typeof ImportGraphRequestSchema>> {
  yield { piece: { case: "begin", value: { graph, format, mode, requestId } } };
  for (const file of files) {
    const path = file.webkitRelativePath || file.name;
    yield { piece: { case: "file", value: { path, sizeBytes: BigInt(file.size) } } };
    for (let at = 0; at < file.size; at += PIECE_BYTES) {
      const data = new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer());
      yield { piece: { case: "data", value: data } };
    }
  }
}

export const FORMATS: readonly { format: GraphFormat; name: string; extension: string }[] = [
  { format: GraphFormat.EDGE_LIST, name: "Edge list", extension: "tsv" },
  { format: GraphFormat.CSV, name: "CSV", extension: "tar" },
  { format: GraphFormat.GRAPHML, name: "GraphML", extension: "graphml" },
  { format: GraphFormat.GEXF, name: "GEXF", extension: "gexf" },
  { format: GraphFormat.JSON_GRAPH, name: "JSON Graph", extension: "json" },
  { format: GraphFormat.MARKDOWN, name: "Markdown", extension: "tar" },
  { format: GraphFormat.LOGSEQ, name: "Logseq", extension: "tar" },
];
