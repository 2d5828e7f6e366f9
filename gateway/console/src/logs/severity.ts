// How bad a record is, in words.
import { LogSeverity } from "../gen/weft/telemetry/v1/log_pb";

export type SeverityName = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

const VALUES: Record<SeverityName, LogSeverity> = {
  trace: LogSeverity.TRACE,
  debug: LogSeverity.DEBUG,
  info: LogSeverity.INFO,
  warn: LogSeverity.WARN,
  error: LogSeverity.ERROR,
  fatal: LogSeverity.FATAL,
};

/** From what hardly matters to what matters most. */
export const SEVERITIES = Object.keys(VALUES) as SeverityName[];

export function severityOf(name: SeverityName | undefined): LogSeverity {
  return name ? VALUES[name] : LogSeverity.UNSPECIFIED;
}

/** Nothing where it is not told. */
export function severityName(severity: LogSeverity): SeverityName | undefined {
  return SEVERITIES.find((name) => VALUES[name] === severity);
}

export function isSeverity(value: unknown): value is SeverityName {
  return SEVERITIES.includes(value as SeverityName);
}
