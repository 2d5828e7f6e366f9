// The live layout: one stream that brings positions, and takes drags where the
// caller's role allows it. It comes back by itself after a break, and where there
// is no layout, or one that has failed, as soon as there is one again.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  Dimensions,
  FrameEncoding,
  FrameOptionsSchema,
  type Layout,
  type LayoutEvent,
  LayoutState,
} from "../gen/weft/compute/v1/layout_pb";
import type { AttachLayoutRequestSchema } from "../gen/weft/compute/v1/layout_service_pb";
import { Backoff, pause, within } from "../rpc/backoff";
import { Channel } from "../rpc/channel";
import { connection } from "../rpc/connection";
import { codeOf, isCancelled, reasonOf } from "../rpc/errors";
import { layouts, liveLayouts } from "../rpc/layouts";

const STREAM = "layout";
/** How long until a layout that has failed is looked at again, unasked: looking begins it anew where the mesh has forgotten it. */
const FAILED_MS = 5 * 60_000;
const FINAL: readonly Code[] = [
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.FailedPrecondition,
  Code.Unimplemented,
];

export interface LayoutEvents {
  /** A new stream begins: its first frame has ids again. */
  opened(): void;
  layout(layout: Layout): void;
  /** Throws where it cannot be read: the stream is then begun anew. */
  frame(bytes: Uint8Array): void;
  /** There is none: nobody has made it, or somebody has deleted it. It is looked for again. */
  missing(deleted: boolean): void;
  /** No stream came about. Where it is over, none is tried any more. */
  failed(error: unknown, over: boolean): void;
}

const OPTIONS = create(FrameOptionsSchema, {
  encodings: [FrameEncoding.DELTA, FrameEncoding.COLUMNS_Q16, FrameEncoding.COLUMNS_F32],
  maxFramesPerSecond: 30,
});

type Outgoing = MessageInitShape<typeof AttachLayoutRequestSchema>;

export class LayoutLink {
  private outgoing: Channel<Outgoing> | null = null;
  private pending: Outgoing | null = null;
  /** It was there: whoever deleted it did not mean that the next who looks makes it again. */
  private known = false;
  private waiting = new AbortController();
  private hurried = false;

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
      const own = within(signal);
      let rest = 0;
      try {
        if (await this.ensure(signal)) {
          this.events.opened();
          const stream = this.mayMove ? this.attach(own.signal) : this.watch(own.signal);
          for await (const event of stream) {
            connection.up(STREAM);
            // Whoever asked for it has it.
            this.hurried = false;
            // Only what could be read says that it works again.
            if (this.take(event)) backoff.reset();
          }
        } else {
          connection.up(STREAM);
          rest = FAILED_MS;
        }
      } catch (error) {
        if (signal.aborted || isCancelled(error)) break;
        if (codeOf(error) === Code.NotFound) {
          // That is no fault of the connection.
          connection.up(STREAM);
          this.events.missing(this.known);
        } else if (FINAL.includes(codeOf(error)) && reasonOf(error) !== "LAYOUT_FAILED") {
          connection.up(STREAM);
          this.events.failed(error, true);
          return;
        } else {
          connection.down(STREAM);
          this.events.failed(error, false);
        }
      } finally {
        this.outgoing?.end();
        this.outgoing = null;
        // One whose frame could not be read would go on beside the next.
        own.abort();
      }
      await this.wait(rest || backoff.next(), signal);
    }
    connection.up(STREAM);
  }

  private async wait(ms: number, signal: AbortSignal): Promise<void> {
    this.waiting = within(signal);
    if (!this.hurried) await pause(ms, this.waiting.signal);
    this.waiting.abort();
    this.hurried = false;
  }

  /** Looks at once, where it would wait for a while. */
  again(): void {
    this.hurried = true;
    this.waiting.abort();
  }

  /** Makes the layout. That somebody else has just done so is as good. */
  async make(signal?: AbortSignal): Promise<void> {
    const request = {
      parent: this.graph,
      layoutId: this.id,
      layout: { dimensions: this.id.endsWith("3d") ? Dimensions.THREE : Dimensions.TWO },
      requestId: crypto.randomUUID(),
    };
    try {
      this.seen(await layouts.createLayout(request, { signal }));
    } catch (raced) {
      if (codeOf(raced) !== Code.AlreadyExists) throw raced;
    }
  }

  private seen(layout: Layout): void {
    this.known = true;
    this.events.layout(layout);
  }

  /** The graph's shared layout, made by whoever looks first and may; false where it has failed. */
  private async ensure(signal: AbortSignal): Promise<boolean> {
    try {
      const layout = await layouts.getLayout({ name: this.name }, { signal });
      this.seen(layout);
      return layout.state !== LayoutState.FAILED;
    } catch (error) {
      if (codeOf(error) !== Code.NotFound || !this.mayCreate || this.known) throw error;
      await this.make(signal);
      return true;
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

  /** True of a frame that could be read. */
  private take(event: LayoutEvent | undefined): boolean {
    switch (event?.event.case) {
      case "layout":
      case "failed":
        // After `failed` the stream ends. Also of one that was deleted, which is seen when it is looked for.
        this.events.layout(event.event.value);
        return false;
      case "frame":
        this.events.frame(event.event.value);
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
