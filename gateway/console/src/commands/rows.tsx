// Commands in a list: each with its state, how many agents have done it, who asked and when.
import { Link } from "@tanstack/react-router";
import { type Command, CommandApprovalState, type Target } from "../gen/weft/command/v1/command_pb";
import { ago, count, duration, lastPart, when } from "../ui/format";
import { audience, parts, type StateName, stateName, titleOf, tookMs } from "./model";

/** A state is never told by its colour alone. */
const SHAPES: Record<StateName, string> = {
  pending: "○",
  executing: "◐",
  completed: "●",
  failed: "▲",
  cancelled: "◇",
};

export function CommandStateName({ of }: { of: Command | Target }) {
  const state = stateName(of.state);
  return (
    <span className="state" data-state={state}>
      <span aria-hidden="true">{SHAPES[state]}</span> {state}
    </span>
  );
}

/** How its targets stand, as a bar. */
export function Share({ command }: { command: Command }) {
  const found = parts(command);
  const told = found.map((part) => `${count(part.count)} ${part.state}`).join(", ");
  return (
    <span className="share" role="img" aria-label={told} title={told}>
      {found.map((part) => (
        <span key={part.state} data-state={part.state} style={{ flexGrow: part.count }} />
      ))}
    </span>
  );
}

export const COLUMNS = ["Command", "State", "Agents", "Took", "Asked"] as const;

export function CommandCells({ command, project }: { command: Command; project: string }) {
  const took = tookMs(command);
  return (
    <>
      <div role="cell">
        <Link
          to="/commands/$project/$command"
          params={{ project, command: lastPart(command.name) }}
          className="row-link"
        >
          {titleOf(command)}
        </Link>
        <small>{audience(command)}</small>
      </div>
      <div role="cell">
        <CommandStateName of={command} />
        {command.approval?.state === CommandApprovalState.WAITING && <small>for approval</small>}
      </div>
      <div role="cell">
        <Share command={command} />
        <small>
          {count(command.completedCount)} of {count(command.targetCount)}
        </small>
      </div>
      <div role="cell">{command.endTime && took !== undefined ? duration(took) : ""}</div>
      <div role="cell" title={when(command.createTime)}>
        {ago(command.createTime)}
        <small>{lastPart(command.creator)}</small>
      </div>
    </>
  );
}

/** A few of them, on another page. */
export function CommandRows({ commands, project }: { commands: readonly Command[]; project: string }) {
  return (
    <div className="table commands-table commands-few" role="table" aria-label="Commands">
      <div className="table-head" role="row">
        {COLUMNS.map((label) => (
          <div key={label} role="columnheader">
            {label}
          </div>
        ))}
      </div>
      <div role="rowgroup">
        {commands.map((command) => (
          <div key={command.name} role="row" className="table-row table-row-link">
            <CommandCells command={command} project={project} />
          </div>
        ))}
      </div>
    </div>
  );
}
