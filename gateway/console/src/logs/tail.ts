// What arrives, put on top of what was found: nothing twice, held back while
// somebody reads, and never more than memory has room for.
import type { LogRecord } from "../gen/weft/telemetry/v1/log_pb";
import { digestOf, type Entry } from "./model";

/** Records that are kept of what arrived. */
export const MOST = 5_000;

export interface TailView {
  /** What has arrived and is shown, the newest first. */
  shown: readonly Entry[];
  /** So many wait to be shown. */
  held: number;
  /** Older ones were let go: below the last one shown there is a gap. */
  cut: boolean;
  /** Messages of senders that came too fast to be told of. */
  missed: number;
  /** The line was broken meanwhile: what came then is not here. */
  broken: boolean;
}

export const NO_TAIL: TailView = { shown: [], held: 0, cut: false, missed: 0, broken: false };

export class Tail {
  private shown: Entry[] = [];
  private held: Entry[] = [];
  private heldCut = false;
  private cut = false;
  private missed = 0;
  private broken = false;
  private count = 0;
  /** What arrives before the search has answered may be in its answer. */
  private early: LogRecord[] | null = [];
  private readonly known = new Map<string, number>();

  constructor(private readonly most = MOST) {}

  /** What a search has found that began after the watch: what of it arrives, too, is not shown again. */
  found(entries: readonly Entry[], hold: boolean): void {
    if (!this.early) return;
    for (const { digest } of entries) this.known.set(digest, (this.known.get(digest) ?? 0) + 1);
    const { early } = this;
    this.early = null;
    this.heard(early, 0, hold);
  }

  /** The oldest first, as the mesh tells them. */
  heard(records: readonly LogRecord[], missed: number, hold: boolean): void {
    this.missed += missed;
    if (this.early) {
      this.early.push(...records);
      this.early.splice(0, this.early.length - this.most);
      return;
    }
    const fresh: Entry[] = [];
    for (const record of records) {
      const digest = digestOf(record);
      const times = this.known.get(digest) ?? 0;
      if (times > 0) this.known.set(digest, times - 1);
      else fresh.push({ id: `live-${++this.count}`, digest, record });
    }
    this.held = [...fresh.reverse(), ...this.held];
    if (this.held.length > this.most) {
      this.held.length = this.most;
      this.heldCut = true;
    }
    if (!hold) this.release();
  }

  /** The stream was broken and goes on: nobody knows what came meanwhile. */
  interrupted(): void {
    this.broken = true;
  }

  /** What was held back is shown. */
  release(): void {
    if (this.held.length === 0) return;
    this.shown = this.heldCut ? this.held : [...this.held, ...this.shown];
    this.cut ||= this.heldCut || this.shown.length > this.most;
    this.shown.length = Math.min(this.shown.length, this.most);
    this.held = [];
    this.heldCut = false;
  }

  view(): TailView {
    const { shown, held, cut, missed, broken } = this;
    return { shown, held: held.length, cut, missed, broken };
  }
}

/** What is in the list: what arrived, and below it what was found, if nothing is missing between the two. */
export function rowsOf(tail: Pick<TailView, "shown" | "cut">, found: readonly Entry[]): readonly Entry[] {
  if (tail.cut) return tail.shown;
  return tail.shown.length > 0 ? [...tail.shown, ...found] : found;
}
