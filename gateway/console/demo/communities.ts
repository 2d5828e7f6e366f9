// Communities of a made-up graph that change a little every now and then: its
// types, which follow its groups, and a few nodes that cannot make up their minds.
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { WatchCommunitiesResponseSchema } from "../src/gen/weft/compute/v1/analysis_service_pb";
import { type DemoGraph, TYPES } from "./graph";

const EVERY_MS = 3_000;
const MOVERS = 40;

export async function* demoCommunities(graph: DemoGraph, mode: string, signal: AbortSignal) {
  if (mode === "large")
    throw new ConnectError("the graph has 5,000,000 nodes, which is too many", Code.ResourceExhausted);
  const communities = [...graph.types];
  const summary = () => ({
    graphRevision: 3n,
    nodeCount: BigInt(graph.nodes),
    communityCount: BigInt(new Set(communities).size),
    modularity: 0.71,
  });
  const ordinals = communities.map((_, at) => at + 1);
  yield create(WatchCommunitiesResponseSchema, {
    event: { case: "partition", value: { ordinals, communities, summary: summary(), lastPart: true } },
  });
  for (let round = 1; !signal.aborted; round++) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    const moved = ordinals.slice((round * MOVERS) % graph.nodes, ((round * MOVERS) % graph.nodes) + MOVERS);
    for (const ordinal of moved)
      communities[ordinal - 1] = (communities[ordinal - 1] + 1) % (TYPES.length + 4);
    yield create(WatchCommunitiesResponseSchema, {
      event: {
        case: "changes",
        value: {
          ordinals: moved,
          communities: moved.map((ordinal) => communities[ordinal - 1]),
          summary: summary(),
          lastPart: true,
        },
      },
    });
  }
}
