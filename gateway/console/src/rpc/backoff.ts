// Waiting times between attempts: doubling, with jitter so that many tabs do
// not come back in step, and reset once something has worked.
export class Backoff {
  private attempt = 0;

  constructor(
    private readonly baseMs = 400,
    private readonly capMs = 15_000,
    private readonly random: () => number = Math.random,
  ) {}

  next(): number {
    const limit = Math.min(this.capMs, this.baseMs * 2 ** this.attempt++);
    return limit / 2 + (this.random() * limit) / 2;
  }

  reset(): void {
    this.attempt = 0;
  }
}

/** Resolves after the time, or at once when the browser comes online again. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    globalThis.addEventListener?.("online", done);
    signal.addEventListener("abort", done);
  });
}

/** Ends with `signal`, or by itself before. */
export function within(signal: AbortSignal): AbortController {
  const own = new AbortController();
  if (signal.aborted) own.abort();
  signal.addEventListener("abort", () => own.abort(), { signal: own.signal });
  return own;
}
