// The part of a trigger's form that is about times, with the next ones as they would be.
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@tanstack/react-query";
import { useId } from "react";
import { useDebounced } from "../graph/search";
import { describe, violations } from "../rpc/errors";
import { triggers } from "../rpc/triggers";
import { Icon } from "../ui/icon";
import { Spinner } from "../ui/states";
import {
  isWrongAt,
  type ScheduleDraft,
  scheduleOf,
  type Times,
  type Wrongs,
  wrongAt,
  wrongsOf,
} from "./draft";
import { ChoiceField, TextField } from "./fields";
import { OVERLAPS } from "./model";
import { TickList } from "./ticks";

const KINDS: readonly (readonly [Times, string])[] = [
  ["cron", "By the calendar"],
  ["every", "Again and again"],
  ["at", "At some times"],
];

function zones(): string[] {
  return ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];
}

/** The next times of what is typed, or what is wrong with it. */
function usePreview(project: string, draft: ScheduleDraft, since: Timestamp | undefined) {
  const { schedule, wrong } = scheduleOf(draft);
  const typed = JSON.stringify(draft);
  const asked = useDebounced(typed, 250);
  const preview = useQuery({
    queryKey: ["preview-schedule", project, asked, String(since?.seconds)],
    queryFn: ({ signal }) => {
      const { schedule: wanted } = scheduleOf(JSON.parse(asked) as ScheduleDraft);
      // An interval is counted from when its trigger was created, which the mesh cannot know here.
      const isCounted = wanted.interval && !wanted.startTime && since;
      const asSaved = isCounted ? { ...wanted, startTime: since } : wanted;
      return triggers.previewSchedule({ parent: `projects/${project}`, schedule: asSaved }, { signal });
    },
    enabled: wrong.size === 0 && (schedule.cron !== "" || draft.times !== "cron"),
    // What is typed is mostly wrong for a while: it is not asked again.
    retry: false,
    placeholderData: (before) => before,
    staleTime: 0,
  });
  return { preview, wrong, isLate: preview.isPlaceholderData || asked !== typed };
}

/** What stands where it is only seen when it is opened. */
const MORE = ["schedule.catchup_window", "schedule.jitter", "schedule.start_time", "schedule.end_time"];

interface Props {
  project: string;
  draft: ScheduleDraft;
  /** When the trigger was created, if it is there. */
  since?: Timestamp;
  /** What was refused. */
  wrongs: Wrongs;
  onChange: (draft: ScheduleDraft) => void;
}

