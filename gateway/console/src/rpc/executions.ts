// The clients of executions, apart from the others so that only their pages load
// this contract.
import { createClient } from "@connectrpc/connect";
import { ExecutionService } from "../gen/weft/execution/v1/execution_service_pb";
import { mesh } from "./clients";

export const executions = createClient(ExecutionService, mesh.web);

/** For what is watched: any number at once, over the one socket. */
export const liveExecutions = createClient(ExecutionService, mesh.socket);
