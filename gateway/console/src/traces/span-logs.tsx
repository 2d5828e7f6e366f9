// What was said in a span, or in its whole trace.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { LogRecord } from "../gen/weft/telemetry/v1/log_pb";
import { lineOfBody, severityText } from "../logs/model";
import { describe } from "../rpc/errors";
import { logs } from "../rpc/logs";
import { count, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Skeleton } from "../ui/states";
import { lengthText, millisOf, nanosOf } from "./time";
import type { SpanNode } from "./tree";

const MOST = 1_000;
/** So many are shown here; the page of logs shows all. */
const SHOWN = 100;

interface Props {
  project: string;
  trace: string;
  node: SpanNode;
  /** When the trace began. */
  start: bigint;
}

export function SpanLogs({ project, trace, node, start }: Props) {
  const [whole, setWhole] = useState(false);
  const found = useQuery({
    queryKey: ["trace-logs", project, trace],
    queryFn: ({ signal }) =>
      logs.searchLogs({ parent: `projects/${project}`, traceId: trace, pageSize: MOST }, { signal }),
    staleTime: 30_000,
  });
  // As a story is read: what was said first comes first.
  const all = useMemo(() => [...(found.data?.logs ?? [])].reverse(), [found.data]);
  const ofSpan = useMemo(() => all.filter((record) => record.spanId === node.id), [all, node.id]);
  const shown = whole ? all : ofSpan;
  const more = found.data?.nextPageToken ? "+" : "";
  return (
    <section aria-label="Logs">
      <div className="logs-head">
        <h3>Logs</h3>
        {found.data && (
          <span className="segments segments-small" role="group" aria-label="Logs of">
            {([false, true] as const).map((all_) => (
              <button
                key={String(all_)}
                type="button"
                className="segment"
                data-active={whole === all_}
                aria-pressed={whole === all_}
                onClick={() => setWhole(all_)}
              >
                {all_ ? `trace (${count(all.length)}${more})` : `span (${count(ofSpan.length)})`}
              </button>
            ))}
          </span>
        )}
      </div>
      {found.isPending && <Skeleton width="60%" />}
      {found.isError && !found.data && (
        <p className="field-error" role="alert">
          {describe(found.error)}
        </p>
      )}
      {found.data && shown.length === 0 && (
        <p className="hint">Nothing was said in {whole || all.length === 0 ? "this trace" : "this span"}.</p>
      )}
      <ul className="span-logs">
        {shown.slice(0, SHOWN).map((record, at) => (
          <li key={at}>
            <Line record={record} start={start} />
          </li>
        ))}
      </ul>
      {all.length > 0 && (
        <Link to="/logs" search={{ project, trace, last: "all" }} className="hint">
          <Icon name="logs" size={14} />{" "}
          {shown.length > SHOWN ? `The first ${plural(SHOWN, "record")} are here. ` : ""}Open in Logs
        </Link>
      )}
    </section>
  );
}

function Line({ record, start }: { record: LogRecord; start: bigint }) {
  const after = millisOf(nanosOf(record.logTime) - start);
  return (
    <div className="log-row" data-severity={severityText(record)}>
      <small>
        <span className="log-severity">{severityText(record)}</span>
        {record.origin?.serviceName}
        <span>{after < 0 ? `${lengthText(-after)} before` : `after ${lengthText(after)}`}</span>
      </small>
      <p>{lineOfBody(record)}</p>
    </div>
  );
}
