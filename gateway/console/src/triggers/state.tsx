// How a trigger or a delivery stands, in a word and a shape.
import type { DeliveryState, Trigger } from "../gen/weft/trigger/v1/trigger_pb";
import { type DeliveryStateName, deliveryState } from "./model";

/** A state is never told by its colour alone. */
const SHAPES: Record<DeliveryStateName, string> = {
  pending: "◔",
  started: "●",
  skipped: "◇",
  failed: "▲",
  refused: "■",
};

export function DeliveryMark({ state }: { state: DeliveryState }) {
  const name = deliveryState(state);
  return (
    <span className="state" data-state={name}>
      <span aria-hidden="true">{SHAPES[name]}</span> {name}
    </span>
  );
}

export function TriggerMark({ trigger }: { trigger: Pick<Trigger, "paused"> }) {
  const name = trigger.paused ? "paused" : "active";
  return (
    <span className="state" data-state={name}>
      <span aria-hidden="true">{trigger.paused ? "‖" : "●"}</span> {name}
    </span>
  );
}
