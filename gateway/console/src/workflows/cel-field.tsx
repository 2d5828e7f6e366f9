// A place to write an expression, or a text with `${…}` in it, with what can come next.
import { useEffect, useId, useRef, useState } from "react";
import { complete, type Offer, placeOf } from "./scope";

interface Props {
  label: string;
  id: string;
  value: string;
  onChange: (value: string) => void;
  offers: readonly Offer[];
  /** The whole is an expression, and not only what is in `${…}`. */
  everywhere: boolean;
  rows?: number;
  required?: boolean;
  invalid?: boolean;
  describedBy?: string;
  readOnly?: boolean;
}

export function CelField(props: Props) {
  const { label, id, value, onChange, offers, everywhere, rows = 1 } = props;
  const [caret, setCaret] = useState(0);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const box = useRef<HTMLTextAreaElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const listId = useId();
  const place = open ? placeOf(value, caret, everywhere) : undefined;
  const found = place ? complete(offers, place) : [];
  const at = Math.min(active, found.length - 1);
  useEffect(() => {
    list.current?.querySelector(`[data-at="${at}"]`)?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const take = (offer: Offer) => {
    if (!place) return;
    const end = place.from + offer.text.length;
    onChange(value.slice(0, place.from) + offer.text + value.slice(caret));
    setCaret(end);
    setActive(0);
    // What was taken may go on: `input` with `input.prices`.
    setOpen(offers.some((one) => one.text.startsWith(`${offer.text}.`)));
    const field = box.current;
    field?.focus();
    requestAnimationFrame(() => field?.setSelectionRange(end, end));
  };
  return (
    <div className="cel-field">
      <textarea
        ref={box}
        id={id}
        rows={rows}
        className="code-field"
        aria-label={label}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-activedescendant={found.length > 0 ? `${listId}-${at}` : undefined}
        aria-invalid={props.invalid}
        aria-describedby={props.describedBy}
        aria-required={props.required}
        readOnly={props.readOnly}
        spellCheck={false}
        autoComplete="off"
        value={value}
        onChange={(event) => {
          onChange(event.target.value);
          setCaret(event.target.selectionStart);
          setOpen(true);
          setActive(0);
        }}
        onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
        onFocus={() => setOpen(everywhere && value === "")}
        onBlur={() => setOpen(false)}
        onKeyDown={(event) => {
          if (event.key === " " && event.ctrlKey) {
            setCaret(event.currentTarget.selectionStart);
            setOpen(true);
          } else if (found.length === 0) return;
          else if (event.key === "ArrowDown") setActive((at + 1) % found.length);
          else if (event.key === "ArrowUp") setActive((at - 1 + found.length) % found.length);
          else if (event.key === "Enter" || event.key === "Tab") take(found[at]);
          else if (event.key === "Escape") {
            event.stopPropagation();
            setOpen(false);
          } else return;
          event.preventDefault();
        }}
      />
      <div
        className="query-offers cel-offers"
        role="listbox"
        id={listId}
        aria-label="What can come next"
        ref={list}
        hidden={found.length === 0}
      >
        {found.map((one, row) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the combobox
          <div
            key={one.text}
            id={`${listId}-${row}`}
            data-at={row}
            role="option"
            tabIndex={-1}
            aria-selected={row === at}
            // The box keeps the focus.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(one)}
          >
            <span>{one.text}</span>
            <small>{one.about}</small>
          </div>
        ))}
      </div>
    </div>
  );
}
