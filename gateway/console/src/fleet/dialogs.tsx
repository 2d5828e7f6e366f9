// What an operator does with one agent.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import { agents } from "../rpc/fleet";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { lastPart } from "../ui/format";
import { toast } from "../ui/toast";
import { labelsOf, lineOf } from "./labels";
import { tell } from "./live";
import { titleOf } from "./model";

interface Props {
  agent: Agent;
  onClose: () => void;
}

export function EditAgentDialog({ agent, onClose }: Props) {
  const [name, setName] = useState(agent.displayName);
  const [line, setLine] = useState(lineOf(agent.labels));
  const parsed = labelsOf(line);
  const update = useMutation({
    mutationFn: () =>
      agents.updateAgent({
        agent: { name: agent.name, displayName: name.trim(), labels: parsed.labels, etag: agent.etag },
        updateMask: { paths: ["display_name", "labels"] },
      }),
    onSuccess: (changed) => {
      tell(changed);
      onClose();
    },
  });
  return (
    <Dialog title={`Edit ${titleOf(agent)}`} onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          update.mutate();
        }}
      >
        <label>
          Name for people
          <input maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />
        </label>
        <label>
          Labels
          <input
            spellCheck={false}
            value={line}
            aria-invalid={parsed.problem !== null}
            onChange={(event) => setLine(event.target.value)}
          />
          <small>{parsed.problem ?? "key=value, separated by spaces"}</small>
        </label>
        <Problem error={update.error} />
        <DialogFoot label="Save" disabled={update.isPending || parsed.problem !== null} onCancel={onClose} />
      </form>
    </Dialog>
  );
}

export function MaintenanceDialog({ agent, onClose }: Props) {
  const [reason, setReason] = useState("");
  const start = useMutation({
    mutationFn: () => agents.startMaintenance({ name: agent.name, reason: reason.trim() }),
    onSuccess: (changed) => {
      tell(changed);
      onClose();
    },
  });
  return (
    <Dialog title={`Take ${titleOf(agent)} out`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          start.mutate();
        }}
      >
        <p>It stays connected, and everybody sees who has taken it out and why.</p>
        <label>
          Why
          <input
            maxLength={500}
            placeholder="new disk"
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </label>
        <Problem error={start.error} />
        <DialogFoot label="Take out" disabled={start.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}

export function DeleteAgentDialog({ agent, onClose, onDeleted }: Props & { onDeleted: () => void }) {
  const remove = useMutation({
    mutationFn: () => agents.deleteAgent({ name: agent.name, etag: agent.etag }),
    onSuccess: () => {
      toast.done(`Removed ${titleOf(agent)}`);
      onDeleted();
    },
  });
  return (
    <Dialog title={`Remove ${titleOf(agent)}?`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          remove.mutate();
        }}
      >
        <p>
          Its key is good for nothing any more, and commands that wait for it fail. To come back,{" "}
          <code>{lastPart(agent.name)}</code> must join again.
        </p>
        <Problem error={remove.error} />
        <DialogFoot label="Remove" danger disabled={remove.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
