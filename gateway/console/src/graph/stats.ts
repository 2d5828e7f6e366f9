// What a frame costs the main thread, and how many there are: counted as they
// come, for the meters, the tests and `__weft.stats` in the browser's console.
import type { FrameHeader } from "../render/frames";

const KEPT = 240;

export class FrameStats {
  private readonly totals = new Float64Array(KEPT);
  private recorded = 0;
  private pendingDecode = 0;
  private lastReadMs = 0;
  frames = 0;
  bytes = 0;
  sequence = 0n;
  /** Steps of the simulation from one frame to the next of the same stream. */
  steps = 0;
  /** Milliseconds between those frames. */
  stepsMs = 0;
  private newest: { tick: bigint; at: number } | null = null;
  drawn = 0;
  /** Milliseconds of the main thread for frames, those that came and those that were drawn. */
  busyMs = 0;
  lastDecodeMs = 0;
  lastDrawMs = 0;
  lastLabelMs = 0;
  edgesDrawn = 0;

  /** A stream begins: what the last one told is not to be compared with what this one tells. */
  opened(): void {
    this.newest = null;
  }

  received(ms: number, bytes: number, { sequence, tick }: FrameHeader, at: number): void {
    this.pendingDecode += ms;
    this.busyMs += ms;
    this.lastReadMs = ms;
    this.frames++;
    this.bytes += bytes;
    this.sequence = sequence;
    // A layout that begins from other places may count from 0 again.
    if (this.newest && tick > this.newest.tick) {
      this.steps += Number(tick - this.newest.tick);
      this.stepsMs += at - this.newest.at;
    }
    this.newest = { tick, at };
  }

  placed(ms: number): void {
    this.pendingDecode += ms;
    this.busyMs += ms;
    this.lastDecodeMs = this.lastReadMs + ms;
  }

  frame(drawMs: number, labelMs: number): void {
    this.lastDrawMs = drawMs;
    this.lastLabelMs = labelMs;
    const total = this.pendingDecode + drawMs + labelMs;
    this.totals[this.recorded++ % KEPT] = total;
    this.busyMs += drawMs + labelMs;
    this.pendingDecode = 0;
    this.drawn++;
  }

  reset(): void {
    this.recorded = 0;
  }

  /** Milliseconds of decoding, uploading and drawing a frame. */
  mainThread(): { samples: number; p50: number; p95: number; max: number } {
    const samples = Math.min(this.recorded, KEPT);
    const sorted = this.totals.slice(0, samples).sort();
    const at = (part: number) => sorted[Math.min(samples - 1, Math.floor(samples * part))] ?? 0;
    return { samples, p50: at(0.5), p95: at(0.95), max: at(1) };
  }
}
