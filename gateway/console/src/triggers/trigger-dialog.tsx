// A trigger, by form: made or changed; and what must be told of a webhook that was just made.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useRef, useState } from "react";
import { listWorkflows } from "../executions/workflows";
import { type Trigger, WebhookProvider } from "../gen/weft/trigger/v1/trigger_pb";
import { describe, isTransient, violations } from "../rpc/errors";
import { triggers } from "../rpc/triggers";
import { CopyButton } from "../ui/copy";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { isId, lastPart, slug } from "../ui/format";
import { CelField } from "../workflows/cel-field";
import { FUNCTIONS } from "../workflows/scope";
import { CommandLines, Line } from "./address";
import { curlFor } from "./curl";
import { type Draft, draftOf, triggerOf, type Wrongs, wrongsOf } from "./draft";
import { AlertFields, ChangeFields, EndFields, MessageFields } from "./event-fields";
import { Field, TextField } from "./fields";
import { eventOffers, SOURCES, type SourceKind, titleOf } from "./model";
import { ScheduleFields } from "./schedule-fields";
import { WebhookFields } from "./webhook-fields";

interface Props {
  project: string;
  /** Of a new one: the id of its workflow, where it was chosen before. */
  workflow?: string;
  trigger?: Trigger;
  onClose: () => void;
  onSaved: (trigger: Trigger) => void;
}

const NONE: Wrongs = new Map();

export function TriggerDialog({ project, workflow, trigger, onClose, onSaved }: Props) {
  const queries = useQueryClient();
  const kinds = useId();
  const [begun] = useState<Draft>(() => draftOf(trigger, workflow ?? ""));
  const [draft, setDraft] = useState(begun);
  // What was seen when the form was opened: a change by somebody else meanwhile is not overwritten.
  const [etag] = useState(trigger?.etag ?? "");
  const [named, setNamed] = useState(trigger !== undefined);
  const [unread, setUnread] = useState<Wrongs>(NONE);
  // One id for all attempts of this dialog: a repeat after a lost answer makes one trigger.
  const requestId = useRef(crypto.randomUUID());
  const list = useQuery({
    queryKey: ["workflows", project],
    queryFn: ({ signal }) => listWorkflows(project, signal),
  });
  const chosen = draft.workflow || (list.data?.[0] ? lastPart(list.data[0].name) : "");
  const set = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const save = useMutation({
    mutationFn: () => {
      const made = triggerOf({ ...draft, workflow: chosen }, project).trigger;
      if (!trigger)
        return triggers.createTrigger({
          parent: `projects/${project}`,
          triggerId: draft.id,
          trigger: made,
          requestId: requestId.current,
        });
      const paths = ["display_name", "graph", "input", "condition"];
      // Fields of times have no fractions below a millisecond, and one hour of the year twice: what nobody has touched stays.
      if (draft.kind === "webhook" || draft[draft.kind] !== begun[draft.kind]) paths.push(PATHS[draft.kind]);
      return triggers.updateTrigger({
        trigger: { ...made, name: trigger.name, etag },
        updateMask: { paths },
      });
    },
    onSuccess: (saved) => {
      void queries.invalidateQueries({ queryKey: ["triggers"] });
      queries.setQueryData(["trigger", saved.name], saved);
      if (trigger || saved.source.case !== "webhook") onSaved(saved);
    },
    onError: (error) => {
      // The mesh has answered: what is sent next is another request.
      if (!isTransient(error)) requestId.current = crypto.randomUUID();
    },
  });
  if (save.data && !trigger && save.data.source.case === "webhook")
    return <Made trigger={save.data} secret={draft.webhook.secret} onDone={() => onSaved(save.data)} />;

  const refused = wrongsOf(violations(save.error));
  const wrongs: Wrongs = new Map([...refused, ...unread]);
  const placed =
    refused.size > 0 && [...refused.keys()].every((field) => PLACES.some((place) => field.startsWith(place)));
  const offers = [...eventOffers(draft.kind), ...FUNCTIONS];
  const submit = () => {
    const { wrong } = triggerOf({ ...draft, workflow: chosen }, project);
    setUnread(wrong);
    if (wrong.size === 0) save.mutate();
  };
  return (
    <Dialog
      title={trigger ? `Trigger ${titleOf(trigger)}` : "New trigger"}
      onClose={onClose}
      className="command-dialog trigger-dialog"
      sticky
    >
      <form
        className="form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <div className="form-row">
          <TextField
            label="Name"
            path="display_name"
            wrongs={wrongs}
            maxLength={200}
            placeholder="Orders from the shop"
            value={draft.title}
            onChange={(title) => set(named ? { title } : { title, id: slug(title) })}
          />
          {!trigger && (
            <TextField
              label="Id"
              path="trigger_id"
              wrongs={draft.id && !isId(draft.id) ? ID_WRONG : wrongs}
              code
              maxLength={63}
              placeholder="made up where empty"
              value={draft.id}
              onChange={(id) => {
                setNamed(id !== "");
                set({ id });
              }}
            />
          )}
        </div>
        <Field label="Workflow" path="graph" wrongs={wrongs}>
          {(input) => (
            <select
              {...input}
              value={chosen}
              disabled={!list.data}
              onChange={(event) => set({ workflow: event.target.value })}
            >
              {chosen && !list.data?.some((one) => lastPart(one.name) === chosen) && (
                <option>{chosen}</option>
              )}
              {list.data?.map((one) => (
                <option key={one.name} value={lastPart(one.name)}>
                  {one.displayName || lastPart(one.name)}
                </option>
              ))}
            </select>
          )}
        </Field>
        {list.isError && <p className="field-error">{describe(list.error)}</p>}
        {list.data?.length === 0 && <p className="hint">There are no workflows in this project yet.</p>}
        {!trigger && (
          <fieldset className="segments">
            <legend className="hidden-text">What starts it</legend>
            {SOURCES.map(([kind, text]) => (
              <label key={kind} className="segment" data-active={draft.kind === kind}>
                <input
                  type="radio"
                  name={kinds}
                  checked={draft.kind === kind}
                  onChange={() => set({ kind })}
                />
                {text}
              </label>
            ))}
          </fieldset>
        )}
        {draft.kind === "webhook" && (
          <WebhookFields
            draft={draft.webhook}
            wrongs={wrongs}
            keeps={keepsSecret(trigger, draft)}
            onChange={(webhook) => set({ webhook })}
          />
        )}
        {draft.kind === "executionEnd" && (
          <EndFields
            draft={draft.executionEnd}
            workflows={list.data ?? []}
            wrongs={wrongs}
            onChange={(executionEnd) => set({ executionEnd })}
          />
        )}
        {draft.kind === "graphChange" && (
          <ChangeFields
            draft={draft.graphChange}
            wrongs={wrongs}
            onChange={(graphChange) => set({ graphChange })}
          />
        )}
        {draft.kind === "alert" && (
          <AlertFields draft={draft.alert} wrongs={wrongs} onChange={(alert) => set({ alert })} />
        )}
        {draft.kind === "message" && (
          <MessageFields draft={draft.message} wrongs={wrongs} onChange={(message) => set({ message })} />
        )}
        {draft.kind === "schedule" && (
          <ScheduleFields
            project={project}
            draft={draft.schedule}
            since={trigger?.createTime}
            wrongs={wrongs}
            onChange={(schedule) => set({ schedule })}
          />
        )}
        <Field
          label="What the run is given"
          path="input"
          wrongs={wrongs}
          hint={
            <>
              A JSON object; its texts may have <code>{`\${${EXAMPLES[draft.kind]}}`}</code>. The event as{" "}
              <code>event</code> where empty.
            </>
          }
        >
          {(input) => (
            <CelField
              id={input.id}
              label="What the run is given"
              value={draft.input}
              onChange={(text) => set({ input: text })}
              offers={offers}
              everywhere={false}
              rows={Math.min(8, Math.max(2, draft.input.split("\n").length))}
              invalid={input["aria-invalid"]}
              describedBy={input["aria-describedby"]}
            />
          )}
        </Field>
        <Field
          label="Only if"
          path="condition"
          wrongs={wrongs}
          hint={
            <>
              An expression, <code>event.type == "push"</code>; other events start nothing.
            </>
          }
        >
          {(input) => (
            <CelField
              id={input.id}
              label="Only if"
              value={draft.condition}
              onChange={(text) => set({ condition: text })}
              offers={offers}
              everywhere
              invalid={input["aria-invalid"]}
              describedBy={input["aria-describedby"]}
            />
          )}
        </Field>
        {placed ? (
          <p className="field-error" role="alert">
            It was refused: look at the fields that are marked.
          </p>
        ) : (
          <Problem error={save.error} />
        )}
        <DialogFoot
          label={trigger ? "Save" : "Create"}
          disabled={!chosen || (draft.id !== "" && !isId(draft.id)) || save.isPending}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  );
}

