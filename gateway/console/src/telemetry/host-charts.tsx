// How a host is doing, live: what its agent reports every two seconds.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { describe } from "../rpc/errors";
import { Spinner } from "../ui/states";
import { Chart } from "./chart";
import { LIVE_SPAN, useLive } from "./live";
import { summaryOf, type Unit, valueText } from "./model";

interface Panel {
  title: string;
  /** `HOST` is the host's label. */
  query: string;
  unit: Unit;
  most?: number;
  /** One line alone says what it is of, too. */
  named?: boolean;
}

// A value counts for ten seconds: then what is missing is a gap, and not the last one that there was.
const PANELS: readonly Panel[] = [
  { title: "Processors", query: "last_over_time(host_cpu_usage_ratio{HOST}[10s])", unit: "ratio", most: 1 },
  {
    title: "Memory in use",
    query:
      "last_over_time(host_memory_total_bytes{HOST}[10s]) - last_over_time(host_memory_available_bytes{HOST}[10s])",
    unit: "bytes",
  },
  {
    title: "Load",
    query: 'last_over_time({__name__=~"host_load(1|5|15)",HOST}[10s])',
    unit: "number",
  },
  {
    title: "Network",
    query:
      'label_replace(sum(rate(host_network_received_bytes_total{HOST}[15s])), "way", "received", "", "") or label_replace(sum(rate(host_network_sent_bytes_total{HOST}[15s])), "way", "sent", "", "")',
    unit: "bytes/s",
  },
  {
    title: "Disk",
    query:
      'label_replace(sum(rate(host_disk_read_bytes_total{HOST}[15s])), "way", "read", "", "") or label_replace(sum(rate(host_disk_written_bytes_total{HOST}[15s])), "way", "written", "", "")',
    unit: "bytes/s",
  },
  {
    title: "Disk space in use",
    query:
      "1 - last_over_time(host_disk_available_bytes{HOST}[10s]) / last_over_time(host_disk_total_bytes{HOST}[10s])",
    unit: "ratio",
    most: 1,
    named: true,
  },
];

export function HostCharts({ project, host }: { project: string; host: string }) {
  return (
    <section className="host-charts" aria-label="Charts">
      {PANELS.map((panel) => (
        <LiveChart key={panel.title} project={project} host={host} panel={panel} />
      ))}
    </section>
  );
}

function LiveChart({ project, host, panel }: { project: string; host: string; panel: Panel }) {
  const query = panel.query.replaceAll("HOST", `host="${host}"`);
  const live = useLive(project, query);
  const [row, setRow] = useState<number | null>(null);
  const to = live.times[live.times.length - 1] ?? Date.now() / 1_000;
  return (
    <section className="card chart-card" aria-label={panel.title}>
      <header className="chart-head">
        <h2>{panel.title}</h2>
        <Link to="/telemetry" search={{ project, q: query }} className="chart-more">
          Explore<span className="hidden-text"> {panel.title}</span>
        </Link>
      </header>
      {live.error ? (
        <p className="field-error">{describe(live.error)}</p>
      ) : live.lines.length === 0 ? (
        <p className="hint chart-wait">{live.begun ? "Nothing is reported." : <Spinner label="Loading" />}</p>
      ) : (
        <>
          <Chart
            label={panel.title}
            times={live.times}
            lines={live.lines}
            unit={panel.unit}
            most={panel.most}
            height={150}
            from={to - LIVE_SPAN / 1_000}
            to={to}
            onCursor={setRow}
          />
          <ul className="chart-values">
            {live.lines.slice(0, 8).map((line) => (
              <li key={line.key}>
                {(live.lines.length > 1 || panel.named) && (
                  <span>{line.label.replace(/^\{.*="(.*)"\}$/, "$1")}</span>
                )}
                <strong>
                  {valueText(
                    row === null ? summaryOf(line.values.slice(-3)).last : line.values[row],
                    panel.unit,
                  )}
                </strong>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
