// The clients of the layouts, apart from the others so that only the graph page
// loads their contract.
import { createClient } from "@connectrpc/connect";
import { LayoutService } from "../gen/weft/compute/v1/layout_service_pb";
import { mesh } from "./clients";

export const layouts = createClient(LayoutService, mesh.web);

/** For attached layouts, which stream up too. */
export const liveLayouts = createClient(LayoutService, mesh.socket);
