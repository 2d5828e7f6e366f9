// What can be done with one delivery: its run started again, and a dead letter put away.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import type { Delivery } from "../gen/weft/trigger/v1/trigger_pb";
import { TriggerService } from "../gen/weft/trigger/v1/trigger_service_pb";
import { describe } from "../rpc/errors";
import { may } from "../rpc/policy";
import { triggers as client } from "../rpc/triggers";
import { Icon } from "../ui/icon";
import { toast } from "../ui/toast";
import { mayRepeat } from "./model";

interface Props {
  delivery: Delivery;
  project: string;
  onDone: (delivery: Delivery) => void;
}

export function RedeliverButton({ delivery, project, onDone }: Props) {
  const { principal } = useStore(session.store);
  const queries = useQueryClient();
  // One id for all attempts of the same thing: a repeat after a lost answer does nothing twice.
  const [requestId, setRequestId] = useState(() => crypto.randomUUID());
  const redeliver = useMutation({
    mutationFn: () => client.redeliverDelivery({ name: delivery.name, requestId }),
    onSuccess: (next) => {
      setRequestId(crypto.randomUUID());
      void queries.invalidateQueries({ queryKey: ["delivery", delivery.name] });
      toast.done("It was redelivered");
      onDone(next);
    },
    onError: (error) => toast.error(describe(error)),
  });
  if (!mayRepeat(delivery) || !may(principal, TriggerService.method.redeliverDelivery, project)) return null;
  return (
    <button
      type="button"
      className="button"
      title="Starts a run again of what came, with the trigger as it is now and with your rights"
      disabled={redeliver.isPending}
      onClick={() => redeliver.mutate()}
    >
      <Icon name="refresh" /> Redeliver
    </button>
  );
}

export function DismissButton({ delivery, project, onDone }: Props) {
  const { principal } = useStore(session.store);
  const queries = useQueryClient();
  const dismiss = useMutation({
    mutationFn: () => client.dismissDelivery({ name: delivery.name }),
    onSuccess: (next) => {
      void queries.invalidateQueries({ queryKey: ["delivery", delivery.name] });
      onDone(next);
    },
    onError: (error) => toast.error(describe(error)),
  });
  if (!delivery.deadLetter || !may(principal, TriggerService.method.dismissDelivery, project)) return null;
  return (
    <button
      type="button"
      className="button"
      title="It stays among the deliveries of its trigger, and is no dead letter any more"
      disabled={dismiss.isPending}
      onClick={() => dismiss.mutate()}
    >
      <Icon name="check" /> Dismiss
    </button>
  );
}