const ID_WRONG: Wrongs = new Map([["trigger_id", "lower-case letters, digits and hyphens"]]);

/** Where a field of the form says what is wrong with it. */
const PLACES = [
  "display_name",
  "trigger_id",
  "graph",
  "webhook.",
  "schedule.",
  "execution_end.",
  "graph_change.",
  "alert.",
  "message.",
  "input",
  "condition",
];

/** What makes it start something, as the contract calls it. */
const PATHS: Record<SourceKind, string> = {
  webhook: "webhook",
  schedule: "schedule",
  executionEnd: "execution_end",
  graphChange: "graph_change",
  alert: "alert",
  message: "message",
};

const EXAMPLES: Record<SourceKind, string> = {
  webhook: "event.body…",
  schedule: "event.schedule_time",
  executionEnd: "event.data…",
  graphChange: "event.data…",
  alert: "event.data…",
  message: "event.data.value…",
};

function keepsSecret(trigger: Trigger | undefined, draft: Draft): boolean {
  return trigger?.source.case === "webhook" && trigger.source.value.provider === draft.webhook.provider;
}

/** A webhook that was just made: its address, its secret this once, and how to try it. */
function Made({ trigger, secret, onDone }: { trigger: Trigger; secret: string; onDone: () => void }) {
  const webhook = trigger.source.case === "webhook" ? trigger.source.value : undefined;
  if (!webhook) return null;
  const address = `${location.origin}${webhook.path}`;
  const hasSecret = webhook.provider !== WebhookProvider.NONE;
  return (
    <Dialog title={`${titleOf(trigger)} is there`} onClose={onDone} className="command-dialog" sticky>
      <div className="form">
        <Line label="Address" text={address} />
        {hasSecret && (
          <>
            <Line label="Secret" text={secret} />
            <p className="note">
              <span>
                The secret is shown <strong>only this once</strong>; give it to whoever calls.
              </span>
            </p>
          </>
        )}
        <details className="more">
          <summary>Try it from a shell</summary>
          <CommandLines text={curlFor(webhook, address, hasSecret ? secret : undefined)} />
        </details>
        <footer className="dialog-foot">
          <CopyButton text={hasSecret ? `${address}\n${secret}` : address} label="Copy all" />
          <button type="button" className="button button-primary" onClick={onDone}>
            I have it
          </button>
        </footer>
      </div>
    </Dialog>
  );
}
