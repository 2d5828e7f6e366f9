// From counters that only grow to what happened in each second of the last minute.

/** Seconds that are kept. */
export const KEPT = 60;

/** What is counted since the page was opened. */
export interface Counters {
  /** Frames drawn. */
  drawn: number;
  /** Milliseconds of the main thread that they took, and those that came. */
  busyMs: number;
  /** Bytes of positions that came. */
  bytes: number;
  /** Steps of the simulation. */
  steps: number;
  /** Milliseconds that the layout took for them. */
  stepsMs: number;
}

/** What happened in a second. */
export interface Sample {
  framesPerSecond: number;
  /** Of the main thread for a frame; null where there was none. */
  frameMs: number | null;
  ticksPerSecond: number;
  bytesPerSecond: number;
}

export class Samples {
  private last: { at: number; counters: Counters } | null = null;
  list: readonly Sample[] = [];

  /** Nobody looks: what is counted meanwhile is not what happens in a second. */
  pause(): void {
    this.last = null;
    this.list = [];
  }

  /** Takes the counters at a time in milliseconds. The first taking is what the next is compared with. */
  take(counters: Counters, at: number): void {
    const before = this.last;
    this.last = { at, counters };
    if (!before || at <= before.at) return;
    const seconds = (at - before.at) / 1000;
    const frames = counters.drawn - before.counters.drawn;
    const steps = counters.steps - before.counters.steps;
    // By the time between frames: after a pause the first one brings the steps of more than this second.
    const stepping = (counters.stepsMs - before.counters.stepsMs) / 1000;
    const sample: Sample = {
      framesPerSecond: frames / seconds,
      frameMs: frames > 0 ? (counters.busyMs - before.counters.busyMs) / frames : null,
      ticksPerSecond: steps > 0 ? steps / Math.max(seconds, stepping) : 0,
      bytesPerSecond: (counters.bytes - before.counters.bytes) / seconds,
    };
    this.list = [...this.list, sample].slice(-KEPT);
  }
}

/** A line through values in a box of `width` by `height`, newest at the right, gaps where nothing is known. */
export function pathOf(values: readonly (number | null)[], width: number, height: number): string {
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  const step = width / (KEPT - 1);
  const first = width - (values.length - 1) * step;
  let out = "";
  let broken = true;
  values.forEach((value, at) => {
    if (value === null) {
      broken = true;
      return;
    }
    const y = most > 0 ? height - (value / most) * height : height;
    out += `${broken ? "M" : "L"}${(first + at * step).toFixed(1)} ${y.toFixed(1)}`;
    // One that stands alone is a point.
    if (broken && (values[at + 1] ?? null) === null) out += "h0";
    broken = false;
  });
  return out;
}
