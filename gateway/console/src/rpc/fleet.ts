// The clients of agents and commands, apart from the others so that only their
// pages load these contracts.
import { createClient } from "@connectrpc/connect";
import { AgentService } from "../gen/weft/agent/v1/agent_service_pb";
import { CollectorService } from "../gen/weft/agent/v1/collector_service_pb";
import { HostService } from "../gen/weft/agent/v1/host_service_pb";
import { CommandService } from "../gen/weft/command/v1/command_service_pb";
import { mesh } from "./clients";

export const agents = createClient(AgentService, mesh.web);
export const collectors = createClient(CollectorService, mesh.web);
export const hosts = createClient(HostService, mesh.web);
export const commands = createClient(CommandService, mesh.web);

/** For what is watched: any number at once, over the one socket. */
export const liveAgents = createClient(AgentService, mesh.socket);
export const liveHosts = createClient(HostService, mesh.socket);
export const liveCommands = createClient(CommandService, mesh.socket);
