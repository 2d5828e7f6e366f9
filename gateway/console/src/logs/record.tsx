// One record: as a line, and all that it says when it is opened.
import { Link } from "@tanstack/react-router";
import type { LogRecord } from "../gen/weft/telemetry/v1/log_pb";
import { CopyButton } from "../ui/copy";
import { Icon } from "../ui/icon";
import { Attributes, Facts } from "./attributes";
import { bodyOf, exactText, jsonText, lineOfBody, severityText, timeText } from "./model";
import { lineOf } from "./pairs";
import { partsOf } from "./words";

/** A body that the line above shows as a whole is not shown twice. */
const SHORT = 100;

export function LogLine({ record, finder }: { record: LogRecord; finder: RegExp | null }) {
  return (
    <>
      <time title={exactText(record.logTime)}>{timeText(record.logTime)}</time>
      <span className="log-severity">{severityText(record)}</span>
      <span className="log-service">{record.origin?.serviceName}</span>
      <span className="log-text">
        <Marked text={lineOfBody(record)} finder={finder} />{" "}
        <small>{lineOf(record.attributes).slice(0, 500)}</small>
      </span>
    </>
  );
}

function Marked({ text, finder }: { text: string; finder: RegExp | null }) {
  return partsOf(text, finder).map((part, at) =>
    part.hit ? <mark key={at}>{part.text}</mark> : <span key={at}>{part.text}</span>,
  );
}

interface Props {
  project: string;
  record: LogRecord;
  finder: RegExp | null;
  onPair: (pair: string) => void;
  onTrace: (trace: string) => void;
  onAround: (record: LogRecord) => void;
}

export function OpenRecord({ project, record, finder, onPair, onTrace, onAround }: Props) {
  const body = bodyOf(record);
  const text = typeof body === "string" ? body : body === null ? "" : JSON.stringify(body, null, 2);
  const { origin, traceId, spanId } = record;
  return (
    <div className="log-open">
      <div className="button-row">
        {traceId && (
          <>
            <Link
              to="/traces/$project/$trace"
              params={{ project, trace: traceId }}
              search={{ span: spanId || undefined }}
              className="button button-small"
            >
              <Icon name="trace" /> Open the trace
            </Link>
            <button type="button" className="button button-small" onClick={() => onTrace(traceId)}>
              <Icon name="logs" /> Logs of this trace
            </button>
          </>
        )}
        <button type="button" className="button button-small" onClick={() => onAround(record)}>
          <Icon name="clock" /> What came around it
        </button>
        <CopyButton label="Copy as JSON" text={jsonText(record)} />
      </div>
      {(text.length > SHORT || text.includes("\n")) && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <pre className="log-body" tabIndex={0} role="group" aria-label="Body">
          <Marked text={text} finder={finder} />
        </pre>
      )}
      <div className="attribute-groups">
        <Attributes label="Attributes" attributes={record.attributes} onPick={onPair} />
        <Attributes label="Resource" attributes={origin?.resourceAttributes} onPick={onPair} />
        <Attributes label="Scope attributes" attributes={origin?.scopeAttributes} onPick={onPair} />
        <Facts
          label="Record"
          facts={[
            ["time", exactText(record.logTime)],
            ["observed", exactText(record.observedTime)],
            [
              "severity",
              [record.severityText, record.severityNumber || ""].filter((part) => part !== "").join(" · "),
            ],
            ["event", record.eventName],
            ["trace", traceId],
            ["span", spanId],
            ["scope", [origin?.scopeName, origin?.scopeVersion].filter(Boolean).join(" ")],
            ["left out", record.droppedAttributeCount ? `${record.droppedAttributeCount} attributes` : ""],
          ]}
        />
      </div>
    </div>
  );
}
