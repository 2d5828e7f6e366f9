// Connect's Transport over the mesh's WebSocket, so that a bidirectional method
// is called like any other: grpc-web cannot carry what a browser streams up.
import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createContextValues,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type Transport,
} from "@connectrpc/connect";
import { Channel } from "./channel";
import type { MeshSocket, SocketCall } from "./socket";

export function createSocketTransport(socket: MeshSocket, interceptors: Interceptor[]): Transport {
  return {
    unary() {
      throw new ConnectError("unary calls go over grpc-web", Code.Unimplemented);
    },
    async stream(method, signal, _timeoutMs, header, input, contextValues) {
      const request: StreamRequest = {
        stream: true,
        service: method.parent,
        method,
        requestMethod: "POST",
        url: `/${method.parent.typeName}/${method.name}`,
        signal: signal ?? new AbortController().signal,
        header: new Headers(header),
        contextValues: contextValues ?? createContextValues(),
        message: created(method.input, input),
      };
      const call = async (req: StreamRequest): Promise<StreamResponse> => {
        const replies = new Channel<ReturnType<typeof fromBinary>>();
        const live = await socket.open(
          `${method.parent.typeName}/${method.name}`,
          Object.fromEntries(req.header),
          {
            message: (payload) => replies.push(fromBinary(method.output, payload)),
            done: (error) => replies.end(error),
          },
        );
        if (req.signal.aborted) live.cancel();
        req.signal.addEventListener("abort", () => live.cancel(), { once: true });
        void pump(live, method.input, req.message as AsyncIterable<never>).catch((error) => {
          live.cancel();
          replies.end(error);
        });
        return {
          stream: true,
          service: method.parent,
          method,
          header: new Headers(),
          trailer: new Headers(),
          message: replies,
        } as StreamResponse;
      };
      const chain = interceptors.reduceRight<(req: never) => Promise<unknown>>(
        (next, interceptor) => interceptor(next as never) as never,
        call as never,
      );
      return (await chain(request as never)) as never;
    },
  };
}

async function* created<I extends DescMessage>(schema: I, input: AsyncIterable<MessageInitShape<I>>) {
  for await (const item of input) yield create(schema, item);
}

async function pump<I extends DescMessage>(
  live: SocketCall,
  schema: I,
  input: AsyncIterable<never>,
): Promise<void> {
  for await (const item of input) await live.send(toBinary(schema, item));
  live.end();
}
