// The live layout: one stream that brings positions, and takes drags where the
// caller's role allows it. It comes back by itself after a break.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  Dimensions,
  FrameEncoding,
  FrameOptionsSchema,
  type Layout,
  type LayoutEvent,
} from "../gen/weft/compute/v1/layout_pb";
import type { AttachLayoutRequestSchema } from "../gen/weft/compute/v1/layout_service_pb";
import { Backoff, pause } from "../rpc/backoff";
import { Channel } from "../rpc/channel";
import { connection } from "../rpc/connection";
import { codeOf, isCancelled } from "../rpc/errors";
import { layouts, liveLayouts } from "../rpc/layouts";

const STREAM = "layout";

export interface LayoutEvents {
  /** A new stream begins: its first frame has ids again. */
  opened(): void;
  layout(layout: Layout): void;
  frame(bytes: Uint8Array): void;
  failed(error: unknown): void;
}

const OPTIONS = create(FrameOptionsSchema, {
  encodings: [FrameEncoding.COLUMNS_Q16, FrameEncoding.COLUMNS_F32],
  maxFramesPerSecond: 30,
});

type Outgoing = MessageInitShape<typeof AttachLayoutRequestSchema>;

export class LayoutLink {
  private outgoing: Channel<Outgoing> | null = null;
  private pending: Outgoing | null = null;

  constructor(
    private readonly graph: string,
    private readonly id: string,
    private readonly mayMove: boolean,
    private readonly mayCreate: boolean,
    private readonly events: LayoutEvents,
  ) {}

  get name(): string {
    return `${this.graph}/layouts/${this.id}`;
  }

  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        await this.ensure(signal);
        this.events.opened();
        const stream = this.mayMove ? this.attach(signal) : this.watch(signal);
        for await (const event of stream) {
          connection.up(STREAM);
          backoff.reset();
          if (this.take(event)) return;
        }
      } catch (error) {
        if (signal.aborted || isCancelled(error)) break;
        const code = codeOf(error);
        if (
          [Code.PermissionDenied, Code.Unauthenticated, Code.FailedPrecondition, Code.Unimplemented].includes(
            code,
          )
        ) {
          connection.up(STREAM);
          this.events.failed(error);
          return;
        }
        connection.down(STREAM);
        this.events.failed(error);
      } finally {
        this.outgoing?.end();
        this.outgoing = null;
      }
      await pause(backoff.next(), signal);
    }
    connection.up(STREAM);
  }

  /** The graph's shared layout, made by whoever looks first and may. */
  private async ensure(signal: AbortSignal): Promise<void> {
    try {
      this.events.layout(await layouts.getLayout({ name: this.name }, { signal }));
    } catch (error) {
      if (codeOf(error) !== Code.NotFound || !this.mayCreate) throw error;
      const dimensions = this.id.endsWith("3d") ? Dimensions.THREE : Dimensions.TWO;
      try {
        const request = {
          parent: this.graph,
          layoutId: this.id,
          layout: { dimensions },
          requestId: crypto.randomUUID(),
        };
        this.events.layout(await layouts.createLayout(request, { signal }));
      } catch (raced) {
        if (codeOf(raced) !== Code.AlreadyExists) throw raced;
      }
    }
  }

  private async *attach(signal: AbortSignal): AsyncIterable<LayoutEvent | undefined> {
    const outgoing = new Channel<Outgoing>();
    outgoing.push({ action: { case: "open", value: { name: this.name, options: OPTIONS } } });
    this.outgoing = outgoing;
    for await (const { event } of liveLayouts.attachLayout(outgoing, { signal })) yield event;
  }

  private async *watch(signal: AbortSignal): AsyncIterable<LayoutEvent | undefined> {
    const request = { name: this.name, options: OPTIONS };
    for await (const { event } of layouts.watchPositions(request, { signal })) yield event;
  }

  private take(event: LayoutEvent | undefined): boolean {
    switch (event?.event.case) {
      case "layout":
        this.events.layout(event.event.value);
        break;
      case "frame":
        this.events.frame(event.event.value);
        break;
      case "failed":
        this.events.layout(event.event.value);
        return true;
    }
    return false;
  }

  /** At most one drag message a frame: the newest place is the only one that matters. */
  drag(ordinal: number, [x, y, z]: readonly [number, number, number]): void {
    if (!this.outgoing) return;
    if (!this.pending) requestAnimationFrame(() => this.flush());
    this.pending = {
      action: { case: "drag", value: { node: { case: "ordinal", value: ordinal }, position: { x, y, z } } },
    };
  }

  release(ordinal: number): void {
    this.flush();
    this.outgoing?.push({
      action: { case: "release", value: { node: { case: "ordinal", value: ordinal } } },
    });
  }

  private flush(): void {
    if (this.pending) this.outgoing?.push(this.pending);
    this.pending = null;
  }
}
