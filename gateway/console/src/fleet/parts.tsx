// The small things that every page of the fleet shows.
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import { count } from "../ui/format";
import { type Counts, reasonOf, STATES, type StateName, stateOf } from "./model";

/** A state is never told by its colour alone. */
const SHAPES: Record<StateName, string> = { online: "●", degraded: "▲", offline: "○", maintenance: "◆" };

export function State({ agent, withReason = false }: { agent: Agent; withReason?: boolean }) {
  const state = stateOf(agent);
  return (
    <span className="state" data-state={state} title={reasonOf(agent)}>
      <span aria-hidden="true">{SHAPES[state]}</span> {state}
      {withReason && state !== "online" && <small> {reasonOf(agent)}</small>}
    </span>
  );
}

/** How many there are in each state; a press shows only those. */
export function StateFilter({
  counts,
  chosen,
  onChange,
}: {
  counts: Counts;
  chosen: ReadonlySet<StateName>;
  onChange: (chosen: Set<StateName>) => void;
}) {
  const toggle = (state: StateName) => {
    const next = new Set(chosen);
    if (!next.delete(state)) next.add(state);
    onChange(next);
  };
  return (
    <fieldset className="states">
      <legend className="hidden-text">States to show</legend>
      {[...STATES].reverse().map((state) => (
        <button
          key={state}
          type="button"
          className="state-chip"
          data-state={state}
          data-none={counts[state] === 0}
          aria-pressed={chosen.has(state)}
          onClick={() => toggle(state)}
        >
          <span className="state" data-state={state} aria-hidden="true">
            {SHAPES[state]}
          </span>
          <strong>{count(counts[state])}</strong> {state}
        </button>
      ))}
    </fieldset>
  );
}

export function Labels({ labels }: { labels: Record<string, string> }) {
  return Object.entries(labels)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, value]) => (
      <span key={key} className="tag label-tag">
        {key}={value}
      </span>
    ));
}
