// What is to come and what was not as usual, painted with the lines of a chart.
// Loaded when somebody wants it.
import type uPlot from "uplot";
import type { Crossing, Forecast } from "../gen/weft/telemetry/v1/forecast_pb";
import { colourOf } from "./colours";
import { type Line, millisAt } from "./model";
import { type Found, type Outlook, type Spell, spells } from "./outlook";
import type { Overlay } from "./overlay";

/** Of more lines than this no intervals are painted: they would cover each other. */
const BANDS = 12;

/** What is painted with the lines: intervals and dashes for what is to come, shades for what was not as usual. */
export function overlayOf(
  lines: readonly Line[],
  hidden: ReadonlySet<string>,
  outlook: Outlook | undefined,
  found: Found | undefined,
): Overlay {
  const shown = lines.flatMap((line, at) => {
    const forecast = hidden.has(line.key) ? undefined : outlook?.byKey.get(line.key);
    return forecast?.points.length ? [{ at, forecast }] : [];
  });
  const shades = spells(found ?? { series: [], seriesCount: 0, anomalousSeriesCount: 0 }).filter(
    (spell) => !hidden.has(spell.key),
  );
  const [least, most] = inSight(lines, shown, outlook?.threshold);
  return {
    least,
    most,
    under: (made) => clipped(made, (canvas) => paintShades(made, canvas, shades)),
    over: (made, shade) =>
      clipped(made, (canvas) => {
        if (!outlook) return;
        for (const { at, forecast } of shown) {
          paintForecast(made, canvas, forecast, colourOf(shade, at), shown.length <= BANDS);
        }
        paintEnd(made, canvas, outlook.end / 1_000);
        if (outlook.threshold === undefined) return;
        paintThreshold(made, canvas, outlook.threshold);
        for (const { at, forecast } of shown) {
          if (forecast.crossing) paintCrossing(made, canvas, outlook, forecast.crossing, colourOf(shade, at));
        }
      }),
  };
}

/** All that is to come, and as much of the intervals as does not make the lines flat. */
function inSight(
  lines: readonly Line[],
  shown: readonly { forecast: Forecast }[],
  threshold: number | undefined,
): [number, number] {
  let [least, most] = [threshold ?? Infinity, threshold ?? -Infinity];
  const see = (value: number | null) => {
    if (value === null) return;
    least = Math.min(least, value);
    most = Math.max(most, value);
  };
  for (const line of lines) for (const value of line.values) see(value);
  for (const { forecast } of shown) for (const point of forecast.points) see(point.value);
  const room = most - least;
  let [low, high] = [least, most];
  for (const { forecast } of shown) {
    for (const point of forecast.points) {
      low = Math.min(low, Math.max(point.lower, least - room / 2));
      high = Math.max(high, Math.min(point.upper, most + room / 2));
    }
  }
  return [low, high];
}

function clipped(made: uPlot, paint: (canvas: CanvasRenderingContext2D) => void): void {
  const { left, top, width, height } = made.bbox;
  made.ctx.save();
  made.ctx.beginPath();
  made.ctx.rect(left, top, width, height);
  made.ctx.clip();
  paint(made.ctx);
  made.ctx.restore();
}

const variable = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const across = (made: uPlot, seconds: number) => made.valToPos(seconds, "x", true);
const up = (made: uPlot, value: number) => made.valToPos(value, "y", true);

function paintForecast(
  made: uPlot,
  canvas: CanvasRenderingContext2D,
  { points, newest }: Forecast,
  colour: string,
  band: boolean,
): void {
  const at = points.map((point) => across(made, millisAt(point.pointTime) / 1_000));
  canvas.fillStyle = canvas.strokeStyle = colour;
  if (band) {
    canvas.globalAlpha = 0.16;
    canvas.beginPath();
    for (let row = 0; row < points.length; row++) canvas.lineTo(at[row], up(made, points[row].upper));
    for (let row = points.length - 1; row >= 0; row--) canvas.lineTo(at[row], up(made, points[row].lower));
    canvas.fill();
  }
  canvas.globalAlpha = 1;
  canvas.lineWidth = 1.5 * devicePixelRatio;
  canvas.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  canvas.beginPath();
  // From where the line ends.
  if (newest) canvas.moveTo(across(made, millisAt(newest.sampleTime) / 1_000), up(made, newest.value));
  for (let row = 0; row < points.length; row++) canvas.lineTo(at[row], up(made, points[row].value));
  canvas.stroke();
  canvas.setLineDash([]);
}

function paintEnd(made: uPlot, canvas: CanvasRenderingContext2D, end: number): void {
  const { top, height } = made.bbox;
  canvas.strokeStyle = variable("--line-strong");
  canvas.lineWidth = devicePixelRatio;
  canvas.beginPath();
  canvas.moveTo(across(made, end), top);
  canvas.lineTo(across(made, end), top + height);
  canvas.stroke();
}

function paintThreshold(made: uPlot, canvas: CanvasRenderingContext2D, threshold: number): void {
  const { left, width } = made.bbox;
  canvas.strokeStyle = variable("--bad");
  canvas.lineWidth = devicePixelRatio;
  canvas.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  canvas.beginPath();
  canvas.moveTo(left, up(made, threshold));
  canvas.lineTo(left + width, up(made, threshold));
  canvas.stroke();
  canvas.setLineDash([]);
}

/** From the earliest to the latest along the threshold, and where it most likely is. */
function paintCrossing(
  made: uPlot,
  canvas: CanvasRenderingContext2D,
  outlook: Outlook,
  { earliestTime, crossTime, latestTime }: Crossing,
  colour: string,
): void {
  const height = up(made, outlook.threshold ?? 0);
  const place = (time: Crossing["crossTime"]) =>
    across(made, (time ? millisAt(time) : outlook.until) / 1_000);
  canvas.strokeStyle = canvas.fillStyle = colour;
  canvas.lineWidth = 3 * devicePixelRatio;
  canvas.beginPath();
  canvas.moveTo(place(earliestTime), height);
  canvas.lineTo(place(latestTime), height);
  canvas.stroke();
  if (!crossTime) return;
  canvas.beginPath();
  canvas.arc(place(crossTime), height, 5 * devicePixelRatio, 0, 2 * Math.PI);
  canvas.fill();
}

function paintShades(made: uPlot, canvas: CanvasRenderingContext2D, all: readonly Spell[]): void {
  const { top, height } = made.bbox;
  canvas.fillStyle = variable("--bad");
  for (const { anomaly } of all) {
    const [start, end] = [anomaly.startTime, anomaly.endTime].map((time) =>
      across(made, millisAt(time) / 1_000),
    );
    // One value alone is seen too.
    const wide = Math.max(end - start, 4 * devicePixelRatio);
    canvas.globalAlpha = 0.2;
    canvas.fillRect((start + end - wide) / 2, top, wide, height);
    canvas.globalAlpha = 1;
    canvas.fillRect((start + end - wide) / 2, top, wide, 3 * devicePixelRatio);
  }
}
