// The stream of a graph's communities, for as long as somebody looks at them.
import type { NodeCommunities } from "../graph/style";
import { LOOKS } from "../render/look";
import { liveAnalyses } from "../rpc/analyses";
import { describe, reasonOf } from "../rpc/errors";
import { follow } from "../rpc/follow";
import { Partition, sizesOf } from "./partition";
import { chooseSlots } from "./slots";

/** Colours that change more often than this are no help to anybody. */
const LEAST_INTERVAL = { seconds: 0n, nanos: 500_000_000 };

/** What no new attempt mends: only fewer nodes, or others who stop watching. */
const TOO_MUCH: Readonly<Record<string, string>> = {
  GRAPH_TOO_LARGE: "The graph is larger than this mesh keeps the communities of.",
  ANALYSIS_TOO_LARGE: "The graph needs more memory than this mesh has for communities.",
  TOO_MANY_LIVE_COMMUNITIES: "This mesh keeps as many communities up to date as it may.",
  TOO_MANY_VIEWERS: "As many people as may watch communities here already do.",
};

/** At a glance, and of which revision of the graph. */
export interface CommunitiesTold {
  revision: bigint;
  communityCount: number;
  modularity: number;
}

export interface CommunitiesEvents {
  told(summary: CommunitiesTold, communities: NodeCommunities): void;
  /** The same as before is true of this revision as well. */
  still(revision: bigint): void;
  failed(words: string): void;
}

/** Watches until `signal`. `slots` are the colours that communities had before. */
export async function watchCommunities(
  graph: string,
  resolution: number,
  slots: ReadonlyMap<number, number>,
  events: CommunitiesEvents,
  signal: AbortSignal,
): Promise<void> {
  let partition = new Partition();
  let known: NodeCommunities | null = null;
  await follow(
    {
      name: "communities",
      open: (open) => {
        // Each stream begins anew with all of them.
        partition = new Partition();
        const request = { graph, resolution, minInterval: LEAST_INTERVAL };
        return liveAnalyses.watchCommunities(request, { signal: open });
      },
      heard: ({ event }) => {
        if (signal.aborted) return;
        if (event.case === "toldRevision" && event.value > 0n) events.still(event.value);
        const whole =
          event.case === "partition"
            ? partition.begin(event.value)
            : event.case === "changes"
              ? partition.change(event.value)
              : false;
        const { membership, summary } = partition;
        if (!whole || !summary) return;
        const communityCount = Number(summary.communityCount);
        // Where nobody has moved they are the same, and nothing has to be coloured anew.
        if (known?.values !== membership.values || known.communityCount !== communityCount) {
          const before = known?.slots ?? slots;
          const chosen = chooseSlots(sizesOf(membership), before, LOOKS.dark.categories.length);
          known = { ...membership, slots: chosen, communityCount, resolution };
        }
        events.told(
          { revision: summary.graphRevision, communityCount, modularity: summary.modularity },
          known,
        );
      },
      final: (error) => reasonOf(error) in TOO_MUCH,
      failed: (error) => events.failed(TOO_MUCH[reasonOf(error)] ?? describe(error)),
    },
    signal,
  );
}
