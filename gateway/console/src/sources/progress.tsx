// How a refresh stands: its state as a mark and a word, and how far it is while
// it runs.
import { type Refresh, RefreshState } from "../gen/weft/graph/v1/source_pb";
import { Icon, type IconName } from "../ui/icon";
import { progressOf, STATES } from "./refreshes";

const ICONS: Partial<Record<RefreshState, IconName>> = {
  [RefreshState.SUCCEEDED]: "check",
  [RefreshState.FAILED]: "alert",
  [RefreshState.CANCELLED]: "stop",
  [RefreshState.INTERRUPTED]: "alert",
};

export function StateMark({ state }: { state: RefreshState }) {
  const icon = ICONS[state];
  return (
    <span className="state-mark" data-state={STATES[state]}>
      {icon ? <Icon name={icon} size={14} /> : <span className="state-dot" aria-hidden="true" />}
      {STATES[state]}
    </span>
  );
}

export function RefreshProgress({ refresh, brief = false }: { refresh: Refresh; brief?: boolean }) {
  const { phase, share, facts } = progressOf(refresh);
  return (
    <div className="refresh-progress">
      <progress max={1} value={share} aria-label={phase} />
      <span>{phase}…</span>
      {brief ? <small>{facts[0]}</small> : <small className="refresh-facts">{facts.join(" · ")}</small>}
    </div>
  );
}
