// What a service writes, as it writes it.
import { useEffect, useRef, useState } from "react";
import { createStore, useStore } from "../app/store";
import type { WatchServiceLogResponse } from "../gen/weft/agent/v1/host_service_pb";
import type { ServiceLogLine } from "../gen/weft/agent/v1/service_pb";
import { OutputStream } from "../gen/weft/command/v1/command_pb";
import { describe } from "../rpc/errors";
import { liveHosts } from "../rpc/fleet";
import { follow } from "../rpc/follow";
import { when } from "../ui/format";

/** Lines that are kept to be looked at. */
const KEPT = 1_000;
/** Within so many pixels of the end the newest line stays in sight. */
const NEAR_END = 24;

interface Numbered {
  /** Counts lines as they come. */
  id: number;
  line: ServiceLogLine;
}

interface Log {
  lines: readonly Numbered[];
  heard: boolean;
  error: unknown;
}

function useLog(name: string, search: string): Log {
  const [store] = useState(() => createStore<Log>({ lines: [], heard: false, error: null }));
  useEffect(() => {
    const stop = new AbortController();
    let afterCursor = "";
    let count = 0;
    store.set({ lines: [], heard: false, error: null });
    void follow<WatchServiceLogResponse>(
      {
        name: "service log",
        open: (signal) =>
          liveHosts.watchServiceLog({ name, search, afterCursor, tailLines: 200 }, { signal }),
        heard: ({ lines, cursor }) => {
          afterCursor = cursor;
          const fresh = lines.map((line) => ({ id: ++count, line }));
          store.set({ lines: [...store.get().lines, ...fresh].slice(-KEPT), heard: true, error: null });
        },
        failed: (error) => store.patch({ error }),
      },
      stop.signal,
    );
    return () => stop.abort();
  }, [name, search, store]);
  return useStore(store);
}

export function ServiceLog({ name, search }: { name: string; search: string }) {
  const { lines, heard, error } = useLog(name, search);
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  if (error) {
    return (
      <p className="field-error" role="alert">
        {describe(error)}
      </p>
    );
  }
  return (
    <div
      role="log"
      className="output service-log"
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label="Log"
      onScroll={({ currentTarget: at }) => {
        follows.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_END;
      }}
    >
      {lines.length === 0 && <span className="hint">{heard ? "Nothing is written." : "Loading"}</span>}
      {lines.map(({ id, line }) => (
        <div
          key={id}
          data-stream={line.stream === OutputStream.STDERR ? "err" : "out"}
          title={when(line.writeTime)}
        >
          {line.text || "\u00a0"}
        </div>
      ))}
    </div>
  );
}
