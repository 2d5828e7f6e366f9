// The box in which PromQL is written, with what can come next: metrics,
// functions, labels and their values, as the mesh knows them.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { telemetry } from "../rpc/telemetry";
import { AGGREGATIONS, complete, FUNCTIONS, matching, placeOf } from "./promql";

interface Props {
  project: string;
  query: string;
  metrics: readonly string[];
  onRun: (query: string) => void;
}

/** Offered at once. */
const MOST = 30;

export function QueryBox({ project, query, metrics, onRun }: Props) {
  const [text, setText] = useState(query);
  const [caret, setCaret] = useState(query.length);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => setText(query), [query]);

  const place = placeOf(text, caret);
  const labels = useQuery({
    queryKey: ["label-values", project, place.kind, place.metric, place.label],
    queryFn: ({ signal }) =>
      telemetry.listLabelValues(
        { parent: `projects/${project}`, label: place.label, selector: place.metric, pageSize: 1_000 },
        { signal },
      ),
    enabled: open && place.kind !== "name",
    staleTime: 30_000,
  });
  const known =
    place.kind === "name"
      ? [...metrics, ...FUNCTIONS, ...AGGREGATIONS]
      : (labels.data?.values ?? []).filter((one) => place.kind === "value" || one !== "__name__");
  const offered = open ? matching(known, place.typed, MOST).filter((one) => one !== place.typed) : [];
  const at = Math.min(active, offered.length - 1);
  useEffect(() => {
    list.current?.querySelector(`[data-at="${at}"]`)?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const take = (chosen: string) => {
    const [next, end] = complete(text, caret, place, chosen);
    setText(next);
    setCaret(end);
    setActive(-1);
    const box = input.current;
    box?.focus();
    requestAnimationFrame(() => box?.setSelectionRange(end, end));
  };
  const run = () => {
    setOpen(false);
    onRun(text.trim());
  };
  return (
    <div className="query-box">
      <input
        ref={input}
        className="query-input"
        role="combobox"
        aria-label="Query"
        aria-expanded={offered.length > 0}
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
        placeholder="A metric, or PromQL: rate(host_network_received_bytes_total[1m])"
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setCaret(event.target.selectionStart ?? event.target.value.length);
          setOpen(true);
          setActive(-1);
        }}
        onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? 0)}
        onFocus={() => setOpen(text === "")}
        onBlur={() => setOpen(false)}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") {
            if (open) setActive(Math.min(at + 1, offered.length - 1));
            else setOpen(true);
          } else if (event.key === "ArrowUp") setActive(Math.max(at - 1, -1));
          else if (event.key === "Tab" && at >= 0) take(offered[at]);
          else if (event.key === "Enter") {
            if (at >= 0) take(offered[at]);
            else run();
          } else if (event.key === "Escape" && open) setOpen(false);
          else return;
          event.preventDefault();
        }}
      />
      <button type="button" className="button button-primary" onClick={run}>
        Show
      </button>
      <div
        className="query-offers"
        role="listbox"
        id={id}
        aria-label="What can come next"
        ref={list}
        hidden={offered.length === 0}
      >
        {offered.map((one, row) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the combobox
          <div
            key={one}
            id={`${id}-${row}`}
            data-at={row}
            role="option"
            tabIndex={-1}
            aria-selected={row === at}
            // The box keeps the focus.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(one)}
          >
            {one}
          </div>
        ))}
      </div>
    </div>
  );
}
