// Times of spans: to the nanosecond, and as people read them.
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { duration } from "../ui/format";

export function nanosOf(time: Timestamp | Duration | undefined): bigint {
  return time ? time.seconds * 1_000_000_000n + BigInt(time.nanos) : 0n;
}

/** Milliseconds of a time that is short enough for them to be exact. */
export function millisOf(nanos: bigint): number {
  return Number(nanos) / 1e6;
}

/** How long something took: three digits of it. */
export function lengthText(millis: number): string {
  if (millis <= 0) return "0";
  if (millis < 0.001) return `${Math.round(millis * 1e6)} ns`;
  if (millis < 1) return `${digits(millis * 1e3)} µs`;
  if (millis < 1_000) return `${digits(millis)} ms`;
  return millis < 60_000 ? `${digits(millis / 1e3)} s` : duration(millis);
}

function digits(value: number): string {
  return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

/** A time on an axis, with as many digits as tell it from the next one. */
export function tickText(millis: number, step: number): string {
  if (millis <= 0) return "0";
  if (millis >= 60_000 && step >= 1_000) return duration(millis);
  const units: [string, number][] = [
    ["s", 1_000],
    ["ms", 1],
    ["µs", 1e-3],
  ];
  const [name, unit] = units.find(([, size]) => millis >= size) ?? ["ns", 1e-6];
  const places = Math.min(9, Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9)));
  return `${Number((millis / unit).toFixed(places))} ${name}`;
}

/** Round times on an axis from one to another: about `count` of them. */
export function ticksOf(from: number, to: number, count = 5): number[] {
  const span = to - from;
  if (!(span > 0)) return [from];
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step);
}
