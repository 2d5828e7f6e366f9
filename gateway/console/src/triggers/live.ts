// Triggers and their deliveries as they are now: the contract has no watch for them, so that they are asked for again.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { Trigger } from "../gen/weft/trigger/v1/trigger_pb";
import { triggers as client } from "../rpc/triggers";

const REFRESH_MILLISECONDS = 3_000;
/** Of what is one of many in a list. */
const REFRESH_ROW_MILLISECONDS = 5_000;
const REFRESH_TICKS_MILLISECONDS = 30_000;
const REFRESHED_PAGES = 2;
const PAGE = 1_000;
const DELIVERIES = 50;
/** More than a list that is filtered here can show. */
const MOST = 5_000;

async function listAll(project: string, signal: AbortSignal): Promise<Trigger[]> {
  const all: Trigger[] = [];
  let pageToken = "";
  do {
    const page = await client.listTriggers(
      { parent: `projects/${project}`, pageSize: PAGE, pageToken },
      { signal },
    );
    all.push(...page.triggers);
    pageToken = page.nextPageToken;
  } while (pageToken && all.length < MOST);
  return all;
}

export function useTriggers(project: string) {
  return useQuery({
    queryKey: ["triggers", project],
    queryFn: ({ signal }) => listAll(project, signal),
    refetchInterval: ({ state }) => ((state.data?.length ?? 0) < PAGE ? REFRESH_MILLISECONDS : false),
  });
}

export function useTrigger(name: string) {
  return useQuery({
    queryKey: ["trigger", name],
    queryFn: ({ signal }) => client.getTrigger({ name }, { signal }),
    refetchInterval: REFRESH_MILLISECONDS,
  });
}

/** The last one that came to a trigger, while its row is in sight. */
export function useLastDelivery(trigger: string) {
  return useQuery({
    queryKey: ["last-delivery", trigger],
    queryFn: async ({ signal }) =>
      (await client.listDeliveries({ parent: trigger, pageSize: 1 }, { signal })).deliveries[0] ?? null,
    refetchInterval: REFRESH_ROW_MILLISECONDS,
  });
}

export function useDeliveries(trigger: string) {
  return useInfiniteQuery({
    queryKey: ["deliveries", trigger],
    queryFn: ({ pageParam, signal }) =>
      client.listDeliveries({ parent: trigger, pageSize: DELIVERIES, pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: (last) => last.nextPageToken || undefined,
    refetchInterval: ({ state }) =>
      (state.data?.pages.length ?? 0) <= REFRESHED_PAGES ? REFRESH_MILLISECONDS : false,
  });
}

export function useDelivery(name: string) {
  return useQuery({
    queryKey: ["delivery", name],
    queryFn: ({ signal }) => client.getDelivery({ name }, { signal }),
    refetchInterval: REFRESH_MILLISECONDS,
  });
}

/** The next times of a schedule; asked anew when one of them is over or its settings have changed. */
export function useTicks(trigger: Trigger) {
  return useQuery({
    queryKey: ["ticks", trigger.name, trigger.etag, String(nextOf(trigger)?.seconds)],
    queryFn: ({ signal }) => client.listTicks({ parent: trigger.name, pageSize: 5 }, { signal }),
    // One that is paused has no next time that would change.
    refetchInterval: REFRESH_TICKS_MILLISECONDS,
    placeholderData: (before) => before,
  });
}

export function nextOf({ source }: Pick<Trigger, "source">) {
  return source.case === "schedule" ? source.value.nextTime : undefined;
}
