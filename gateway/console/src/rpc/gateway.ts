// The client of the gateway itself, apart from the others so that only who looks at its routes loads its contract.
import { createClient } from "@connectrpc/connect";
import { GatewayService } from "../gen/weft/gateway/v1/gateway_service_pb";
import { mesh } from "./clients";

export const gateway = createClient(GatewayService, mesh.web);
