// The clients of the analyses, apart from the others so that only who opens their
// panel loads their contract.
import { createClient } from "@connectrpc/connect";
import { AnalysisService } from "../gen/weft/compute/v1/analysis_service_pb";
import { mesh } from "./clients";

export const analyses = createClient(AnalysisService, mesh.web);

/** For analyses that are watched: any number at once over one connection. */
export const liveAnalyses = createClient(AnalysisService, mesh.socket);
