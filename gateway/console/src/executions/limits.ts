// Limits of whole runs without a page: what they say, for people, and what a form makes of them.
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { type RunLimit, RunLimitOverflow } from "../gen/weft/execution/v1/run_limit_pb";
import { count, duration, lastPart } from "../ui/format";

export const OVERFLOWS: readonly { value: RunLimitOverflow; label: string }[] = [
  { value: RunLimitOverflow.WAIT, label: "waits" },
  { value: RunLimitOverflow.SKIP, label: "is cancelled" },
  { value: RunLimitOverflow.REPLACE, label: "replaces the oldest" },
];

export function overflowLabel(overflow: RunLimitOverflow): string {
  return OVERFLOWS.find(({ value }) => value === overflow)?.label ?? OVERFLOWS[0].label;
}

/** Which runs a limit is about. */
export function covers(limit: Pick<RunLimit, "graph" | "key">): string {
  const runs = limit.graph ? `runs of ${lastPart(limit.graph)}` : "all runs";
  return limit.key ? `${runs}, for each ${limit.key}` : runs;
}

/** What a limit allows. */
export function allows(limit: Pick<RunLimit, "maxConcurrent" | "rate">): string {
  const { maxConcurrent, rate } = limit;
  const parts: string[] = [];
  if (maxConcurrent > 0) parts.push(`${count(maxConcurrent)} at once`);
  if (rate?.interval) {
    const burst = rate.burst > 0 ? `, ${count(rate.burst)} of them at once` : "";
    parts.push(`${count(rate.starts)} starts in ${duration(durationMs(rate.interval))}${burst}`);
  }
  return parts.join("; ");
}

/** What somebody types into the form of a limit. */
export interface Typed {
  atOnce: string;
  starts: string;
  seconds: string;
  burst: string;
}

export function typedOf(limit: RunLimit | undefined): Typed {
  const { maxConcurrent = 0, rate } = limit ?? {};
  const text = (value: number) => (value > 0 ? String(value) : "");
  return {
    atOnce: limit ? text(maxConcurrent) : "1",
    starts: text(rate?.starts ?? 0),
    seconds: rate?.interval ? String(durationMs(rate.interval) / 1000) : "60",
    burst: text(rate?.burst ?? 0),
  };
}

/** What a limit allows as it was typed; what is empty is not limited. */
export function termsOf({ atOnce, starts, seconds, burst }: Typed) {
  return {
    maxConcurrent: Number(atOnce),
    rate:
      starts === ""
        ? undefined
        : { starts: Number(starts), interval: durationFromMs(Number(seconds) * 1000), burst: Number(burst) },
  };
}
