// The form of a layout's parameters: a row for each, made from the table of them.
import { useEffect, useId, useRef, useState } from "react";
import { useStoreValue } from "../app/store";
import { count } from "../ui/format";
import { Icon } from "../ui/icon";
import {
  type ChoiceRow,
  FORCES,
  type ForceRow,
  type NumberRow,
  pathOf,
  positionOf,
  SLIDER_STEPS,
  valueAt,
} from "./forces";
import type { LiveGraph } from "./live";

/** After this a hand has come to rest; the layout need not follow every step of it. */
const HELD_MS = 120;

export default function ForcesPanel({ live }: { live: LiveGraph }) {
  const parameters = useStoreValue(live.state, (state) => state.layout?.parameters);
  const valueIn = (row: ForceRow) => parameters?.[row.field] ?? row.initial;
  const changed = FORCES.some((row) => valueIn(row) !== row.initial);
  return (
    <div className="forces">
      {FORCES.map((row) =>
        row.kind === "number" ? (
          <NumberForce key={row.field} live={live} row={row} value={Number(valueIn(row))} />
        ) : (
          <ChoiceForce key={row.field} live={live} row={row} value={valueIn(row)} />
        ),
      )}
      <div className="forces-foot">
        <button
          type="button"
          className="button button-small"
          disabled={!changed}
          onClick={() => live.tune({}, ["parameters"])}
        >
          All defaults
        </button>
        <button
          type="button"
          className="button button-small"
          title="Forget all places, and begin from a new one"
          onClick={() => live.command("restart")}
        >
          Place anew
        </button>
      </div>
    </div>
  );
}

function Reset({
  live,
  row,
  changed,
  words,
}: {
  live: LiveGraph;
  row: ForceRow;
  changed: boolean;
  words: string;
}) {
  return (
    <button
      type="button"
      className="icon-button force-reset"
      aria-label={`${row.label}: default, ${words}`}
      title={`Default: ${words}`}
      disabled={!changed}
      onClick={() => live.tune({}, [pathOf(row.field)])}
    >
      <Icon name="undo" size={13} />
    </button>
  );
}

function NumberForce({ live, row, value }: { live: LiveGraph; row: NumberRow; value: number }) {
  const id = useId();
  // While the hand is on it the form shows the hand, not what the mesh says back.
  const [held, setHeld] = useState<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const waiting = useRef<(() => void) | null>(null);
  const send = () => {
    clearTimeout(timer.current);
    waiting.current?.();
    waiting.current = null;
  };
  // What the hand has left is sent, also when the form closes before it has come to rest.
  useEffect(() => send, []);
  const text = held ?? String(value);
  const number = text.trim() === "" ? Number.NaN : Number(text);
  const bad = !(number >= row.low && number <= row.high);
  const change = (next: string) => {
    setHeld(next);
    clearTimeout(timer.current);
    waiting.current = null;
    const wanted = next.trim() === "" ? Number.NaN : Number(next);
    if (!(wanted >= row.low && wanted <= row.high)) return;
    waiting.current = () =>
      void live
        .tune({ [row.field]: wanted }, [pathOf(row.field)])
        .then(() => setHeld((now) => (now === next ? null : now)));
    timer.current = setTimeout(send, HELD_MS);
  };
  return (
    <div className="force" title={row.hint}>
      <div className="force-head">
        <label htmlFor={id}>{row.label}</label>
        <input
          id={id}
          type="number"
          min={row.low}
          max={row.high}
          step="any"
          value={text}
          aria-invalid={bad}
          aria-describedby={`${id}-about`}
          onChange={(event) => change(event.target.value)}
          onBlur={() => bad && setHeld(null)}
        />
        <Reset live={live} row={row} changed={value !== row.initial} words={String(row.initial)} />
      </div>
      <input
        type="range"
        min={0}
        max={SLIDER_STEPS}
        value={positionOf(row, bad ? value : number)}
        aria-label={row.label}
        aria-valuetext={`${text} ${row.unit}`}
        onChange={(event) => change(String(valueAt(row, Number(event.target.value))))}
      />
      <small id={`${id}-about`} className={bad ? "field-bad" : undefined}>
        {bad ? `From ${row.low} to ${count(row.high)}` : `${row.unit}, ${row.low} to ${count(row.high)}`}
      </small>
    </div>
  );
}

function ChoiceForce({ live, row, value }: { live: LiveGraph; row: ChoiceRow; value: boolean | number }) {
  const id = useId();
  const words = (of: boolean | number) => row.choices.find(([one]) => one === of)?.[1] ?? String(of);
  return (
    <div className="force">
      <div className="force-head">
        <label htmlFor={id}>{row.label}</label>
        <select
          id={id}
          aria-describedby={`${id}-about`}
          value={String(value)}
          onChange={(event) => {
            const chosen = row.choices.find(([one]) => String(one) === event.target.value);
            if (chosen) void live.tune({ [row.field]: chosen[0] }, [pathOf(row.field)]);
          }}
        >
          {row.choices.map(([one, name]) => (
            <option key={name} value={String(one)}>
              {name}
            </option>
          ))}
        </select>
        <Reset live={live} row={row} changed={value !== row.initial} words={words(row.initial)} />
      </div>
      <small id={`${id}-about`}>{row.hint}</small>
    </div>
  );
}
