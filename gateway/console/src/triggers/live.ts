// Triggers and their deliveries as they are now. Deliveries are told as they come; triggers have no watch in the contract,
// so that they are asked for again.
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { DeliveryState, DeliveryView, type Trigger } from "../gen/weft/trigger/v1/trigger_pb";
import type { WatchDeliveriesResponse } from "../gen/weft/trigger/v1/trigger_service_pb";
import { follow } from "../rpc/follow";
import { triggers as client, liveTriggers } from "../rpc/triggers";

const REFRESH_MILLISECONDS = 3_000;
/** Of what is one of many in a list. */
const REFRESH_ROW_MILLISECONDS = 5_000;
const REFRESH_TICKS_MILLISECONDS = 30_000;
/** What is told within so long is shown together. */
const SHOW_MILLISECONDS = 250;
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

/** Asks again for what a page shows of deliveries, whenever one of them is told: by all triggers of a project with `-`. */
function useTold(parent: string, shown: string) {
  const queries = useQueryClient();
  useEffect(() => {
    const stop = new AbortController();
    let cursor = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const heard = (told: WatchDeliveriesResponse) => {
      cursor = told.cursor;
      if (told.deliveries.length === 0) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        void queries.invalidateQueries({ queryKey: ["delivery"] });
        void queries.invalidateQueries({ queryKey: [shown] });
      }, SHOW_MILLISECONDS);
    };
    void follow<WatchDeliveriesResponse>(
      {
        name: `deliveries of ${parent}`,
        open: (signal) => liveTriggers.watchDeliveries({ parent, afterCursor: cursor }, { signal }),
        heard,
        // The page says so itself when it asks.
        failed: () => undefined,
      },
      stop.signal,
    );
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [parent, shown, queries]);
}

export function useDeliveries(trigger: string) {
  useTold(trigger, "deliveries");
  return useInfiniteQuery({
    queryKey: ["deliveries", trigger],
    queryFn: ({ pageParam, signal }) =>
      client.listDeliveries({ parent: trigger, pageSize: DELIVERIES, pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: (last) => last.nextPageToken || undefined,
    // As long as nothing is told, as when the stream is broken.
    refetchInterval: ({ state }) =>
      (state.data?.pages.length ?? 0) <= REFRESHED_PAGES ? REFRESH_TICKS_MILLISECONDS : false,
  });
}

/** Dead letters of a project: deliveries of which no run could be started for good. */
export function useDeadLetters(project: string, filter: string) {
  useTold(`projects/${project}/triggers/-`, "dead-letters");
  const all = "dead_letter = true";
  return useInfiniteQuery({
    queryKey: ["dead-letters", project, filter],
    queryFn: ({ pageParam, signal }) =>
      client.listDeliveries(
        {
          parent: `projects/${project}/triggers/-`,
          filter: filter.trim() ? `${all} AND (${filter})` : all,
          pageSize: DELIVERIES,
          pageToken: pageParam,
        },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.nextPageToken || undefined,
    refetchInterval: ({ state }) =>
      (state.data?.pages.length ?? 0) <= REFRESHED_PAGES ? REFRESH_TICKS_MILLISECONDS : false,
    placeholderData: (before) => before,
    retry: false,
  });
}

export function useDelivery(name: string) {
  return useQuery({
    queryKey: ["delivery", name],
    queryFn: ({ signal }) => client.getDelivery({ name, view: DeliveryView.FULL }, { signal }),
    // What is settled changes no more by itself.
    refetchInterval: ({ state }) =>
      state.data?.state === DeliveryState.PENDING ? REFRESH_MILLISECONDS : false,
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
