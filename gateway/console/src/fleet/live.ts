// The agents of a project as they are now: all of them, then every change, for as
// long as somebody looks. Ten thousand fit; changes are shown together, at most
// some times a second.
import { create } from "@bufbuild/protobuf";
import { useEffect, useState } from "react";
import { createStore, type Store, useStore } from "../app/store";
import { type Agent, AgentSchema } from "../gen/weft/agent/v1/agent_pb";
import type { WatchAgentsResponse } from "../gen/weft/agent/v1/agent_service_pb";
import { agents as agentClient, liveAgents } from "../rpc/fleet";
import { follow } from "../rpc/follow";

/** How long changes are gathered before they are shown. */
const SHOW_MILLISECONDS = 200;
/** Heartbeats are no changes of the fleet: their times are read anew so often. */
const HEARTBEATS_MILLISECONDS = 10_000;

export interface Fleet {
  /** By name. The same map for the same content: a new one is new content. */
  agents: ReadonlyMap<string, Agent>;
  /** Everything that there was has come. */
  whole: boolean;
  error: unknown;
}

const NOTHING: Fleet = { agents: new Map(), whole: false, error: null };

class Feed {
  readonly store: Store<Fleet> = createStore(NOTHING);
  private readonly stop = new AbortController();
  private known = new Map<string, Agent>();
  private revision = 0n;
  private whole = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly project: string) {
    void this.run();
  }

  close(): void {
    this.stop.abort();
    clearTimeout(this.timer);
  }

  /** Puts an agent in as a call has answered it, before the stream tells. */
  put(agent: Agent): void {
    this.known.set(agent.name, agent);
    this.show(0);
  }

  private async run(): Promise<void> {
    const parent = `projects/${this.project}`;
    await follow<WatchAgentsResponse>(
      {
        name: "fleet",
        open: (signal) => liveAgents.watchAgents({ parent, afterRevision: this.revision }, { signal }),
        heard: ({ event }) => {
          if (event.case === "changes") {
            for (const name of event.value.removedAgents) this.known.delete(name);
            for (const agent of event.value.agents) this.known.set(agent.name, agent);
            this.revision = event.value.revision;
          } else if (event.case === "caughtUpRevision") {
            this.revision = event.value;
            this.whole = true;
          }
          this.show(this.whole ? SHOW_MILLISECONDS : 0);
        },
        restart: () => {
          this.known = new Map();
          this.revision = 0n;
          this.whole = false;
        },
        failed: (error) => this.store.patch({ error }),
      },
      this.stop.signal,
    );
  }

  private show(afterMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.store.set({ agents: new Map(this.known), whole: this.whole, error: null });
    }, afterMs);
  }
}

let current: { project: string; feed: Feed; users: number } | null = null;

/** The fleet of a project, followed while a page uses it. Pages that come one after the other share it. */
export function useFleet(project: string): Fleet {
  const [store, setStore] = useState<Store<Fleet>>(() =>
    current?.project === project ? current.feed.store : createStore(NOTHING),
  );
  useEffect(() => {
    if (current?.project !== project) {
      current?.feed.close();
      current = { project, feed: new Feed(project), users: 0 };
    }
    const mine = current;
    mine.users += 1;
    setStore(mine.feed.store);
    return () => {
      mine.users -= 1;
      // The next page begins in a moment, if it is one of the fleet.
      setTimeout(() => {
        if (mine.users > 0) return;
        mine.feed.close();
        if (current === mine) current = null;
      }, 1000);
    };
  }, [project]);
  return useStore(store);
}

/** Shows at once what a call has answered. */
export function tell(agent: Agent): void {
  current?.feed.put(agent);
}

/** An agent with its heartbeats: the stream tells of changes only. */
export function useHeartbeats(agent: Agent | undefined): Agent | undefined {
  const [fresh, setFresh] = useState<Agent>();
  const name = agent?.name;
  useEffect(() => {
    if (!name) return;
    const stop = new AbortController();
    const ask = () => {
      if (document.hidden) return;
      agentClient.getAgent({ name }, { signal: stop.signal }).then(setFresh, () => {});
    };
    ask();
    const timer = setInterval(ask, HEARTBEATS_MILLISECONDS);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [name]);
  if (!agent || fresh?.name !== agent.name || fresh.revision < agent.revision) return agent;
  return create(AgentSchema, {
    ...agent,
    lastSeenTime: fresh.lastSeenTime,
    roundTripDuration: fresh.roundTripDuration,
    clockOffsetDuration: fresh.clockOffsetDuration,
  });
}
