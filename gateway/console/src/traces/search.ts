// What of the page of traces is in its address, and what is asked of the mesh for it.
import type { Duration } from "@bufbuild/protobuf/wkt";
import { readPairs } from "../logs/pairs";
import { readWhen, type WhenSearch } from "../logs/when";

export interface TracesSearch extends WhenSearch {
  project?: string;
  service?: string;
  operation?: string;
  /** The span took so long, or longer: `250ms`, `1.5s`. */
  min?: string;
  errors?: true;
  attr?: string[];
}

const NANOS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3_600e9 };
/** A hundred days: longer than any span. */
const LONGEST = 100 * 24 * 3_600e9;

/** `250ms`, `1.5s`, `2m`; nothing of anything else. */
export function lengthOf(text: string | undefined): Duration | undefined {
  const found = /^(\d{1,9}(?:\.\d{1,9})?)\s*(ns|us|µs|ms|s|m|h)$/.exec(text?.trim() ?? "");
  const nanos = found ? Math.round(Number(found[1]) * NANOS[found[2]]) : 0;
  if (nanos <= 0 || nanos > LONGEST) return undefined;
  return {
    $typeName: "google.protobuf.Duration",
    seconds: BigInt(Math.floor(nanos / 1e9)),
    nanos: nanos % 1e9,
  };
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" ? String(value) || undefined : undefined;

export function readTracesSearch(search: Record<string, unknown>): TracesSearch {
  const min = text(search.min);
  return {
    project: text(search.project),
    service: text(search.service),
    operation: text(search.operation),
    min: lengthOf(min) ? min : undefined,
    errors: search.errors === true || undefined,
    attr: readPairs(search.attr),
    ...readWhen(search),
  };
}

export function filterOf(project: string, search: TracesSearch) {
  return {
    parent: `projects/${project}`,
    serviceName: search.service ?? "",
    operation: search.operation ?? "",
    minDuration: lengthOf(search.min),
    errorsOnly: search.errors === true,
    attributes: search.attr ?? [],
  };
}

export function isFiltered(search: TracesSearch): boolean {
  return !!(search.service || search.operation || search.min || search.errors || search.attr);
}
