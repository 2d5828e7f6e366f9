// What a search finds, page by page, each of what there was when the first was asked for.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { logs } from "../rpc/logs";
import { entriesOf } from "./model";
import type { LogFilter, LogsSearch } from "./search";
import { type Bounds, boundsOf } from "./when";

const PAGE = 200;
const STALE_MILLISECONDS = 30_000;

interface Place {
  token: string;
  /** The time of the first page, which the token is of. */
  bounds?: Bounds;
}

/** `begun` is the watch that a live search waits for: 0 while it has not begun; null where nothing is followed. */
export function useFound(filter: LogFilter, search: LogsSearch, begun: number | null, again: number) {
  const { last, from, to } = search;
  const list = useInfiniteQuery({
    queryKey: ["logs", filter.parent, filter, { last, from, to }, begun, again],
    queryFn: async ({ pageParam, signal }) => {
      const bounds = pageParam.bounds ?? boundsOf({ last, from, to }, Date.now());
      const asked = { ...filter, ...bounds, pageSize: PAGE, pageToken: pageParam.token };
      const { logs: records, nextPageToken } = await logs.searchLogs(asked, { signal });
      return { records, next: nextPageToken, bounds };
    },
    initialPageParam: { token: "" } as Place,
    getNextPageParam: ({ next, bounds }): Place | undefined => (next ? { token: next, bounds } : undefined),
    placeholderData: (before, query) => (query?.queryKey[1] === filter.parent ? before : undefined),
    enabled: begun !== 0,
    // What is found stays as it is while it is read: who wants it anew asks for it.
    staleTime: begun === null ? STALE_MILLISECONDS : Number.POSITIVE_INFINITY,
    gcTime: begun === null ? undefined : 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const entries = useMemo(
    () => entriesOf(list.data?.pages.flatMap((page) => page.records) ?? []),
    [list.data],
  );
  return { list, entries };
}
