// What is to come of the lines of a chart, and when they were not as usual: as
// rows, and in words. Loaded when somebody wants it.
import type { AnomalousSeries, Anomaly, Crossing, Forecast } from "../gen/weft/telemetry/v1/forecast_pb";
import { type Column, type Line, type Lines, millisAt, nameOf } from "./model";

const DAY = 86_400_000;

/** The forecasts of a chart's series. */
export interface Outlook {
  /** Milliseconds since 1970: what was learned from ends here, and all that is to come is before the other. */
  end: number;
  until: number;
  /** Seconds since 1970, as charts count. */
  times: number[];
  threshold?: number;
  forecasts: readonly Forecast[];
  byKey: ReadonlyMap<string, Forecast>;
}

export function outlookOf(
  forecasts: readonly Forecast[],
  end: number,
  until: number,
  threshold?: number,
): Outlook {
  const longest = forecasts.find((one) => one.points.length > 0)?.points ?? [];
  return {
    end,
    until,
    times: longest.map((point) => millisAt(point.pointTime) / 1_000),
    threshold,
    forecasts,
    byKey: new Map(forecasts.map((one) => [nameOf(one.labels), one])),
  };
}

/** Rows for what is to come after those that there are. */
export function extended<L extends Lines>(range: L, outlook: Outlook): L {
  const last = range.times[range.times.length - 1] ?? 0;
  const first = outlook.times.findIndex((time) => time > last);
  if (first < 0) return range;
  const times = [...range.times, ...outlook.times.slice(first)];
  const none: Column = new Array(times.length - range.times.length).fill(null);
  const before: Column = new Array(range.times.length).fill(null);
  const lines = range.lines.map((line): Line => {
    const points = outlook.byKey.get(line.key)?.points ?? [];
    const ahead = [...before, ...points.slice(first).map((point) => point.value)];
    return { ...line, values: [...line.values, ...none], ahead };
  });
  return { ...range, times, lines };
}

export interface Found {
  series: readonly AnomalousSeries[];
  seriesCount: number;
  anomalousSeriesCount: number;
}

export interface Spell {
  key: string;
  labels: Readonly<Record<string, string>>;
  anomaly: Anomaly;
}

/** Of all series, the worst first. */
export function spells(found: Found): Spell[] {
  const each = found.series.flatMap(({ labels, anomalies }) =>
    anomalies.map((anomaly) => ({ key: nameOf(labels), labels, anomaly })),
  );
  return each.sort((one, other) => other.anomaly.peakScore - one.anomaly.peakScore);
}

const UNITS: readonly [number, string][] = [
  [DAY, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1_000, "second"],
];

/** In a unit in which it is two or more. */
function inUnit(millis: number): [number, string] {
  return UNITS.find(([size]) => millis >= 2 * size) ?? [1_000, "second"];
}

export function spanText(millis: number): string {
  const [size, name] = inUnit(millis);
  const count = Math.round(millis / size);
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

/** When a threshold is reached: `in 12 days (9 to 17)`. */
export function crossingText(crossing: Crossing | undefined, end: number, until: number): string {
  const ahead = until - end;
  const none = `not in ${spanText(ahead)}`;
  if (!crossing) return none;
  const after = (time: Crossing["crossTime"]) => Math.max(millisAt(time) - end, 0);
  const earliest = after(crossing.earliestTime);
  if (!crossing.crossTime) return `${none}, at the earliest in ${spanText(earliest)}`;
  const time = after(crossing.crossTime);
  if (time < 1_000) return "now";
  const [size] = inUnit(time);
  const number = (millis: number) => Math.round(millis / size);
  const latest = crossing.latestTime ? number(after(crossing.latestTime)) : `more than ${number(ahead)}`;
  const range = latest === number(earliest) ? "" : ` (${number(earliest)} to ${latest})`;
  return `in ${spanText(time)}${range}`;
}
