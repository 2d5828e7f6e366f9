// Refreshes that run: begun here, and followed to their end. They belong to no
// page: the mesh goes on wherever the person goes, and so does what follows it.
import type { QueryClient } from "@tanstack/react-query";
import { type Refresh, RefreshState, type Source } from "../gen/weft/graph/v1/source_pb";
import { Backoff, pause } from "../rpc/backoff";
import { describe, isTransient } from "../rpc/errors";
import { liveSources, sources } from "../rpc/sources";
import { lastPart } from "../ui/format";
import { toast } from "../ui/toast";
import { graphOf, isRunning, outcomeInWords, sourceOf, sourcesKey, tell } from "./refreshes";

/** Graphs whose sources are on the screen: what is seen there need not be told in the corner. */
export const looking = new Set<string>();

export async function refreshSource(queries: QueryClient, source: Source): Promise<void> {
  const title = source.displayName || lastPart(source.name);
  let begun: Refresh;
  try {
    begun = await sources.refreshSource({ name: source.name });
  } catch (error) {
    toast.error(`${title}: ${describe(error)}`);
    void queries.invalidateQueries({ queryKey: sourcesKey(graphOf(source.name)) });
    return;
  }
  tell(queries, begun);
  const ended = isRunning(begun) ? await watchRefresh(queries, begun.name) : begun;
  if (looking.has(graphOf(source.name))) return;
  if (ended?.state === RefreshState.SUCCEEDED && ended.result)
    toast.done(`${title}: ${outcomeInWords(ended.result)}`);
  else if (ended?.state === RefreshState.FAILED) toast.error(`${title}: the refresh failed`);
}

const watched = new Map<string, Promise<Refresh | null>>();

/** Follows a refresh to its end, once however many ask; null if it cannot be followed. */
export function watchRefresh(queries: QueryClient, name: string): Promise<Refresh | null> {
  let end = watched.get(name);
  if (!end) {
    end = follow(queries, name).finally(() => watched.delete(name));
    watched.set(name, end);
  }
  return end;
}

async function follow(queries: QueryClient, name: string): Promise<Refresh | null> {
  const backoff = new Backoff();
  const { signal } = new AbortController();
  for (;;) {
    try {
      for await (const refresh of liveSources.watchRefresh({ name })) {
        backoff.reset();
        tell(queries, refresh);
        if (isRunning(refresh)) continue;
        void queries.invalidateQueries({ queryKey: sourcesKey(graphOf(sourceOf(name))) });
        return refresh;
      }
    } catch (error) {
      // What remains true is in the list, which is asked for again anyway.
      if (!isTransient(error)) return null;
    }
    await pause(backoff.next(), signal);
  }
}
