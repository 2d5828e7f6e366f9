// Logs as they arrive, for as long as somebody follows them.
import { useCallback, useEffect, useRef, useState } from "react";
import type { WatchLogsResponse } from "../gen/weft/telemetry/v1/log_service_pb";
import { follow } from "../rpc/follow";
import { liveLogs } from "../rpc/logs";
import type { Entry } from "./model";
import type { LogFilter } from "./search";
import { NO_TAIL, Tail, type TailView } from "./tail";

/** How long records are gathered before they are shown. */
const SHOW_MILLISECONDS = 100;

export interface Live extends TailView {
  /** Another number for each watch that has begun, 0 before: a search that is asked for after that misses nothing. */
  begun: number;
  error: unknown;
  /** Tells what such a search has found. */
  found: (entries: readonly Entry[]) => void;
  release: () => void;
}

const NOTHING = { ...NO_TAIL, begun: 0, error: null as unknown, of: null as string | null };

/** `hold` while what arrives must not move what is on the screen; `again` counts wishes to begin anew. */
export function useLiveLogs(filter: LogFilter | null, hold: boolean, again: number): Live {
  const [state, setState] = useState(NOTHING);
  const tail = useRef(new Tail());
  const holds = useRef(hold);
  holds.current = hold;
  // Never the same again, also when the page is left and comes back.
  const begun = useRef(Date.now());
  const key = filter && `${again} ${JSON.stringify(filter)}`;

  // `key` stands for the filter.
  useEffect(() => {
    setState({ ...NOTHING, of: key });
    const ours = new Tail();
    tail.current = ours;
    if (!filter) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let [isFirst, isFresh] = [true, false];
    const show = (part: Partial<typeof NOTHING> = {}) => {
      timer = undefined;
      if (!stop.signal.aborted) setState((before) => ({ ...before, ...ours.view(), ...part }));
    };
    void follow<WatchLogsResponse>(
      {
        name: "logs",
        open: (signal) => {
          isFresh = true;
          return liveLogs.watchLogs(filter, { signal });
        },
        heard: ({ logs, missedMessageCount }) => {
          // The first message of a watch says that it has begun.
          if (isFresh && isFirst) show({ begun: ++begun.current, error: null });
          else if (isFresh) ours.interrupted();
          [isFirst, isFresh] = [false, false];
          ours.heard(logs, Number(missedMessageCount), holds.current);
          timer ??= setTimeout(() => show(), SHOW_MILLISECONDS);
        },
        failed: (error) => show({ error }),
      },
      stop.signal,
    );
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [key]);

  const found = useCallback((entries: readonly Entry[]) => {
    tail.current.found(entries, holds.current);
    setState((before) => ({ ...before, ...tail.current.view() }));
  }, []);
  const release = useCallback(() => {
    tail.current.release();
    setState((before) => ({ ...before, ...tail.current.view() }));
  }, []);
  useEffect(() => {
    if (!hold) release();
  }, [hold, release]);
  // What was heard of another filter says nothing of this one.
  return { ...(state.of === key ? state : NOTHING), found, release };
}
