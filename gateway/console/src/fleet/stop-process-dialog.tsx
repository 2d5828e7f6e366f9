// Ends one process of a host, once a person has seen which.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import type { Process } from "../gen/weft/agent/v1/host_pb";
import { StopOutcome } from "../gen/weft/agent/v1/host_service_pb";
import { hosts } from "../rpc/fleet";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { when } from "../ui/format";
import { toast } from "../ui/toast";
import { titleOf } from "./model";

const TOLD: Record<StopOutcome, string> = {
  [StopOutcome.UNSPECIFIED]: "is gone",
  [StopOutcome.ENDED]: "has ended",
  [StopOutcome.KILLED]: "was ended by force",
  [StopOutcome.GONE]: "was gone already",
};

interface Props {
  agent: Agent;
  process: Process;
  onClose: () => void;
  onStopped: () => void;
}

export function StopProcessDialog({ agent, process, onClose, onStopped }: Props) {
  const [force, setForce] = useState(false);
  const stop = useMutation({
    mutationFn: () =>
      hosts.stopProcess({
        name: agent.name,
        processId: process.processId,
        startTime: process.startTime,
        gracePeriod: { seconds: force ? 0n : 5n, nanos: 0 },
      }),
    onSuccess: ({ outcome }) => {
      toast.done(`${process.name} ${TOLD[outcome] ?? "is gone"}`);
      onStopped();
      onClose();
    },
  });
  return (
    <Dialog title={`Stop ${process.name}?`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          stop.mutate();
        }}
      >
        <p>
          Process {String(process.processId)} of {process.user} on {titleOf(agent)}, begun{" "}
          {when(process.startTime)}. It is asked to end, and ended by force if it has not after 5 seconds.
        </p>
        {process.commandLine && (
          <p className="command-line">
            <code>{process.commandLine}</code>
          </p>
        )}
        <label className="check">
          <input type="checkbox" checked={force} onChange={(event) => setForce(event.target.checked)} /> By
          force at once
        </label>
        <Problem error={stop.error} />
        <DialogFoot label="Stop" danger disabled={stop.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
