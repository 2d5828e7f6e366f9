// A form for each algorithm, made from its list of fields.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useStoreValue } from "../app/store";
import type { Analysis } from "../gen/weft/compute/v1/analysis_pb";
import type { LiveGraph } from "../graph/live";
import { analyses } from "../rpc/analyses";
import { describe } from "../rpc/errors";
import { Icon } from "../ui/icon";
import { algorithmOf, blank, CHOICES, type Field, type Form, problemOf } from "./algorithms";
import { tell } from "./analyses";

export function AnalysisForm({
  live,
  onCreated,
}: {
  live: LiveGraph;
  onCreated: (analysis: Analysis) => void;
}) {
  const queries = useQueryClient();
  const selected = useStoreValue(live.state, (state) => state.selected);
  const selectedKey = live.model?.keys[selected] ?? "";
  const [choice, setChoice] = useState(CHOICES[0]);
  const [form, setForm] = useState<Form>(() => blank(CHOICES[0], selectedKey));
  const [write, setWrite] = useState("");
  const [weight, setWeight] = useState("");
  const problems = choice.fields.map((field) => problemOf(field, form[field.name]));
  const writeProblem =
    choice.pairs || write === "" || /^[A-Za-z][A-Za-z0-9_]{0,62}$/.test(write)
      ? undefined
      : "is letters, digits and underscores, a letter first";
  const bad = problems.some(Boolean) || writeProblem !== undefined;
  const create = useMutation({
    mutationFn: () =>
      analyses.createAnalysis({
        parent: live.name,
        requestId: crypto.randomUUID(),
        analysis: {
          algorithm: { kind: algorithmOf(choice, form) },
          weightProperty: weight,
          writeProperty: choice.pairs ? "" : write,
        },
      }),
    onSuccess: (analysis) => {
      tell(queries, analysis);
      onCreated(analysis);
    },
  });
  return (
    <form
      className="analysis-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!bad) create.mutate();
      }}
    >
      <label className="field">
        <span>What to compute</span>
        <select
          value={choice.kind}
          onChange={(event) => {
            const next = CHOICES.find((one) => one.kind === event.target.value) ?? CHOICES[0];
            setChoice(next);
            setForm(blank(next, selectedKey));
            create.reset();
          }}
        >
          {CHOICES.map((one) => (
            <option key={one.kind} value={one.kind}>
              {one.title}
            </option>
          ))}
        </select>
        <small>{choice.about}</small>
      </label>
      {choice.fields.map((field, at) => (
        <Entry
          key={`${choice.kind}.${field.name}`}
          field={field}
          value={form[field.name] ?? ""}
          problem={problems[at]}
          onChange={(value) => setForm({ ...form, [field.name]: value })}
        />
      ))}
      <details className="analysis-more">
        <summary>More</summary>
        <label className="field">
          <span>Weight property</span>
          <input value={weight} maxLength={256} onChange={(event) => setWeight(event.target.value.trim())} />
          <small>Of edges; their own weight when empty</small>
        </label>
        {!choice.pairs && (
          <label className="field">
            <span>Write to property</span>
            <input
              value={write}
              maxLength={63}
              aria-invalid={writeProblem !== undefined}
              onChange={(event) => setWrite(event.target.value.trim())}
            />
            <small className={writeProblem && "field-bad"}>
              {writeProblem ?? "Of nodes; nothing is written when empty"}
            </small>
          </label>
        )}
      </details>
      {create.isError && (
        <p className="note note-bad" role="alert">
          <Icon name="alert" /> {describe(create.error)}
        </p>
      )}
      <button type="submit" className="button button-primary" disabled={bad || create.isPending}>
        <Icon name="play" /> {create.isPending ? "Beginning…" : "Analyse"}
      </button>
    </form>
  );
}

interface EntryProps {
  field: Field;
  value: string | boolean;
  problem: string | undefined;
  onChange: (value: string | boolean) => void;
}

function Entry({ field, value, problem, onChange }: EntryProps) {
  const id = useId();
  if (field.type === "check")
    return (
      <label className="check">
        <input
          type="checkbox"
          checked={value === true}
          onChange={(event) => onChange(event.target.checked)}
        />
        {field.label}
      </label>
    );
  return (
    <div className="field">
      <label htmlFor={id}>{field.label}</label>
      {field.type === "choice" || field.type === "case" ? (
        <select id={id} value={String(value)} onChange={(event) => onChange(event.target.value)}>
          {field.choices?.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          type={field.type === "number" ? "number" : "text"}
          value={String(value)}
          min={field.low}
          max={field.high}
          step={field.step ?? (field.whole ? 1 : "any")}
          aria-invalid={problem !== undefined}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
      <small className={problem && "field-bad"}>{problem ?? field.hint}</small>
    </div>
  );
}
