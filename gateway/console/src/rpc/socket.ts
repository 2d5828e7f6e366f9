// One WebSocket that carries many calls. It is opened by the first call and
// closed when the last one has been over for a while.
import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { StatusSchema } from "../gen/google/rpc/status_pb";
import { statusError } from "./errors";
import { decodeSocketMessage, encodeSocketMessage, Kind } from "./ws-codec";

const IDLE_CLOSE_MS = 10_000;
// Enough to keep a link busy; more would only grow memory and delay a cancel.
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

export interface CallHandlers {
  message(payload: Uint8Array): void;
  /** Called once, last. Null is success. */
  done(error: ConnectError | null): void;
}

export interface SocketCall {
  send(payload: Uint8Array): Promise<void>;
  end(): void;
  cancel(): void;
}

export class MeshSocket {
  private socket: WebSocket | null = null;
  private opening: Promise<WebSocket> | null = null;
  private lastCall = 0;
  private readonly calls = new Map<number, CallHandlers>();
  private idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly url: () => string) {}

  async open(method: string, metadata: Record<string, string>, handlers: CallHandlers): Promise<SocketCall> {
    clearTimeout(this.idleTimer);
    const socket = await this.connect();
    const call = ++this.lastCall;
    this.calls.set(call, handlers);
    const head = new TextEncoder().encode(JSON.stringify({ method, metadata }));
    socket.send(encodeSocketMessage(call, Kind.Open, head));
    const live = () => this.calls.has(call) && socket.readyState === WebSocket.OPEN;
    return {
      send: async (payload) => {
        while (live() && socket.bufferedAmount > MAX_BUFFERED_BYTES) await sleep(8);
        if (live()) socket.send(encodeSocketMessage(call, Kind.Message, payload));
      },
      end: () => {
        if (live()) socket.send(encodeSocketMessage(call, Kind.End));
      },
      cancel: () => {
        if (live()) socket.send(encodeSocketMessage(call, Kind.Cancel));
        this.finish(call, new ConnectError("cancelled by the client", Code.Canceled));
      },
    };
  }

  private connect(): Promise<WebSocket> {
    if (this.opening) return this.opening;
    const opening = new Promise<WebSocket>((resolve, reject) => {
      const socket = new WebSocket(this.url(), "weft.v1.proto");
      socket.binaryType = "arraybuffer";
      this.socket = socket;
      socket.onopen = () => resolve(socket);
      socket.onmessage = (event) => this.receive(event.data);
      socket.onclose = (event) => {
        const error = new ConnectError(
          event.reason || `the connection was closed (${event.code})`,
          Code.Unavailable,
        );
        if (this.socket === socket) {
          this.socket = null;
          this.opening = null;
          this.lastCall = 0;
          for (const call of [...this.calls.keys()]) this.finish(call, error);
        }
        reject(error);
      };
    });
    this.opening = opening;
    return opening;
  }

  private receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) {
      this.socket?.close(1003);
      return;
    }
    const { call, kind, payload } = decodeSocketMessage(new Uint8Array(data));
    if (kind === Kind.Message) this.calls.get(call)?.message(payload);
    else if (kind === Kind.Status) this.finish(call, ended(payload));
  }

  private finish(call: number, error: ConnectError | null): void {
    const handlers = this.calls.get(call);
    if (!handlers) return;
    this.calls.delete(call);
    handlers.done(error);
    if (this.calls.size === 0) {
      clearTimeout(this.idleTimer);
      this.idleTimer = setTimeout(() => this.calls.size === 0 && this.socket?.close(1000), IDLE_CLOSE_MS);
    }
  }
}

function ended(payload: Uint8Array): ConnectError | null {
  const status = fromBinary(StatusSchema, payload);
  return status.code === 0 ? null : statusError(status);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
