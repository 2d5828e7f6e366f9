// What came to a trigger, the newest first, and what became of each.
import { Link } from "@tanstack/react-router";
import type { Delivery } from "../gen/weft/trigger/v1/trigger_pb";
import { describe } from "../rpc/errors";
import { ago, count, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Skeleton } from "../ui/states";
import { useDeliveries } from "./live";
import { causeText } from "./model";
import { DeliveryMark } from "./state";

interface Props {
  trigger: string;
  project: string;
  onLook: (delivery: string) => void;
}

export function Deliveries({ trigger, project, onLook }: Props) {
  const list = useDeliveries(trigger);
  const found = list.data?.pages.flatMap((page) => page.deliveries) ?? [];
  return (
    <section className="trigger-deliveries" aria-label="Deliveries">
      <h2>
        Deliveries{" "}
        <small role="status">{list.data && `${count(found.length)}${list.hasNextPage ? "+" : ""}`}</small>
      </h2>
      {list.isError && <p className="field-error">{describe(list.error)}</p>}
      {list.isPending ? (
        <Skeleton width="60%" />
      ) : found.length === 0 ? (
        <p className="hint">Nothing came yet.</p>
      ) : (
        <div className="routes-scroll">
          <table className="plain-table">
            <thead>
              <tr>
                <th scope="col">Came</th>
                <th scope="col">As</th>
                <th scope="col">State</th>
                <th scope="col">Why</th>
                <th scope="col">Run</th>
              </tr>
            </thead>
            <tbody>
              {found.map((delivery) => (
                <Row key={delivery.name} delivery={delivery} project={project} onLook={onLook} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {list.hasNextPage && (
        <button
          type="button"
          className="button"
          disabled={list.isFetchingNextPage}
          onClick={() => list.fetchNextPage()}
        >
          Show more
        </button>
      )}
    </section>
  );
}

function Row({ delivery, project, onLook }: { delivery: Delivery } & Omit<Props, "trigger">) {
  return (
    <tr>
      <td>
        <button
          type="button"
          className="link"
          title={when(delivery.createTime)}
          onClick={() => onLook(lastPart(delivery.name))}
        >
          {ago(delivery.createTime)}
          <span className="hidden-text">: look into it</span>
        </button>
      </td>
      <td>
        {causeText(delivery.cause)}
        {delivery.test && <small>test</small>}
        {delivery.redeliveryOf && <small>again</small>}
        {delivery.eventType && <small>{delivery.eventType}</small>}
        {delivery.scheduleTime && <small>of {when(delivery.scheduleTime)}</small>}
      </td>
      <td>
        <DeliveryMark state={delivery.state} />
        {delivery.deadLetter && <small>dead letter</small>}
      </td>
      <td className="delivery-why">
        {delivery.reason && <code>{delivery.reason}</code>}
        {delivery.message && <small>{delivery.message}</small>}
      </td>
      <td>
        {delivery.execution && (
          <Link
            to="/executions/$project/$execution"
            params={{ project, execution: lastPart(delivery.execution) }}
            search={{}}
          >
            <Icon name="runs" /> {lastPart(delivery.execution)}
          </Link>
        )}
      </td>
    </tr>
  );
}
