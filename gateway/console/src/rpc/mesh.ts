// How the console reaches the mesh: grpc-web for everything it can carry, the
// WebSocket for what streams both ways. Both on the page's own origin.
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { MeshSocket } from "./socket";
import { createSocketTransport } from "./socket-transport";

export interface Mesh {
  web: Transport;
  socket: Transport;
}

export function createMesh(interceptors: Interceptor[]): Mesh {
  const socket = new MeshSocket(() => `${location.origin.replace(/^http/, "ws")}/ws`);
  return {
    web: createGrpcWebTransport({ baseUrl: location.origin, interceptors }),
    socket: createSocketTransport(socket, interceptors),
  };
}
