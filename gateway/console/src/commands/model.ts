// Commands without a page: what their states are called, how far one is, and what
// an agent has written, put together from pieces.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Command,
  CommandPriority,
  CommandState,
  OutputStream,
  type Target,
} from "../gen/weft/command/v1/command_pb";
import type { OutputPiece } from "../gen/weft/command/v1/command_service_pb";
import { lastPart } from "../ui/format";

export type StateName = "pending" | "executing" | "completed" | "failed" | "cancelled";
export const STATES: readonly StateName[] = ["pending", "executing", "completed", "failed", "cancelled"];

const NAMES: Partial<Record<CommandState, StateName>> = {
  [CommandState.EXECUTING]: "executing",
  [CommandState.COMPLETED]: "completed",
  [CommandState.FAILED]: "failed",
  [CommandState.CANCELLED]: "cancelled",
};

export function stateName(state: CommandState): StateName {
  return NAMES[state] ?? "pending";
}

export const PRIORITIES: readonly [CommandPriority, string][] = [
  [CommandPriority.HIGH, "high"],
  [CommandPriority.NORMAL, "normal"],
  [CommandPriority.LOW, "low"],
];

export function hasEnded(of: Command | Target): boolean {
  return [CommandState.COMPLETED, CommandState.FAILED, CommandState.CANCELLED].includes(of.state);
}

/** Whether it has ended, and not well everywhere. */
export function canRetry(command: Command): boolean {
  return hasEnded(command) && command.failedCount + command.cancelledCount > 0;
}

export function titleOf(command: Command): string {
  return command.displayName || `${lastPart(command.commandType)} ${lastPart(command.name)}`;
}

/** Whom it is for, in a line. */
export function audience(command: Command): string {
  if (command.agentFilter) return command.agentFilter;
  const names = command.agents.map(lastPart);
  const more = command.targetCount - names.length;
  return (
    names.slice(0, 3).join(", ") +
    (names.length > 3 || more > 0 ? ` and ${command.targetCount - Math.min(3, names.length)} more` : "")
  );
}

/** Targets by how they stand, in the order in which a bar shows them; those without are left out. */
export function parts(command: Command): { state: StateName; count: number }[] {
  const counts: Record<StateName, number> = {
    completed: command.completedCount,
    failed: command.failedCount,
    cancelled: command.cancelledCount,
    executing: command.executingCount,
    pending: command.pendingCount,
  };
  return Object.entries(counts)
    .map(([state, count]) => ({ state: state as StateName, count }))
    .filter((part) => part.count > 0);
}

/** From when to when, in milliseconds; undefined before it has begun. */
export function tookMs(of: Command | Target, now = Date.now()): number | undefined {
  const start = "startTime" in of ? of.startTime : of.createTime;
  if (!start) return undefined;
  return Math.max(0, (of.endTime ? timestampMs(of.endTime) : now) - timestampMs(start));
}

/** What a target has written: of the highest delivery, as that is the whole. */
export class Output {
  private delivery = -1;
  private readonly decoders = new Map<OutputStream, TextDecoder>();
  private pieces: { stream: "out" | "err"; text: string }[] = [];
  private length = 0;

  /** Texts that are shown at most: what is before is cut off. */
  constructor(private readonly most = 400_000) {}

  add(piece: OutputPiece): void {
    if (piece.delivery < this.delivery) return;
    if (piece.delivery > this.delivery) {
      this.delivery = piece.delivery;
      this.decoders.clear();
      this.pieces = [];
      this.length = 0;
    }
    let decoder = this.decoders.get(piece.stream);
    if (!decoder) {
      decoder = new TextDecoder();
      this.decoders.set(piece.stream, decoder);
    }
    // A letter may be in two pieces.
    const text = decoder.decode(piece.data, { stream: true });
    if (text === "") return;
    const stream = piece.stream === OutputStream.STDERR ? "err" : "out";
    const last = this.pieces[this.pieces.length - 1];
    if (last?.stream === stream && last.text.length < 16_384) last.text += text;
    else this.pieces.push({ stream, text });
    this.length += text.length;
    while (this.length > this.most && this.pieces.length > 1) {
      this.length -= this.pieces.shift()?.text.length ?? 0;
    }
  }

  runs(): readonly { stream: "out" | "err"; text: string }[] {
    return this.pieces.map((piece) => ({ ...piece }));
  }
}
