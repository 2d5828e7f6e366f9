// What can be asked of an agent's host, and how its processes and ports read.
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import { PortProtocol, ProcessState } from "../gen/weft/agent/v1/host_pb";
import { KnowledgeFileKind } from "../gen/weft/agent/v1/knowledge_pb";
import { ServiceState } from "../gen/weft/agent/v1/service_pb";

/** How often it is asked again: calm enough to be read. */
export const EVERY_MS = 3_000;

export type Access = "open" | "offline" | "old" | "closed";

/** What the configuration of an agent can open. */
export type Opened = "processes" | "ports" | "stop-process" | "services" | "knowledge" | "knowledge-content";

/** Whether an agent answers questions of a kind, and why not. */
export function accessTo(agent: Agent, what: Opened): Access {
  if (!agent.session) return "offline";
  if (!agent.capabilities.includes("host")) return "old";
  return agent.capabilities.includes(`host:${what}`) ? "open" : "closed";
}

const STATES: Record<ProcessState, string> = {
  [ProcessState.UNSPECIFIED]: "",
  [ProcessState.RUNNING]: "running",
  [ProcessState.SLEEPING]: "sleeping",
  [ProcessState.BLOCKED]: "blocked",
  [ProcessState.STOPPED]: "stopped",
  [ProcessState.ZOMBIE]: "zombie",
};

export function processState(state: ProcessState): string {
  return STATES[state] ?? "";
}

const PROTOCOLS: Record<PortProtocol, string> = {
  [PortProtocol.UNSPECIFIED]: "",
  [PortProtocol.TCP]: "TCP",
  [PortProtocol.UDP]: "UDP",
};

export function protocolName(protocol: PortProtocol): string {
  return PROTOCOLS[protocol] ?? "";
}

const SERVICE_STATES: Record<ServiceState, string> = {
  [ServiceState.UNSPECIFIED]: "",
  [ServiceState.STOPPED]: "stopped",
  [ServiceState.STARTING]: "starting",
  [ServiceState.RUNNING]: "running",
  [ServiceState.UNHEALTHY]: "unhealthy",
  [ServiceState.BACKING_OFF]: "backing off",
  [ServiceState.FAILED]: "failed",
  [ServiceState.STOPPING]: "stopping",
};

export function serviceStateName(state: ServiceState): string {
  return SERVICE_STATES[state] ?? "";
}

const FILE_KINDS: Record<KnowledgeFileKind, string> = {
  [KnowledgeFileKind.UNSPECIFIED]: "",
  [KnowledgeFileKind.MARKDOWN]: "Markdown",
  [KnowledgeFileKind.TEXT]: "text",
  [KnowledgeFileKind.HTML]: "HTML",
  [KnowledgeFileKind.PDF]: "PDF",
  [KnowledgeFileKind.DOCUMENT]: "document",
  [KnowledgeFileKind.TABLE]: "table",
  [KnowledgeFileKind.DATA]: "data",
  [KnowledgeFileKind.NOTEBOOK]: "notebook",
  [KnowledgeFileKind.OTHER]: "other",
};

export function fileKindName(kind: KnowledgeFileKind): string {
  return FILE_KINDS[kind] ?? "";
}

/** Share of one processor, as people read it. */
export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}

/** The filter that looks for a text in some fields. */
export function lookFor(text: string, fields: readonly string[]): string {
  const wanted = text.trim();
  if (wanted === "") return "";
  const quoted = JSON.stringify(wanted);
  return fields.map((field) => `${field}:${quoted}`).join(" OR ");
}

export interface Sort {
  key: string;
  descending: boolean;
}

/** The order that is asked for; none where nobody has chosen a column. */
export function orderOf({ key, descending }: Sort): string {
  return descending && key !== "" ? `${key} desc` : key;
}

/** The order after a press on a column: the other way round, or that column's own first way. */
export function nextSort(sort: Sort, key: string, largestFirst: boolean): Sort {
  return sort.key === key ? { key, descending: !sort.descending } : { key, descending: largestFirst };
}
