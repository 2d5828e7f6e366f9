// What is done with a trigger: made up for, given another address, deleted.
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Trigger } from "../gen/weft/trigger/v1/trigger_pb";
import { triggers as client } from "../rpc/triggers";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { plural } from "../ui/format";
import { toast } from "../ui/toast";
import { localText } from "./draft";
import { titleOf } from "./model";

interface Props {
  trigger: Trigger;
  onClose: () => void;
}

/** One id for all attempts of the same thing: a repeat after a lost answer does nothing twice. */
export function useRequestId() {
  const [id, setId] = useState(() => crypto.randomUUID());
  return { id, renew: () => setId(crypto.randomUUID()) };
}

const DAY = 86_400_000;

export function BackfillDialog({ trigger, onClose, onCame }: Props & { onCame: () => void }) {
  const [from, setFrom] = useState(() =>
    localText(new Date(Math.floor((Date.now() - DAY) / 60_000) * 60_000)),
  );
  const [until, setUntil] = useState(() => localText(new Date(Math.floor(Date.now() / 60_000) * 60_000)));
  const { id, renew } = useRequestId();
  const valid = from !== "" && until !== "" && new Date(from) < new Date(until);
  const backfill = useMutation({
    mutationFn: () =>
      client.backfillTrigger({
        name: trigger.name,
        startTime: timestampFromDate(new Date(from)),
        endTime: timestampFromDate(new Date(until)),
        requestId: id,
      }),
    onSuccess: ({ tickCount }) => {
      toast.done(tickCount === 0 ? "There were no ticks" : `${plural(tickCount, "tick")} made up for`);
      onCame();
      onClose();
    },
  });
  return (
    <Dialog title={`Make up for ticks of ${titleOf(trigger)}`} onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) backfill.mutate();
        }}
      >
        <div className="form-row">
          <label>
            From
            <input
              type="datetime-local"
              value={from}
              onChange={(event) => {
                setFrom(event.target.value);
                renew();
              }}
            />
          </label>
          <label>
            Until
            <input
              type="datetime-local"
              value={until}
              aria-invalid={!valid}
              onChange={(event) => {
                setUntil(event.target.value);
                renew();
              }}
            />
          </label>
        </div>
        <p className="hint">Each tick between them starts a run now, with your rights; at most 1,000.</p>
        <Problem error={backfill.error} />
        <DialogFoot label="Make up for" disabled={!valid || backfill.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}

export function RotateDialog({
  trigger,
  onClose,
  onChanged,
}: Props & { onChanged: (trigger: Trigger) => void }) {
  const { id } = useRequestId();
  const rotate = useMutation({
    mutationFn: () => client.rotateTriggerToken({ name: trigger.name, requestId: id }),
    onSuccess: (next) => {
      toast.done("It has another address");
      onChanged(next);
    },
  });
  return (
    <Dialog title={`Another address for ${titleOf(trigger)}?`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          rotate.mutate();
        }}
      >
        <p>The address that it has now is good no more: whoever calls it must be told the new one.</p>
        <Problem error={rotate.error} />
        <DialogFoot label="New address" danger disabled={rotate.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}

export function DeleteDialog({ trigger, onClose, onDeleted }: Props & { onDeleted: () => void }) {
  const remove = useMutation({
    mutationFn: () => client.deleteTrigger({ name: trigger.name }),
    onSuccess: onDeleted,
  });
  return (
    <Dialog title={`Delete ${titleOf(trigger)}?`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          remove.mutate();
        }}
      >
        <p>What waits to be started by it goes with it. Runs that it has started go on.</p>
        <Problem error={remove.error} />
        <DialogFoot label="Delete" danger disabled={remove.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
