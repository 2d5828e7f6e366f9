// One span: what it was, what is said of it, what happened meanwhile, and what was said in it.
import { Link, useNavigate } from "@tanstack/react-router";
import { Attributes, Facts } from "../logs/attributes";
import { exactText } from "../logs/model";
import { SpanKind, SpanStatus } from "../gen/weft/telemetry/v1/trace_pb";
import { Icon } from "../ui/icon";
import { SpanLogs } from "./span-logs";
import { lengthText, millisOf, nanosOf } from "./time";
import { selfOf, type SpanNode, type SpanTree } from "./tree";

const KINDS: Partial<Record<SpanKind, string>> = {
  [SpanKind.INTERNAL]: "internal",
  [SpanKind.SERVER]: "server: answers a call",
  [SpanKind.CLIENT]: "client: calls, and waits",
  [SpanKind.PRODUCER]: "producer: sends what is worked on later",
  [SpanKind.CONSUMER]: "consumer: works on what was sent",
};

interface Props {
  project: string;
  tree: SpanTree;
  node: SpanNode;
  colour: string;
  onChoose: (node: SpanNode) => void;
}

export function SpanPane({ project, tree, node, colour, onChoose }: Props) {
  const navigate = useNavigate();
  const { span } = node;
  const { origin } = span;
  const find = (pair: string) => navigate({ to: "/traces", search: { project, attr: [pair], last: "all" } });
  return (
    <section className="span-pane" aria-label="Chosen span">
      <header>
        <h2>{span.operation || "(no name)"}</h2>
        <p className="hint chip-service">
          <span className="service-swatch" style={{ background: colour }} />
          {node.service || "no service told"}
        </p>
      </header>
      {node.failed && (
        <p className="note note-warn">
          <Icon name="alert" />
          <span>{span.statusMessage || "It ended in an error."}</span>
        </p>
      )}
      {node.isLost && (
        <p className="note">
          <Icon name="link" />
          <span>
            It was begun by the span <code>{span.parentSpanId}</code>, which is not here: it may not have
            ended yet, or nobody has sent it.
          </span>
        </p>
      )}
      <Facts
        label="Span"
        facts={[
          ["took", lengthText(node.took)],
          ["of that by itself", node.children.length > 0 ? lengthText(selfOf(node)) : ""],
          ["began after", lengthText(node.offset)],
          ["began at", exactText(span.startTime)],
          ["kind", KINDS[span.kind] ?? ""],
          ["status", span.status === SpanStatus.OK ? `ok ${span.statusMessage}`.trim() : ""],
          ["id", node.id],
          ["scope", [origin?.scopeName, origin?.scopeVersion].filter(Boolean).join(" ")],
          ["trace state", span.traceState],
          ["left out", span.droppedItemCount ? `${span.droppedItemCount} attributes, events, links` : ""],
        ]}
      />
      {node.parent && (
        <p className="hint">
          Begun by{" "}
          <button type="button" className="link" onClick={() => node.parent && onChoose(node.parent)}>
            {node.parent.span.operation || node.parent.id}
          </button>
        </p>
      )}
      <Attributes label="Attributes" attributes={span.attributes} onPick={find} />
      {span.events.length > 0 && (
        <section aria-label="Events">
          <h3>Events</h3>
          <ul className="span-events">
            {span.events.map((event, at) => (
              <li key={at}>
                <p>
                  <strong>{event.eventName}</strong>
                  <small>
                    after {lengthText(millisOf(nanosOf(event.eventTime) - nanosOf(span.startTime)))}
                  </small>
                </p>
                <Attributes
                  label={`Attributes of ${event.eventName}`}
                  attributes={event.attributes}
                  onPick={find}
                />
              </li>
            ))}
          </ul>
        </section>
      )}
      {span.links.length > 0 && (
        <section aria-label="Links">
          <h3>Links</h3>
          <ul>
            {span.links.map((link, at) => (
              <li key={at}>
                <Link
                  to="/traces/$project/$trace"
                  params={{ project, trace: link.traceId }}
                  search={{ span: link.spanId || undefined }}
                >
                  <code>
                    {link.traceId} / {link.spanId}
                  </code>
                </Link>
                <Attributes label="Attributes of the link" attributes={link.attributes} onPick={find} />
              </li>
            ))}
          </ul>
        </section>
      )}
      <SpanLogs project={project} trace={span.traceId} node={node} start={tree.start} />
      <Attributes label="Resource" attributes={origin?.resourceAttributes} onPick={find} />
      <Attributes label="Scope attributes" attributes={origin?.scopeAttributes} onPick={find} />
    </section>
  );
}
