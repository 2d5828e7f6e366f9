// The switches for what is to come and what was not as usual, and what is set of it.
import { useEffect, useState } from "react";
import { AHEADS } from "./model";
import type { TelemetrySearch } from "./search";

interface Props {
  search: TelemetrySearch;
  /** Milliseconds that are in sight. */
  seen: number;
  set: (part: Partial<TelemetrySearch>) => void;
}

export function OutlookTools({ search, seen, set }: Props) {
  const { ahead, threshold, below = false } = search;
  const usual = AHEADS.findLast(([, millis]) => millis <= seen) ?? AHEADS[0];
  return (
    <div className="toolbar telemetry-tools" role="group" aria-label="Forecast and anomalies">
      <button
        type="button"
        className="button button-small"
        aria-pressed={ahead !== undefined}
        onClick={() =>
          set(
            ahead === undefined
              ? { ahead: usual[0] }
              : { ahead: undefined, threshold: undefined, below: undefined },
          )
        }
      >
        Forecast
      </button>
      {ahead !== undefined && (
        <>
          <select aria-label="Ahead" value={ahead} onChange={(event) => set({ ahead: event.target.value })}>
            {!AHEADS.some(([one]) => one === ahead) && <option value={ahead}>{ahead} ahead</option>}
            {AHEADS.map(([one]) => (
              <option key={one} value={one}>
                {one} ahead
              </option>
            ))}
          </select>
          <select
            aria-label="Side"
            value={below ? "below" : "above"}
            onChange={(event) => set({ below: event.target.value === "below" || undefined })}
          >
            <option value="above">rises to</option>
            <option value="below">falls to</option>
          </select>
          <Threshold threshold={threshold} onSet={(value) => set({ threshold: value })} />
        </>
      )}
      <button
        type="button"
        className="button button-small"
        aria-pressed={search.anomalies === true}
        onClick={() => set({ anomalies: search.anomalies ? undefined : true })}
      >
        Anomalies
      </button>
    </div>
  );
}

/** Asked for when it is complete, and not with each digit. */
function Threshold({
  threshold,
  onSet,
}: {
  threshold: number | undefined;
  onSet: (value: number | undefined) => void;
}) {
  const [text, setText] = useState("");
  useEffect(() => setText(threshold === undefined ? "" : String(threshold)), [threshold]);
  const done = () => {
    const value = text.trim() === "" ? undefined : Number(text);
    if (value !== threshold && (value === undefined || Number.isFinite(value))) onSet(value);
  };
  return (
    <input
      className="threshold"
      type="number"
      step="any"
      aria-label="Threshold"
      placeholder="Threshold"
      value={text}
      onChange={(event) => setText(event.target.value)}
      onBlur={done}
      onKeyDown={(event) => event.key === "Enter" && done()}
    />
  );
}
