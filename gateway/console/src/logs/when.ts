// The time in which logs and traces are looked for: the newest of it, a span that
// stays, or all that is kept.
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";

export interface WhenSearch {
  /** The newest, for example `15m`; `all` for all that is kept. */
  last?: string;
  /** A span that stays, in milliseconds since 1970; an end may be open. */
  from?: number;
  to?: number;
}

const MINUTE = 60_000;
const LENGTHS: Record<string, number> = {
  "5m": 5 * MINUTE,
  "15m": 15 * MINUTE,
  "1h": 60 * MINUTE,
  "6h": 360 * MINUTE,
  "1d": 1_440 * MINUTE,
  "7d": 10_080 * MINUTE,
};
export const LASTS: readonly string[] = [...Object.keys(LENGTHS), "all"];
export const DEFAULT_LAST = "1h";

export function lastText(last: string): string {
  return last === "all" ? "all that is kept" : `last ${last}`;
}

/** What of an address is a time; what is no time says nothing. */
export function readWhen(search: Record<string, unknown>): WhenSearch {
  const at = (value: unknown) => (Number.isSafeInteger(value) && (value as number) >= 0 ? value : undefined);
  const from = at(search.from) as number | undefined;
  const to = at(search.to) as number | undefined;
  const stays = from !== undefined || to !== undefined;
  const known = LASTS.includes(search.last as string) && search.last !== DEFAULT_LAST;
  return { last: known && !stays ? (search.last as string) : undefined, from, to };
}

export function stays(search: WhenSearch): boolean {
  return search.from !== undefined || search.to !== undefined;
}

/** Whether there is no time before or after it. */
export function isAll(search: WhenSearch): boolean {
  return search.last === "all" && !stays(search);
}

export interface Bounds {
  startTime?: Timestamp;
  endTime?: Timestamp;
}

export function boundsOf(search: WhenSearch, now: number): Bounds {
  if (stays(search)) {
    const { from, to } = search;
    return {
      startTime: from === undefined ? undefined : timestampFromMs(from),
      endTime: to === undefined ? undefined : timestampFromMs(to),
    };
  }
  const length = LENGTHS[search.last ?? DEFAULT_LAST];
  return length === undefined ? {} : { startTime: timestampFromMs(now - length) };
}

const two = (value: number) => String(value).padStart(2, "0");

/** As an input of a date and a time has it, in the reader's zone. */
export function inputOf(millis: number): string {
  const at = new Date(millis);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Nothing where an input has no time. */
export function ofInput(text: string): number | undefined {
  const millis = new Date(text).getTime();
  // Who types a year passes through those of the Romans.
  return millis >= 0 ? millis : undefined;
}
