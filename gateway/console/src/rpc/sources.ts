// The clients of the sources, apart from the others so that only who opens their
// place loads their contract.
import { createClient } from "@connectrpc/connect";
import { SourceService } from "../gen/weft/graph/v1/source_service_pb";
import { mesh } from "./clients";

export const sources = createClient(SourceService, mesh.web);

/**
 * For refreshes that are watched: any number at once, while a browser opens only
 * six connections to a mesh without TLS.
 */
export const liveSources = createClient(SourceService, mesh.socket);
