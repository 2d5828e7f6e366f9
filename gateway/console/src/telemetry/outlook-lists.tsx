// What is to come in words, and the spells that were not as usual: each leads to
// its time.
import { count, plural, when } from "../ui/format";
import { millisAt, shortNames, type Unit, valueText } from "./model";
import { crossingText, type Found, type Outlook, spanText, spells } from "./outlook";

/** More are not listed: the query can take the top ten. */
const MOST = 50;
const DAY = 86_400;

export function ForecastList({ outlook, unit }: { outlook: Outlook; unit: Unit }) {
  const names = shortNames(outlook.forecasts.map((one) => one.labels));
  const { threshold, end, until } = outlook;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section className="legend-box" tabIndex={0} aria-label="Forecast">
      <table className="chart-legend">
        <thead>
          <tr>
            <th scope="col">Forecast</th>
            <th scope="col">A day</th>
            <th scope="col">Comes again</th>
            <th scope="col">In {spanText(until - end)}</th>
            {threshold !== undefined && <th scope="col">Reaches {valueText(threshold, unit)}</th>}
          </tr>
        </thead>
        <tbody>
          {outlook.forecasts.slice(0, MOST).map((forecast, at) => {
            const last = forecast.points[forecast.points.length - 1];
            return (
              <tr key={names[at]}>
                <th scope="row">
                  <code>{names[at]}</code>
                </th>
                {last ? (
                  <>
                    <td>{valueText(forecast.trendPerSecond * DAY, unit)}</td>
                    <td>{seasonText(forecast.season)}</td>
                    <td>
                      {valueText(last.value, unit)}{" "}
                      <small>
                        {valueText(last.lower, unit)} to {valueText(last.upper, unit)}
                      </small>
                    </td>
                    {threshold !== undefined && <td>{crossingText(forecast.crossing, end, until)}</td>}
                  </>
                ) : (
                  <td colSpan={4}>{plural(forecast.sampleCount, "value")} are too few</td>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function seasonText(season: Outlook["forecasts"][number]["season"]): string {
  if (!season) return "no";
  const period = Number(season.period?.seconds ?? 0n) === 7 * DAY ? "by week" : "by day";
  return `${period}, ${Math.round(season.strength * 100)} %`;
}

interface Props {
  found: Found;
  unit: Unit;
  onGo: (span: { from: number; to: number }) => void;
}

export function AnomalyList({ found, unit, onGo }: Props) {
  const all = spells(found);
  const names = shortNames(all.map((one) => one.labels));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section className="legend-box" tabIndex={0} aria-label="Anomalies">
      <table className="chart-legend">
        <thead>
          <tr>
            <th scope="col">
              {all.length === 0
                ? `No anomalies in ${plural(found.seriesCount, "series", "series")}`
                : `Anomalies of ${count(found.anomalousSeriesCount)} of ${plural(found.seriesCount, "series", "series")}`}
            </th>
            {all.length > 0 && (
              <>
                <th scope="col">From</th>
                <th scope="col">For</th>
                <th scope="col">Seen</th>
                <th scope="col">Expected</th>
                <th scope="col">Score</th>
              </>
            )}
          </tr>
        </thead>
        <tbody>
          {all.slice(0, MOST).map(({ key, anomaly }, at) => {
            const [start, end] = [millisAt(anomaly.startTime), millisAt(anomaly.endTime)];
            const around = Math.max(4 * (end - start), 600_000);
            return (
              <tr key={`${key} ${start}`}>
                <th scope="row">
                  <button
                    type="button"
                    title="Go to its time"
                    onClick={() => onGo({ from: start - around, to: end + around })}
                  >
                    {names[at]}
                  </button>
                </th>
                <td>{when(anomaly.startTime)}</td>
                <td>{end > start ? spanText(end - start) : "one value"}</td>
                <td>{valueText(anomaly.seenValue, unit)}</td>
                <td>{valueText(anomaly.expectedValue, unit)}</td>
                <td>{anomaly.peakScore.toFixed(1)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
