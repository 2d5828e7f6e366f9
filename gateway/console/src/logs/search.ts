// What of the page of logs is in its address, and what is asked of the mesh for it.
import { isTraceId, readPairs } from "./pairs";
import { isSeverity, type SeverityName, severityOf } from "./severity";
import { readWhen, type WhenSearch } from "./when";

export interface LogsSearch extends WhenSearch {
  project?: string;
  /** Words, `"phrases"`, `begin*`, `-without`. */
  q?: string;
  /** This, or worse. */
  severity?: SeverityName;
  service?: string;
  /** `key=value`, all of which must be so. */
  attr?: string[];
  trace?: string;
  /** Whether what arrives is shown as it does. */
  live?: true;
}

/** A word may be all digits, which the address bar turns into a number. */
const text = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" ? String(value) || undefined : undefined;

export function readLogsSearch(search: Record<string, unknown>): LogsSearch {
  const when = readWhen(search);
  const trace = text(search.trace)?.toLowerCase();
  return {
    project: text(search.project),
    q: text(search.q),
    severity: isSeverity(search.severity) ? search.severity : undefined,
    service: text(search.service),
    attr: readPairs(search.attr),
    trace: trace && isTraceId(trace) ? trace : undefined,
    ...when,
    // What arrives is never of a time that has an end.
    live: (search.live === true && when.to === undefined) || undefined,
  };
}

/** What a search and a watch have in common. */
export function filterOf(project: string, search: LogsSearch) {
  return {
    parent: `projects/${project}`,
    query: search.q?.trim() ?? "",
    minSeverity: severityOf(search.severity),
    serviceName: search.service ?? "",
    attributes: search.attr ?? [],
    traceId: search.trace ?? "",
  };
}

export type LogFilter = ReturnType<typeof filterOf>;

/** Whether anything is asked besides the time. */
export function isFiltered(search: LogsSearch): boolean {
  return !!(search.q?.trim() || search.severity || search.service || search.attr || search.trace);
}
