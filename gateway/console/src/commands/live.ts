// A command and its targets as they are now, until it has ended; and what one
// target writes, as it writes it.
import { useEffect, useState } from "react";
import { createStore, useStore } from "../app/store";
import type { Command, Target } from "../gen/weft/command/v1/command_pb";
import type { StreamOutputResponse, WatchCommandResponse } from "../gen/weft/command/v1/command_service_pb";
import { liveCommands } from "../rpc/fleet";
import { follow } from "../rpc/follow";
import { Output } from "./model";

/** How long changes are gathered before they are shown. */
const SHOW_MILLISECONDS = 100;

export interface LiveCommand {
  command: Command | null;
  targets: readonly Target[];
  error: unknown;
}

export function useCommand(name: string): LiveCommand {
  const [store] = useState(() => createStore<LiveCommand>({ command: null, targets: [], error: null }));
  useEffect(() => {
    const stop = new AbortController();
    const targets = new Map<string, Target>();
    let command: Command | null = null;
    let afterCursor = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = () => {
      timer = undefined;
      store.set({ command, targets: [...targets.values()], error: null });
    };
    store.set({ command: null, targets: [], error: null });
    void follow<WatchCommandResponse>(
      {
        name: "command",
        open: (signal) => liveCommands.watchCommand({ name, afterCursor }, { signal }),
        heard: ({ event }) => {
          if (event.case === "changes") {
            command = event.value.command ?? command;
            for (const target of event.value.targets) targets.set(target.name, target);
            afterCursor = event.value.cursor;
          } else if (event.case === "caughtUpCursor") {
            afterCursor = event.value;
          }
          timer ??= setTimeout(show, SHOW_MILLISECONDS);
        },
        ends: true,
        restart: () => {
          afterCursor = "";
          targets.clear();
        },
        failed: (error) => store.patch({ error }),
      },
      stop.signal,
    );
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [name, store]);
  return useStore(store);
}

export interface LiveOutput {
  runs: ReturnType<Output["runs"]>;
  /** All that there was has come. */
  caughtUp: boolean;
  error: unknown;
}

const SILENCE: LiveOutput = { runs: [], caughtUp: false, error: null };

export function useOutput(target: string): LiveOutput {
  const [store] = useState(() => createStore(SILENCE));
  useEffect(() => {
    const stop = new AbortController();
    const output = new Output();
    let afterCursor = "";
    let caughtUp = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = () => {
      timer = undefined;
      store.set({ runs: output.runs(), caughtUp, error: null });
    };
    store.set(SILENCE);
    void follow<StreamOutputResponse>(
      {
        name: "output",
        open: (signal) => liveCommands.streamOutput({ name: target, afterCursor }, { signal }),
        heard: ({ event }) => {
          if (event.case === "piece") {
            output.add(event.value);
            afterCursor = event.value.cursor;
          } else if (event.case === "caughtUpCursor") {
            afterCursor = event.value;
            caughtUp = true;
          }
          timer ??= setTimeout(show, SHOW_MILLISECONDS);
        },
        ends: true,
        failed: (error) => store.patch({ error }),
      },
      stop.signal,
    );
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [target, store]);
  return useStore(store);
}
