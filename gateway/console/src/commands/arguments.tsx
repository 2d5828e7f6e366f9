// The form that a command type's schema makes.
import type { JsonObject } from "@bufbuild/protobuf";
import { useId } from "react";
import { choiceText, type Field, fieldsOf, type Values } from "./schema";

interface Props {
  schema: JsonObject | undefined;
  values: Values;
  onChange: (values: Values) => void;
  /** What the whole is called. */
  label?: string;
}

/** By this name the whole object is in the values, where there are no fields. */
export const WHOLE = "";

export function Arguments({ schema, values, onChange, label = "Arguments" }: Props) {
  const fields = fieldsOf(schema);
  const set = (key: string, value: string) => onChange({ ...values, [key]: value });
  if (fields === null) {
    return (
      <label>
        {label}
        <textarea
          rows={5}
          className="code-field"
          spellCheck={false}
          placeholder="{ }"
          value={values[WHOLE] ?? ""}
          onChange={(event) => set(WHOLE, event.target.value)}
        />
        <small>a JSON object</small>
      </label>
    );
  }
  if (fields.length === 0) return <p className="hint">It takes no arguments.</p>;
  return fields.map((field) => (
    <FieldInput
      key={field.key}
      field={field}
      value={values[field.key] ?? field.initial}
      onChange={(value) => set(field.key, value)}
    />
  ));
}

interface InputProps {
  field: Field;
  value: string;
  onChange: (value: string) => void;
}

function FieldInput({ field, value, onChange }: InputProps) {
  const help = useId();
  const id = useId();
  const common = {
    id,
    value,
    required: field.required,
    "aria-describedby": help,
    spellCheck: false,
  } as const;
  const hint = [field.help, HINTS[field.kind], field.secret && "Goes to the agent and is never shown again."]
    .filter(Boolean)
    .join(" ");
  if (field.kind === "switch") {
    return (
      <label className="check">
        <input
          type="checkbox"
          checked={value === "true"}
          aria-describedby={help}
          onChange={(event) => onChange(String(event.target.checked))}
        />
        <span>
          {field.title} <small id={help}>{hint}</small>
        </span>
      </label>
    );
  }
  return (
    <label htmlFor={id}>
      <span>
        {field.title}
        {field.required && <span aria-hidden="true"> *</span>}
      </span>
      {field.kind === "choice" ? (
        <select {...common} onChange={(event) => onChange(event.target.value)}>
          {(!field.required || field.initial === "") && <option value="" />}
          {field.choices.map((choice) => (
            <option key={choiceText(choice)}>{choiceText(choice)}</option>
          ))}
        </select>
      ) : field.kind === "long" || field.kind === "words" || field.kind === "json" ? (
        <textarea
          {...common}
          rows={field.kind === "long" ? 3 : 2}
          maxLength={field.longest}
          className="code-field"
          onChange={(event) => onChange(event.target.value)}
        />
      ) : (
        <input
          {...common}
          type={field.secret ? "password" : field.kind === "text" ? "text" : "number"}
          autoComplete={field.secret ? "off" : undefined}
          step={field.kind === "integer" ? 1 : "any"}
          min={field.minimum}
          max={field.maximum}
          maxLength={field.longest}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
      <small id={help}>{hint}</small>
    </label>
  );
}

const HINTS: Partial<Record<Field["kind"], string>> = {
  words: "One in each line.",
  json: "As JSON.",
};
