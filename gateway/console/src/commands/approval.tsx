// What a second person says to a command that waits for one, and who has said what.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { type Command, CommandApprovalState } from "../gen/weft/command/v1/command_pb";
import { CommandService } from "../gen/weft/command/v1/command_service_pb";
import { commands } from "../rpc/fleet";
import { may } from "../rpc/policy";
import { Problem } from "../ui/form";
import { ago, when } from "../ui/format";
import { Icon } from "../ui/icon";

export function Approval({ command, project }: { command: Command; project: string }) {
  const { approval } = command;
  const { principal } = useStore(session.store);
  if (!approval || approval.state === CommandApprovalState.UNSPECIFIED) return null;
  if (approval.state !== CommandApprovalState.WAITING) {
    const approved = approval.state === CommandApprovalState.APPROVED;
    return (
      <p className={`note ${approved ? "" : "note-warn"}`}>
        <Icon name={approved ? "check" : "close"} />
        <span>
          {approved ? "Approved" : "Rejected"}{" "}
          <span title={when(approval.decideTime)}>{ago(approval.decideTime)}</span> by{" "}
          <code>{approval.decider}</code>
          {approval.comment && `: ${approval.comment}`}
        </span>
      </p>
    );
  }
  const mayDecide = may(principal, CommandService.method.approveCommand, project);
  if (principal?.name === command.creator || !mayDecide) {
    return (
      <p className="note" role="status">
        <Icon name="alert" /> Waits for a second person to approve it.
      </p>
    );
  }
  return <Decide command={command} />;
}

function Decide({ command }: { command: Command }) {
  const [comment, setComment] = useState("");
  const decide = useMutation({
    mutationFn: (approved: boolean) => {
      const request = { name: command.name, comment: comment.trim() };
      return approved ? commands.approveCommand(request) : commands.rejectCommand(request);
    },
  });
  const isOver = decide.isPending || decide.isSuccess;
  return (
    <form
      className="form decide"
      aria-label="Approval"
      onSubmit={(event) => {
        event.preventDefault();
        decide.mutate(true);
      }}
    >
      <p>It waits for a second person. Is it to be done?</p>
      <label>
        Comment
        <textarea
          rows={2}
          maxLength={500}
          value={comment}
          onChange={(event) => setComment(event.target.value)}
        />
      </label>
      <Problem error={decide.error} />
      <div className="button-row">
        <button type="submit" className="button button-primary" disabled={isOver}>
          <Icon name="check" /> Approve
        </button>
        <button type="button" className="button" disabled={isOver} onClick={() => decide.mutate(false)}>
          <Icon name="close" /> Reject
        </button>
      </div>
    </form>
  );
}
