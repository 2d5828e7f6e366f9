// What a frame costs the main thread, kept for the tests and for `__weft.stats`
// in the browser's console.
const KEPT = 240;

export class FrameStats {
  private readonly totals = new Float64Array(KEPT);
  private recorded = 0;
  private pendingDecode = 0;
  private lastReadMs = 0;
  frames = 0;
  bytes = 0;
  sequence = 0n;
  drawn = 0;
  lastDecodeMs = 0;
  lastDrawMs = 0;
  lastLabelMs = 0;
  edgesDrawn = 0;

  received(ms: number, bytes: number, sequence: bigint): void {
    this.pendingDecode += ms;
    this.lastReadMs = ms;
    this.frames++;
    this.bytes += bytes;
    this.sequence = sequence;
  }

  placed(ms: number): void {
    this.pendingDecode += ms;
    this.lastDecodeMs = this.lastReadMs + ms;
  }

  frame(drawMs: number, labelMs: number): void {
    this.lastDrawMs = drawMs;
    this.lastLabelMs = labelMs;
    this.totals[this.recorded++ % KEPT] = this.pendingDecode + drawMs + labelMs;
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
