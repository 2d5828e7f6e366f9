// The client of triggers, apart from the others so that only their pages load this contract.
import { createClient } from "@connectrpc/connect";
import { TriggerService } from "../gen/weft/trigger/v1/trigger_service_pb";
import { mesh } from "./clients";

export const triggers = createClient(TriggerService, mesh.web);
/** For what is watched: any number at once, over the one socket. */
export const liveTriggers = createClient(TriggerService, mesh.socket);