export function ScheduleFields({ project, draft, since, wrongs: refused, onChange }: Props) {
  const name = useId();
  const list = useId();
  const set = (part: Partial<ScheduleDraft>) => onChange({ ...draft, ...part });
  const { preview, wrong, isLate } = usePreview(project, draft, since);
  const found = wrongsOf(violations(preview.error));
  // What is typed now counts more than what was refused before.
  const isGood = preview.isSuccess && !isLate;
  const before = [...refused].filter(([field]) => !(isGood && field.startsWith("schedule.")));
  const wrongs: Wrongs = new Map([...before, ...(preview.isError ? found : []), ...wrong]);
  const put = (row: number, time: string) =>
    set({ at: draft.at.map((one, at) => (at === row ? time : one)) });
  const rows = draft.at.length > 0 ? draft.at : [""];
  const noTimes = wrongAt(wrongs, "schedule.ticks");
  return (
    <>
      <fieldset className="segments segments-small">
        <legend className="hidden-text">When</legend>
        {KINDS.map(([times, text]) => (
          <label key={times} className="segment" data-active={draft.times === times}>
            <input type="radio" name={name} checked={draft.times === times} onChange={() => set({ times })} />
            {text}
          </label>
        ))}
      </fieldset>
      {draft.times === "cron" && (
        <div className="form-row">
          <TextField
            label="Cron"
            path="schedule.cron"
            wrongs={wrongs}
            code
            maxLength={100}
            hint="minute, hour, day, month, day of the week"
            value={draft.cron}
            onChange={(cron) => set({ cron })}
          />
          <TextField
            label="Time zone"
            path="schedule.time_zone"
            wrongs={wrongs}
            list={list}
            placeholder="UTC"
            value={draft.zone}
            onChange={(zone) => set({ zone })}
          />
          <datalist id={list}>
            {zones().map((zone) => (
              <option key={zone}>{zone}</option>
            ))}
          </datalist>
        </div>
      )}
      {draft.times === "every" && (
        <TextField
          label="Every"
          path="schedule.interval"
          wrongs={wrongs}
          hint="30s, 5m, 2h, 1d; a second to a year"
          value={draft.every}
          onChange={(every) => set({ every })}
        />
      )}
      {draft.times === "at" && (
        <fieldset className="form-field">
          <legend>Times, on your clock</legend>
          {rows.map((time, row) => (
            <span key={row} className="time-row">
              <input
                type="datetime-local"
                step="any"
                aria-label={`Time ${row + 1}`}
                value={time}
                onChange={(event) =>
                  draft.at.length === 0 ? set({ at: [event.target.value] }) : put(row, event.target.value)
                }
              />
              <button
                type="button"
                className="icon-button"
                aria-label={`Remove time ${row + 1}`}
                disabled={rows.length === 1}
                onClick={() => set({ at: draft.at.filter((_, at) => at !== row) })}
              >
                <Icon name="trash" />
              </button>
            </span>
          ))}
          {noTimes && (
            <p className="field-error" role="alert">
              {noTimes}
            </p>
          )}
          <button
            type="button"
            className="button button-small"
            disabled={rows.length >= 100}
            onClick={() => set({ at: [...rows, ""] })}
          >
            <Icon name="plus" /> Another time
          </button>
        </fieldset>
      )}
      <section className="ticks-preview" aria-label="The next times" aria-live="polite" aria-busy={isLate}>
        <h3>The next times</h3>
        {wrong.size > 0 || preview.isError ? (
          <p className="hint">
            {preview.isError && found.size === 0 ? describe(preview.error) : "None, as it stands."}
          </p>
        ) : preview.data ? (
          <TickList
            times={preview.data.ticks.map((tick) => tick.scheduleTime)}
            zone={draft.times === "cron" ? draft.zone || "UTC" : ""}
          />
        ) : (
          <Spinner label="Asking for the next times" />
        )}
      </section>
      <ChoiceField
        label="While the run before it goes on, a tick"
        path="schedule.overlap_policy"
        wrongs={wrongs}
        value={draft.overlap}
        choices={OVERLAPS}
        onChange={(overlap) => set({ overlap })}
      />
      <details className="more" open={isWrongAt(wrongs, MORE) || undefined}>
        <summary>More about times</summary>
        <div className="form-row">
          <TextField
            label="Make up for what was missed, up to"
            path="schedule.catchup_window"
            wrongs={wrongs}
            placeholder="1m"
            hint="while no process ran"
            value={draft.catchup}
            onChange={(catchup) => set({ catchup })}
          />
          <TextField
            label="Put each off by some part of"
            path="schedule.jitter"
            wrongs={wrongs}
            placeholder="nothing"
            hint="an hour at most"
            value={draft.jitter}
            onChange={(jitter) => set({ jitter })}
          />
        </div>
        <div className="form-row">
          <TextField
            label="Nothing before"
            path="schedule.start_time"
            wrongs={wrongs}
            type="datetime-local"
            value={draft.start}
            onChange={(start) => set({ start })}
          />
          <TextField
            label="Nothing after"
            path="schedule.end_time"
            wrongs={wrongs}
            type="datetime-local"
            value={draft.end}
            onChange={(end) => set({ end })}
          />
        </div>
      </details>
    </>
  );
}
