// What of the telemetry page is in its address.

export interface TelemetrySearch {
  project?: string;
  /** PromQL. */
  q?: string;
  /** The newest of it, for example `6h`; or a span that stays, in milliseconds since 1970. */
  last?: string;
  from?: number;
  to?: number;
  /** How often it is asked for again, and how much earlier what it is compared with is. */
  every?: string;
  before?: string;
  /** How far ahead is forecast, for example `7d`; not at all if not set. What is reached, and from which side. */
  ahead?: string;
  threshold?: number;
  below?: boolean;
  /** Whether what was not as usual is marked. */
  anomalies?: boolean;
}
