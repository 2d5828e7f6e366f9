// An execution and its steps as they are now, until it has ended; goes on by
// itself after a break, from the last thing that it heard.
import { useEffect, useState } from "react";
import { createStore, useStore } from "../app/store";
import type { Execution, Step } from "../gen/weft/execution/v1/execution_pb";
import type { WatchExecutionResponse } from "../gen/weft/execution/v1/execution_service_pb";
import { liveExecutions } from "../rpc/executions";
import { follow } from "../rpc/follow";
import { Run } from "./model";

/** How long changes are gathered before they are shown. */
const SHOW_MILLISECONDS = 100;

export interface LiveExecution {
  execution: Execution | null;
  steps: readonly Step[];
  error: unknown;
}

const NOTHING: LiveExecution = { execution: null, steps: [], error: null };

/** `again` counts what makes an execution that has ended go on: the watch is then begun anew. */
export function useExecution(name: string, again: number): LiveExecution {
  const [store] = useState(() => createStore(NOTHING));
  const [run] = useState(() => ({ name: "", cursor: "", of: new Run() }));
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (run.name !== name) {
      Object.assign(run, { name, cursor: "", of: new Run() });
      store.set(NOTHING);
    }
    const show = () => {
      timer = undefined;
      store.set({ execution: run.of.execution, steps: run.of.list(), error: null });
    };
    void follow<WatchExecutionResponse>(
      {
        name: `execution ${again}`,
        open: (signal) => liveExecutions.watchExecution({ name, afterCursor: run.cursor }, { signal }),
        heard: ({ event }) => {
          if (event.case === "changes") {
            run.of.hear(event.value);
            run.cursor = event.value.cursor;
          } else if (event.case === "caughtUpCursor") {
            run.cursor = event.value;
          }
          timer ??= setTimeout(show, SHOW_MILLISECONDS);
        },
        ends: true,
        restart: () => {
          run.cursor = "";
          run.of.forget();
        },
        failed: (error) => store.patch({ error }),
      },
      stop.signal,
    );
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [name, again, run, store]);
  return useStore(store);
}
