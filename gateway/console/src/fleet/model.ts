// The fleet without a page: what an agent's state is called, which agents a
// person looks for, and in which groups and order they stand.
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Agent, AgentState } from "../gen/weft/agent/v1/agent_pb";
import { lastPart } from "../ui/format";

export type StateName = "online" | "degraded" | "offline" | "maintenance";

/** In the order of what a person should see to first. */
export const STATES: readonly StateName[] = ["degraded", "offline", "maintenance", "online"];

const NAMES: Partial<Record<AgentState, StateName>> = {
  [AgentState.ONLINE]: "online",
  [AgentState.DEGRADED]: "degraded",
  [AgentState.MAINTENANCE]: "maintenance",
};

export function stateOf(agent: Agent): StateName {
  return NAMES[agent.state] ?? "offline";
}

const REASONS: Record<string, string> = {
  CONNECTED: "connected",
  NEVER_CONNECTED: "has never connected",
  STOPPED: "was stopped",
  CONNECTION_LOST: "its connection broke off",
  NO_HEARTBEAT: "says nothing any more",
  KEY_USED_TWICE: "its key is used from two places",
  CLOCK_OFF: "its clock is wrong",
  PROBLEMS_REPORTED: "reports problems",
  MAINTENANCE: "taken out",
};

/** Why an agent is in its state, for people. */
export function reasonOf(agent: Agent): string {
  return REASONS[agent.stateReason] ?? agent.stateReason.toLowerCase().replaceAll("_", " ");
}

export function titleOf(agent: Agent): string {
  return agent.displayName || lastPart(agent.name);
}

export function roundTripMs(agent: Agent): number | undefined {
  return agent.session && agent.roundTripDuration ? durationMs(agent.roundTripDuration) : undefined;
}

export type Counts = Record<StateName, number>;

export function countStates(agents: Iterable<Agent>): Counts {
  const counts: Counts = { online: 0, degraded: 0, offline: 0, maintenance: 0 };
  for (const agent of agents) counts[stateOf(agent)] += 1;
  return counts;
}

function words(agent: Agent): string {
  const labels = Object.entries(agent.labels).map(([key, value]) => `${key}=${value}`);
  const { host } = agent;
  return [
    lastPart(agent.name),
    agent.displayName,
    stateOf(agent),
    agent.version,
    host?.hostname,
    host?.osVersion,
    host?.architecture,
    agent.session?.address,
    ...labels,
    ...agent.capabilities,
  ]
    .join(" ")
    .toLowerCase();
}

/** Agents in one of the states (any, if there is none) with every word in what is known of them. */
export function matching(agents: Iterable<Agent>, filter: string, states: ReadonlySet<StateName>): Agent[] {
  const wanted = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found: Agent[] = [];
  for (const agent of agents) {
    if (states.size > 0 && !states.has(stateOf(agent))) continue;
    if (wanted.length > 0) {
      const text = words(agent);
      if (!wanted.every((word) => text.includes(word))) continue;
    }
    found.push(agent);
  }
  return found;
}

export type SortKey = "name" | "state" | "host" | "version" | "since";
export const SORTS: readonly SortKey[] = ["name", "state", "host", "version", "since"];

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** In place; a leading minus turns the order round. */
export function sort(agents: Agent[], key: SortKey, descending: boolean): Agent[] {
  const byName = (a: Agent, b: Agent) => collator.compare(titleOf(a), titleOf(b));
  const order: Record<SortKey, (a: Agent, b: Agent) => number> = {
    name: byName,
    state: (a, b) => STATES.indexOf(stateOf(a)) - STATES.indexOf(stateOf(b)),
    host: (a, b) => collator.compare(a.host?.hostname ?? "", b.host?.hostname ?? ""),
    version: (a, b) => collator.compare(a.version, b.version),
    since: (a, b) => sinceMs(a) - sinceMs(b),
  };
  const sign = descending ? -1 : 1;
  return agents.sort((a, b) => sign * order[key](a, b) || byName(a, b));
}

function sinceMs(agent: Agent): number {
  return agent.stateTime ? timestampMs(agent.stateTime) : 0;
}

/** What agents can be grouped by: the state, facts of the host, and every label key that is in use. */
export function groupings(agents: Iterable<Agent>): string[] {
  const keys = new Set<string>();
  for (const agent of agents) for (const key of Object.keys(agent.labels)) keys.add(key);
  return ["state", "system", "version", ...[...keys].sort(collator.compare).map((key) => `label:${key}`)];
}

export function groupOf(agent: Agent, by: string): string {
  if (by === "state") return stateOf(agent);
  if (by === "system") return agent.host?.osVersion || agent.host?.os || "unknown system";
  if (by === "version") return agent.version || "unknown version";
  return agent.labels[by.slice("label:".length)] ?? "without it";
}

/** A row of the list: a group's heading, or an agent. */
export type Row = { heading: string; count: number; counts: Counts } | { agent: Agent };

/** The list, by groups where somebody wants them; agents keep their order inside. */
export function rows(agents: readonly Agent[], by: string | undefined): Row[] {
  if (!by) return agents.map((agent) => ({ agent }));
  const groups = new Map<string, Agent[]>();
  for (const agent of agents) {
    const group = groupOf(agent, by);
    const members = groups.get(group);
    if (members) members.push(agent);
    else groups.set(group, [agent]);
  }
  const found: Row[] = [];
  for (const heading of [...groups.keys()].sort(collator.compare)) {
    const members = groups.get(heading) ?? [];
    found.push({ heading, count: members.length, counts: countStates(members) });
    for (const agent of members) found.push({ agent });
  }
  return found;
}
