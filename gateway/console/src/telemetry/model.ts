// Series as lines of a chart: columns over one row of times, with gaps where
// there is no value; what is shown of them, and over which time.
import { type Timestamp, timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Series } from "../gen/weft/telemetry/v1/telemetry_pb";
import { bytes, compact, duration } from "../ui/format";

/** What is looked at: the newest of it, or a span that stays. */
export type Span = { last: number } | { from: number; to: number };

export const LASTS: readonly string[] = ["5m", "15m", "1h", "3h", "6h", "12h", "1d", "2d", "7d", "30d"];
export const EVERIES: readonly string[] = ["off", "2s", "5s", "10s", "30s", "1m"];
export const OFFSETS: readonly string[] = ["1h", "1d", "7d"];
export const DEFAULT_LAST = "1h";
export const DEFAULT_EVERY = "10s";

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** How far ahead may be looked, and milliseconds of it. */
export const AHEADS: readonly [string, number][] = [
  ["1h", UNITS.h],
  ["6h", 6 * UNITS.h],
  ["1d", UNITS.d],
  ["7d", 7 * UNITS.d],
  ["30d", 30 * UNITS.d],
  ["90d", 90 * UNITS.d],
];
/** The shortest span that can be zoomed to, and the longest. */
const SHORTEST = 10_000;
const LONGEST = 366 * UNITS.d;
/** About so many steps are asked for. */
const STEPS = 240;
/** Steps are of such lengths, so that the same times are asked for again. */
const ROUND_STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400,
];

/** Milliseconds of "90s", "5m", "12h", "7d"; nothing of anything else. */
export function millisOf(text: string | undefined): number | undefined {
  const found = /^(\d{1,6})([smhd])$/.exec(text ?? "");
  const millis = found ? Number(found[1]) * UNITS[found[2]] : 0;
  return millis > 0 ? millis : undefined;
}

export function spanOf(search: { last?: string; from?: number; to?: number }): Span {
  const { from, to } = search;
  if (from !== undefined && to !== undefined && to - from >= SHORTEST) return { from, to };
  return { last: millisOf(search.last) ?? (millisOf(DEFAULT_LAST) as number) };
}

export interface Window {
  /** Milliseconds since 1970, both on a step. */
  from: number;
  to: number;
  step: number;
}

export function windowOf(span: Span, now: number): Window {
  const [from, to] = "last" in span ? [now - span.last, now] : [span.from, span.to];
  const wish = (to - from) / STEPS / 1_000;
  const step = (ROUND_STEPS.find((one) => one >= wish) ?? ROUND_STEPS[ROUND_STEPS.length - 1]) * 1_000;
  return { from: Math.floor(from / step) * step, to: Math.floor(to / step) * step, step };
}

/** Closer (below 1) or further, around the middle. */
export function zoomed(
  { from, to }: { from: number; to: number },
  factor: number,
): { from: number; to: number } {
  const half = Math.min(Math.max((to - from) * factor, SHORTEST), LONGEST) / 2;
  const middle = (from + to) / 2;
  return { from: Math.round(middle - half), to: Math.round(middle + half) };
}

export function moved(
  { from, to }: { from: number; to: number },
  part: number,
): { from: number; to: number } {
  const by = Math.round((to - from) * part);
  return { from: from + by, to: to + by };
}

export type Column = (number | null)[];

export interface Line {
  /** The same for the same series, over answers. */
  key: string;
  label: string;
  values: Column;
  /** Of the time before. */
  before?: boolean;
  /** What it is likely to be, in rows that are to come. */
  ahead?: Column;
}

export interface Lines {
  /** Seconds since 1970, as charts count. */
  times: number[];
  lines: Line[];
}

/** `metric{a="b"}`, as PromQL writes it. */
export function nameOf(labels: Readonly<Record<string, string>>): string {
  const { __name__: metric = "", ...rest } = labels;
  const pairs = Object.entries(rest)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${value}"`);
  return pairs.length > 0 || !metric ? `${metric}{${pairs.join(", ")}}` : metric;
}

/** Labels that not all of them share, for a legend that says what differs. */
export function shortNames(all: readonly Readonly<Record<string, string>>[]): string[] {
  if (all.length < 2) return all.map(nameOf);
  const names = new Set(all.flatMap((labels) => Object.keys(labels)));
  const differing = [...names].filter((name) => new Set(all.map((labels) => labels[name])).size > 1);
  return all.map((labels) => {
    const kept = differing.filter((name) => labels[name] !== undefined);
    return nameOf(Object.fromEntries(kept.map((name) => [name, labels[name]])));
  });
}

export function millisAt(time: Timestamp | undefined): number {
  return time ? timestampDate(time).getTime() : Number.NaN;
}

export const timestampAt = (millis: number): Timestamp => timestampFromMs(millis);

/** Columns over the steps of a window; `shift` is how much earlier the samples are. */
export function linesOf(series: readonly Series[], { from, to, step }: Window, shift = 0): Lines {
  const count = Math.floor((to - from) / step) + 1;
  const names = shortNames(series.map((one) => one.labels));
  const times = Array.from({ length: count }, (_, at) => (from + at * step) / 1_000);
  const lines = series.map((one, at): Line => {
    const values: Column = new Array(count).fill(null);
    for (const sample of one.samples) {
      const row = Math.round((millisAt(sample.sampleTime) + shift - from) / step);
      if (row >= 0 && row < count && Number.isFinite(sample.value)) values[row] = sample.value;
    }
    const key = nameOf(one.labels);
    return shift > 0
      ? { key: `${key} before`, label: names[at], values, before: true }
      : { key, label: names[at], values };
  });
  return { times, lines };
}

export type Unit = "number" | "bytes" | "bytes/s" | "ratio" | "seconds" | "/s";

/** What the values of a query are, by the names that metrics have. */
export function unitOf(query: string): Unit {
  const rated = /\b(i?rate|deriv)\s*\(/.test(query);
  if (/_bytes(_total|_bucket|_sum)?\b/.test(query) && !/\bcount\b/.test(query))
    return rated ? "bytes/s" : "bytes";
  if (/_ratio\b/.test(query)) return "ratio";
  if (/_seconds(_bucket)?\b/.test(query) && !/\bcount\b/.test(query)) return "seconds";
  return rated ? "/s" : "number";
}

export function valueText(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined) return "–";
  const amount = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  switch (unit) {
    case "bytes":
      return sign + bytes(Math.round(amount));
    case "bytes/s":
      return `${sign}${bytes(Math.round(amount))}/s`;
    case "ratio":
      return `${sign}${(amount * 100).toFixed(amount > 0 && amount < 0.1 ? 1 : 0)} %`;
    case "seconds":
      return (
        sign + (amount > 0 && amount < 0.001 ? `${(amount * 1e6).toFixed(0)} µs` : duration(amount * 1_000))
      );
    default: {
      const text = amount >= 10_000 ? compact(amount) : Number(amount.toPrecision(4)).toString();
      return sign + text + (unit === "/s" ? "/s" : "");
    }
  }
}

export interface Summary {
  least: number | null;
  most: number | null;
  last: number | null;
}

export function summaryOf(values: Column): Summary {
  let [least, most, last]: Column = [null, null, null];
  for (const value of values) {
    if (value === null) continue;
    least = least === null || value < least ? value : least;
    most = most === null || value > most ? value : most;
    last = value;
  }
  return { least, most, last };
}
