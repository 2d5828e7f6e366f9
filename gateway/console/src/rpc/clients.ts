// The typed clients that the rest of the console calls.
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { session } from "../auth/session";
import { GraphService } from "../gen/weft/graph/v1/graph_service_pb";
import { IdentityService } from "../gen/weft/identity/v1/identity_service_pb";
import { connection } from "./connection";
import { isNetwork } from "./errors";
import { createMesh } from "./mesh";

const authorise: Interceptor = (next) => async (request) => {
  const signIn = request.method.name === "IssueToken";
  const token = session.token();
  if (token && !signIn) request.header.set("authorization", `Bearer ${token}`);
  try {
    const response = await next(request);
    connection.reached();
    return response;
  } catch (error) {
    const known = ConnectError.from(error);
    if (known.code === Code.Unauthenticated && !signIn) session.expire();
    if (known.code === Code.Unavailable || isNetwork(error)) connection.missed();
    throw error;
  }
};

/** For the clients of what only some pages need. */
export const mesh = createMesh([authorise]);

export const identity = createClient(IdentityService, mesh.web);
export const graphs = createClient(GraphService, mesh.web);

/** For the methods that stream up: imports. */
export const liveGraphs = createClient(GraphService, mesh.socket);
