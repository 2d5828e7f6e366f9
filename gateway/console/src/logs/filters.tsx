// The parts of the bar above logs and traces: the time, words of one's own, and
// attributes as chips.
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Icon } from "../ui/icon";
import { MOST_PAIRS, typedPair, withoutPair, withPair } from "./pairs";
import { DEFAULT_LAST, inputOf, LASTS, lastText, ofInput, stays, type WhenSearch } from "./when";

/** How long after the last letter what was typed is looked for. */
const WAIT_MILLISECONDS = 350;
const HOUR = 3_600_000;

interface TextProps {
  label: string;
  placeholder?: string;
  value: string;
  /** Told when somebody stops to type, and at once for Enter and when the field is left. */
  onChange: (value: string) => void;
  /** Values that are offered. */
  offers?: readonly string[];
  /** What is no value of this field is marked, and not told. */
  isValid?: (value: string) => boolean;
  type?: "search" | "text";
}

/** A field that is looked for as it is typed, and whose letters nothing takes away meanwhile. */
export function TextField(props: TextProps) {
  const { label, placeholder, value, onChange, offers, isValid, type = "text" } = props;
  const [typed, setTyped] = useState(value);
  const told = useRef(value);
  const listId = useId();
  const valid = typed === "" || !isValid || isValid(typed);
  useEffect(() => {
    // Somebody else has changed it: a chip, or the way back.
    if (value === told.current) return;
    told.current = value;
    setTyped(value);
  }, [value]);
  const tell = () => {
    if (!valid || typed === told.current) return;
    told.current = typed;
    onChange(typed);
  };
  const latest = useRef(tell);
  latest.current = tell;
  // Each letter begins the wait anew.
  useEffect(() => {
    const timer = setTimeout(() => latest.current(), WAIT_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <>
      <input
        type={type}
        aria-label={label}
        aria-invalid={!valid || undefined}
        placeholder={placeholder ?? label}
        list={offers && listId}
        spellCheck={false}
        autoComplete="off"
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={tell}
        onKeyDown={(event) => {
          if (event.key === "Enter") tell();
        }}
      />
      {offers && (
        <datalist id={listId}>
          {offers.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </>
  );
}

interface WhenProps {
  when: WhenSearch;
  /** `replace` while somebody sets a time bit by bit. */
  onChange: (when: WhenSearch, replace: boolean) => void;
}

export function WhenPicker({ when, onChange }: WhenProps) {
  const own = stays(when);
  const set = (part: WhenSearch, replace = true) =>
    onChange({ last: undefined, from: when.from, to: when.to, ...part }, replace);
  return (
    <>
      <label className="inline-field">
        <span className="hidden-text">Time</span>
        <select
          aria-label="Time"
          value={own ? "own" : (when.last ?? DEFAULT_LAST)}
          onChange={({ target: { value } }) => {
            const now = Math.floor(Date.now() / 1_000) * 1_000;
            if (value === "own") set({ from: now - HOUR, to: now }, false);
            else
              onChange(
                { last: value === DEFAULT_LAST ? undefined : value, from: undefined, to: undefined },
                false,
              );
          }}
        >
          {LASTS.map((last) => (
            <option key={last} value={last}>
              {lastText(last)}
            </option>
          ))}
          <option value="own">from … to …</option>
        </select>
      </label>
      {own && (
        <span className="when-own">
          <TimeField label="From" value={when.from} onChange={(from) => set({ from })} />
          <span aria-hidden="true">–</span>
          <TimeField label="To" value={when.to} onChange={(to) => set({ to })} />
        </span>
      )}
    </>
  );
}

interface TimeFieldProps {
  label: string;
  value: number | undefined;
  onChange: (value: number | undefined) => void;
}

function TimeField({ label, value, onChange }: TimeFieldProps) {
  const text = value === undefined ? "" : inputOf(value);
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  return (
    <input
      type="datetime-local"
      step={1}
      aria-label={label}
      value={typed}
      onChange={(event) => {
        setTyped(event.target.value);
        // While a part of it is missing there is no time yet.
        const at = ofInput(event.target.value);
        if (at !== undefined) onChange(at);
      }}
    />
  );
}

interface ChipsProps {
  pairs: readonly string[] | undefined;
  onChange: (pairs: string[] | undefined) => void;
  /** What else may be typed in the field; says whether it was that. */
  onOther?: (text: string) => boolean;
  placeholder?: string;
  /** Chips of other kinds. */
  children?: ReactNode;
}

export function Chips({ pairs, onChange, onOther, placeholder = "key=value", children }: ChipsProps) {
  const [typed, setTyped] = useState("");
  const [wrong, setWrong] = useState(false);
  const add = () => {
    const text = typed.trim();
    if (!text) return;
    const pair = typedPair(text);
    if (!onOther?.(text)) {
      if (!pair) return setWrong(true);
      onChange(withPair(pairs, pair));
    }
    setTyped("");
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Enter") add();
    else if (event.key === "Backspace" && typed === "" && pairs)
      onChange(withoutPair(pairs, pairs[pairs.length - 1]));
    else return;
    event.preventDefault();
  };
  return (
    <div className="chips" role="group" aria-label="Filters">
      {children}
      {pairs?.map((pair) => (
        <Chip key={pair} label={pair} onRemove={() => onChange(withoutPair(pairs, pair))} />
      ))}
      {(pairs?.length ?? 0) < MOST_PAIRS && (
        <input
          className="chip-input"
          aria-label="Add a filter"
          aria-invalid={wrong || undefined}
          placeholder={placeholder}
          spellCheck={false}
          autoComplete="off"
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value);
            setWrong(false);
          }}
          onKeyDown={keys}
          onBlur={() => typedPair(typed.trim()) && add()}
        />
      )}
    </div>
  );
}

export function Chip({ label, onRemove }: { label: string; onRemove: () => void }) {
  return (
    <span className="chip">
      <code>{label}</code>
      <button type="button" aria-label={`Remove ${label}`} onClick={onRemove}>
        <Icon name="close" size={12} />
      </button>
    </span>
  );
}
