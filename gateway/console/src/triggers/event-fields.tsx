// What a trigger watches: ends of runs, changes of a graph, alerts, or messages.
import { AlertSeverity, AlertState } from "../gen/weft/telemetry/v1/alert_pb";
import type { Graph } from "../gen/weft/graph/v1/graph_pb";
import { lastPart } from "../ui/format";
import type { AlertDraft, ChangeDraft, EndDraft, MessageDraft, Wrongs } from "./draft";
import { ChoiceField, Field, TextField } from "./fields";
import { ENDS } from "./model";

interface EndProps {
  draft: EndDraft;
  workflows: readonly Graph[];
  wrongs: Wrongs;
  onChange: (draft: EndDraft) => void;
}

export function EndFields({ draft, workflows, wrongs, onChange }: EndProps) {
  const { graph, states, own } = draft;
  const known = workflows.some((one) => lastPart(one.name) === graph);
  return (
    <>
      <Field label="Whose end" path="execution_end.graph" wrongs={wrongs}>
        {(input) => (
          <select
            {...input}
            value={graph}
            onChange={(event) => onChange({ ...draft, graph: event.target.value })}
          >
            <option value="">any run of the project</option>
            {graph && !known && <option>{graph}</option>}
            {workflows.map((one) => (
              <option key={one.name} value={lastPart(one.name)}>
                {one.displayName || lastPart(one.name)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <States
        label="How it ended"
        all={ENDS}
        chosen={states}
        none="However it did where none is chosen."
        onChange={(next) => onChange({ ...draft, states: next })}
      />
      <label className="check">
        <input
          type="checkbox"
          checked={own}
          onChange={(event) => onChange({ ...draft, own: event.target.checked })}
        />
        also runs of the workflow that this starts
      </label>
    </>
  );
}

interface StatesProps<T extends number> {
  label: string;
  all: readonly (readonly [T, string])[];
  chosen: readonly T[];
  /** What it means that none is. */
  none: string;
  onChange: (chosen: T[]) => void;
}

function States<T extends number>({ label, all, chosen, none, onChange }: StatesProps<T>) {
  return (
    <fieldset className="form-field">
      <legend>{label}</legend>
      {all.map(([state, text]) => (
        <label key={state} className="check">
          <input
            type="checkbox"
            checked={chosen.includes(state)}
            onChange={(event) => {
              const others = chosen.filter((one) => one !== state);
              onChange(event.target.checked ? [...others, state] : others);
            }}
          />
          {text}
        </label>
      ))}
      <small>{none}</small>
    </fieldset>
  );
}

const SEVERITIES = [
  [AlertSeverity.UNSPECIFIED, "any"],
  [AlertSeverity.WARNING, "a warning, or worse"],
  [AlertSeverity.CRITICAL, "critical"],
] as const;

const ALERTS = [
  [AlertState.FIRING, "begins to fire"],
  [AlertState.RESOLVED, "is over"],
] as const;

interface AlertProps {
  draft: AlertDraft;
  wrongs: Wrongs;
  onChange: (draft: AlertDraft) => void;
}

export function AlertFields({ draft, wrongs, onChange }: AlertProps) {
  const set = (part: Partial<AlertDraft>) => onChange({ ...draft, ...part });
  return (
    <>
      <div className="form-row">
        <TextField
          label="Rule"
          path="alert.alert_rule"
          wrongs={wrongs}
          code
          placeholder="its id; any where empty"
          value={draft.rule}
          onChange={(rule) => set({ rule })}
        />
        <ChoiceField
          label="How bad it is"
          path="alert.min_severity"
          wrongs={wrongs}
          value={draft.severity}
          choices={SEVERITIES}
          onChange={(severity) => set({ severity })}
        />
      </div>
      <States
        label="When it"
        all={ALERTS}
        chosen={draft.states}
        none="Either where none is chosen."
        onChange={(states) => set({ states })}
      />
    </>
  );
}

interface ChangeProps {
  draft: ChangeDraft;
  wrongs: Wrongs;
  onChange: (draft: ChangeDraft) => void;
}

export function ChangeFields({ draft, wrongs, onChange }: ChangeProps) {
  const set = (part: Partial<ChangeDraft>) => onChange({ ...draft, ...part });
  return (
    <>
      <div className="form-row">
        <TextField
          label="Graph"
          path="graph_change.graph"
          wrongs={wrongs}
          code
          placeholder="its id"
          value={draft.graph}
          onChange={(graph) => set({ graph })}
        />
        <TextField
          label="Taken together"
          path="graph_change.debounce_duration"
          wrongs={wrongs}
          hint="What is changed within so long starts one run; 2s where empty."
          placeholder="2s"
          value={draft.debounce}
          onChange={(debounce) => set({ debounce })}
        />
      </div>
      <div className="form-row">
        <TextField
          label="Only nodes of types"
          path="graph_change.node_types"
          wrongs={wrongs}
          placeholder="page, tag"
          value={draft.nodeTypes}
          onChange={(nodeTypes) => set({ nodeTypes })}
        />
        <TextField
          label="Only edges of types"
          path="graph_change.edge_types"
          wrongs={wrongs}
          placeholder="link"
          value={draft.edgeTypes}
          onChange={(edgeTypes) => set({ edgeTypes })}
        />
      </div>
    </>
  );
}

interface MessageProps {
  draft: MessageDraft;
  wrongs: Wrongs;
  onChange: (draft: MessageDraft) => void;
}

export function MessageFields({ draft, wrongs, onChange }: MessageProps) {
  return (
    <TextField
      label="Topic"
      path="message.topic"
      wrongs={wrongs}
      code
      placeholder="orders.paid"
      hint="As a publish step of a workflow of the project names it."
      value={draft.topic}
      onChange={(topic) => onChange({ ...draft, topic })}
    />
  );
}
