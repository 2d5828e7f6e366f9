// What is looked for in the logs, and how many there are.
import { useMemo } from "react";
import { count } from "../ui/format";
import { Icon } from "../ui/icon";
import { Chip, Chips, TextField, WhenPicker } from "./filters";
import type { Entry } from "./model";
import { isTraceId } from "./pairs";
import type { LogsSearch } from "./search";
import { SEVERITIES, type SeverityName } from "./severity";

interface Props {
  search: LogsSearch;
  entries: readonly Entry[];
  hasMore: boolean;
  isFetching: boolean;
  live: { paused: boolean; onPause: (paused: boolean) => void } | null;
  set: (part: Partial<LogsSearch>, replace?: boolean) => unknown;
  onLive: (on: boolean) => void;
  onAgain: () => void;
}

export function LogToolbar({ search, entries, hasMore, isFetching, live, set, onLive, onAgain }: Props) {
  const services = useMemo(() => servicesOf(entries), [entries]);
  return (
    <>
      <div className="toolbar logs-toolbar">
        <div className="search-field logs-search">
          <Icon name="search" />
          <TextField
            type="search"
            label="Search logs"
            placeholder={'words  "a phrase"  begin*  -without'}
            value={search.q ?? ""}
            onChange={(q) => set({ q: q || undefined }, true)}
          />
          <kbd>/</kbd>
        </div>
        <label className="inline-field">
          <span className="hidden-text">Severity</span>
          <select
            aria-label="Severity"
            value={search.severity ?? ""}
            onChange={(event) =>
              set({ severity: (event.target.value || undefined) as SeverityName | undefined })
            }
          >
            <option value="">any severity</option>
            {SEVERITIES.map((name, at) => (
              <option key={name} value={name}>
                {at === SEVERITIES.length - 1 ? name : `${name} or worse`}
              </option>
            ))}
          </select>
        </label>
        <span className="logs-service-field">
          <TextField
            label="Service"
            value={search.service ?? ""}
            offers={services}
            onChange={(service) => set({ service: service || undefined })}
          />
        </span>
        <WhenPicker
          when={search}
          onChange={(when, replace) => set({ ...when, live: live && !when.to ? true : undefined }, replace)}
        />
        <button
          type="button"
          role="switch"
          className="button live-switch"
          aria-checked={live !== null}
          onClick={() => onLive(live === null)}
        >
          <span className="live-dot" aria-hidden="true" /> Live
        </button>
        {live && (
          <button
            type="button"
            className="button"
            aria-pressed={live.paused}
            onClick={() => live.onPause(!live.paused)}
          >
            <Icon name={live.paused ? "play" : "pause"} /> {live.paused ? "Go on" : "Pause"}
          </button>
        )}
        <button
          type="button"
          className="icon-button"
          aria-label="Search again"
          title="Search again"
          onClick={onAgain}
        >
          <Icon name="refresh" />
        </button>
      </div>
      <div className="toolbar logs-chips">
        <Chips
          pairs={search.attr}
          placeholder="key=value, or a trace id"
          onChange={(attr) => set({ attr })}
          onOther={(text) => {
            const trace = text.replace(/^trace(_id)?=/, "").toLowerCase();
            if (!isTraceId(trace)) return false;
            set({ trace });
            return true;
          }}
        >
          {search.trace && (
            <Chip label={`trace=${search.trace}`} onRemove={() => set({ trace: undefined })} />
          )}
        </Chips>
        <span className="toolbar-count" role="status">
          {`${count(entries.length)}${hasMore ? "+" : ""}`}
          {isFetching && " · looking"}
        </span>
      </div>
    </>
  );
}

/** Services that have said something of what is loaded. */
function servicesOf(entries: readonly Entry[]): string[] {
  const found = new Set(entries.map(({ record }) => record.origin?.serviceName ?? ""));
  return [...found].filter(Boolean).sort();
}
