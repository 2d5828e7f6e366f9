// The clients of logs and traces, apart from the others so that only their pages
// load these contracts.
import { createClient } from "@connectrpc/connect";
import { LogService } from "../gen/weft/telemetry/v1/log_service_pb";
import { TraceService } from "../gen/weft/telemetry/v1/trace_service_pb";
import { mesh } from "./clients";

export const logs = createClient(LogService, mesh.web);
export const traces = createClient(TraceService, mesh.web);

/** For what is watched: any number at once, over the one socket. */
export const liveLogs = createClient(LogService, mesh.socket);
