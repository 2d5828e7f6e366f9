// The clients of numbers over time, apart from the others so that only their
// pages load this contract.
import { createClient } from "@connectrpc/connect";
import { AlertService } from "../gen/weft/telemetry/v1/alert_service_pb";
import { TelemetryService } from "../gen/weft/telemetry/v1/telemetry_service_pb";
import { mesh } from "./clients";

export const telemetry = createClient(TelemetryService, mesh.web);
export const alerts = createClient(AlertService, mesh.web);

/** For what is watched: any number at once, over the one socket. */
export const liveTelemetry = createClient(TelemetryService, mesh.socket);
export const liveAlerts = createClient(AlertService, mesh.socket);
