// Asking what is to come of the lines of a chart, and when they were not as usual.
// Loaded when somebody wants it.
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { CrossingDirection } from "../gen/weft/telemetry/v1/forecast_pb";
import { telemetry } from "../rpc/telemetry";
import { type Span, timestampAt, windowOf } from "./model";
import { type Found, type Outlook, outlookOf } from "./outlook";

const WEEK = 7 * 86_400_000;
/** So many steps are learned from where anomalies are looked for. */
const STEPS = 3_000;

export interface AheadSearch {
  /** Milliseconds. */
  ahead: number;
  threshold?: number;
  below: boolean;
}

export async function askForecast(
  project: string,
  query: string,
  span: Span,
  { ahead, threshold, below }: AheadSearch,
  signal: AbortSignal,
): Promise<Outlook> {
  const { from, to } = windowOf(span, Date.now());
  const answer = await telemetry.getForecast(
    {
      parent: `projects/${project}`,
      query,
      startTime: timestampAt(Math.min(from, to - WEEK)),
      endTime: timestampAt(to),
      horizon: durationFromMs(ahead),
      threshold,
      direction: below ? CrossingDirection.FALLING : CrossingDirection.RISING,
    },
    { signal },
  );
  return outlookOf(answer.forecasts, to, to + ahead, threshold);
}

export function askAnomalies(
  project: string,
  query: string,
  span: Span,
  signal: AbortSignal,
): Promise<Found> {
  const { from, to, step } = windowOf(span, Date.now());
  // As fine as what is drawn, and as much of the week before as that allows.
  const learned = Math.min(WEEK, STEPS * step - (to - from));
  return telemetry.findAnomalies(
    {
      parent: `projects/${project}`,
      query,
      startTime: timestampAt(from),
      endTime: timestampAt(to),
      step: durationFromMs(step),
      learnDuration: durationFromMs(Math.max(learned, 0)),
    },
    { signal },
  );
}
