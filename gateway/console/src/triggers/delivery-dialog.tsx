// A look into one delivery: what came, what became of it, and what its run was given.
import type { JsonObject } from "@bufbuild/protobuf";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Json } from "../executions/json";
import { describe } from "../rpc/errors";
import { executions } from "../rpc/executions";
import { Dialog } from "../ui/dialog";
import { bytes, lastPart, plural, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Skeleton } from "../ui/states";
import { useDelivery } from "./live";
import { causeText } from "./model";
import { Content } from "./content";
import { DismissButton, RedeliverButton } from "./redeliver";
import { DeliveryMark } from "./state";

interface Props {
  name: string;
  project: string;
  onClose: () => void;
  /** Another one is to be looked into. */
  onLook: (delivery: string) => void;
  /** One came, or one was dismissed. */
  onCame: () => void;
}

export function DeliveryDialog({ name, project, onClose, onLook, onCame }: Props) {
  const { data: delivery, error } = useDelivery(name);
  const run = delivery?.execution ?? "";
  // What the trigger made of what came.
  const execution = useQuery({
    queryKey: ["execution-input", run],
    queryFn: ({ signal }) => executions.getExecution({ name: run }, { signal }),
    enabled: run !== "",
    staleTime: Number.POSITIVE_INFINITY,
  });
  const rows: [string, ReactNode][] = delivery
    ? [
        ["State", <DeliveryMark key="state" state={delivery.state} />],
        ["Why", delivery.reason && <code>{delivery.reason}</code>],
        ["", delivery.message],
        [
          "Came",
          `${when(delivery.createTime)}, ${causeText(delivery.cause)}${delivery.test ? ", as a test" : ""}`,
        ],
        ["Its time", when(delivery.scheduleTime)],
        ["From", delivery.address],
        ["About", delivery.eventType],
        ["Called", delivery.eventId && <code>{delivery.eventId}</code>],
        ["Body", delivery.bodyBytes > 0 && bytes(delivery.bodyBytes)],
        [
          "Repeats",
          delivery.redeliveryOf && (
            <button type="button" className="link" onClick={() => onLook(lastPart(delivery.redeliveryOf))}>
              an earlier one
            </button>
          ),
        ],
        ["Looked after", when(delivery.dismissTime)],
        ["Started", when(delivery.startTime)],
        ["Tried in vain", delivery.failureCount > 0 && plural(delivery.failureCount, "time")],
      ]
    : [];
  return (
    <Dialog title="Delivery" onClose={onClose} className="command-dialog">
      <div className="form">
        {error && !delivery ? (
          <p className="field-error" role="alert">
            {describe(error)}
          </p>
        ) : !delivery ? (
          <Skeleton width="60%" />
        ) : (
          <>
            <dl className="facts">
              {rows
                .filter(([, value]) => value)
                .map(([term, value]) => (
                  <div key={term} className="fact">
                    <dt>{term}</dt>
                    <dd>{value}</dd>
                  </div>
                ))}
            </dl>
            {delivery.content ? (
              <Content content={delivery.content} />
            ) : (
              delivery.bodyBytes > 0 && <p className="hint">What came with it was forgotten to make room.</p>
            )}
            {execution.data?.input && (
              <Json value={execution.data.input as JsonObject} label="What the run was given" />
            )}
            <footer className="dialog-foot">
              <DismissButton delivery={delivery} project={project} onDone={onCame} />
              <RedeliverButton
                delivery={delivery}
                project={project}
                onDone={(next) => {
                  onCame();
                  onLook(lastPart(next.name));
                }}
              />
              {run && (
                <Link
                  to="/executions/$project/$execution"
                  params={{ project, execution: lastPart(run) }}
                  search={{}}
                  className="button button-primary"
                >
                  <Icon name="runs" /> Open the run
                </Link>
              )}
            </footer>
          </>
        )}
      </div>
    </Dialog>
  );
}
