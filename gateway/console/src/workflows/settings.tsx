// The settings of a node, as the schema of its kind says; what is wrong stands at its field.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { useEffect, useId, useRef, useState } from "react";
import type { WorkflowFault } from "../gen/weft/execution/v1/execution_pb";
import { Icon } from "../ui/icon";
import { Prose } from "../ui/prose";
import { CelField } from "./cel-field";
import { type SettingField, textOf, settingOf } from "./fields";
import type { Offer } from "./scope";

interface Props {
  fields: readonly SettingField[];
  values: JsonObject;
  faults: readonly WorkflowFault[];
  offers: readonly Offer[];
  readOnly: boolean;
  onChange: (name: string, value: JsonValue | undefined) => void;
}

export function Settings({ fields, values, faults, offers, readOnly, onChange }: Props) {
  return fields.map((field) => (
    <Setting
      key={field.name}
      field={field}
      value={values[field.name]}
      faults={faults.filter((fault) => rootOf(fault.property) === field.name)}
      offers={offers}
      readOnly={readOnly}
      onChange={(value) => onChange(field.name, value)}
    />
  ));
}

/** The setting that a path such as `cases[0].when` is in. */
export function rootOf(path: string): string {
  return /^[^.[]*/.exec(path)?.[0] ?? path;
}

interface SettingProps {
  field: SettingField;
  value: JsonValue | undefined;
  faults: readonly WorkflowFault[];
  offers: readonly Offer[];
  readOnly: boolean;
  onChange: (value: JsonValue | undefined) => void;
}

const HINTS: Partial<Record<SettingField["kind"], string>> = {
  cel: "An expression.",
  json: "As JSON.",
  any: "JSON, or a text.",
};

function Setting(props: SettingProps) {
  const { field, value, faults, offers, readOnly, onChange } = props;
  const id = useId();
  const help = useId();
  const [text, setText] = useState(() => textOf(field, value));
  const [wrong, setWrong] = useState("");
  // What this field made of it; anything else came from elsewhere, such as a step back.
  const mine = useRef(JSON.stringify(value));
  useEffect(() => {
    if (JSON.stringify(value) === mine.current) return;
    mine.current = JSON.stringify(value);
    setText(textOf(field, value));
    setWrong("");
  }, [value, field]);
  const write = (next: string) => {
    setText(next);
    try {
      const made = settingOf(field, next);
      setWrong("");
      mine.current = JSON.stringify(made);
      onChange(made);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  if (field.kind === "rows")
    return (
      <RowsSetting
        field={field}
        value={value}
        faults={faults}
        offers={offers}
        readOnly={readOnly}
        onChange={onChange}
      />
    );
  const invalid = wrong !== "" || faults.some((fault) => !fault.warning);
  const hint = [field.help && sentence(field.help), HINTS[field.kind]].filter(Boolean).join(" ");
  const says = (
    <>
      {wrong && <small className="field-error">{wrong}</small>}
      {faults.map((fault) => (
        <small
          key={`${fault.reason} ${fault.property}`}
          className={fault.warning ? "field-warning" : "field-error"}
        >
          {fault.message}
        </small>
      ))}
      <small id={help}>
        <Prose text={hint} />
      </small>
    </>
  );
  const common = {
    id,
    "aria-describedby": help,
    "aria-invalid": invalid,
    "data-setting": field.name,
  } as const;
  if (field.kind === "switch")
    return (
      <div className="setting">
        <label className="check">
          <input
            type="checkbox"
            {...common}
            disabled={readOnly}
            checked={value === true}
            onChange={(event) => write(String(event.target.checked))}
          />
          <span>{field.name}</span>
        </label>
        {says}
      </div>
    );
  return (
    <div className="setting" data-setting-box={field.name}>
      <label htmlFor={id}>
        {field.name}
        {field.required && <span aria-hidden="true"> *</span>}
      </label>
      {field.kind === "choice" ? (
        <select {...common} disabled={readOnly} value={text} onChange={(event) => write(event.target.value)}>
          <option value="">{field.otherwise}</option>
          {field.choices
            .filter((choice) => choice !== field.otherwise)
            .map((choice) => (
              <option key={choice}>{choice}</option>
            ))}
        </select>
      ) : field.kind === "integer" ? (
        <input
          {...common}
          type="number"
          readOnly={readOnly}
          step={1}
          min={field.minimum}
          max={field.maximum}
          placeholder={field.otherwise}
          value={text}
          onChange={(event) => write(event.target.value)}
        />
      ) : (
        <CelField
          id={id}
          label={field.name}
          value={text}
          onChange={write}
          offers={offers}
          everywhere={field.kind === "cel"}
          rows={rowsFor(field.kind, text)}
          required={field.required}
          invalid={invalid}
          describedBy={help}
          readOnly={readOnly}
        />
      )}
      {says}
    </div>
  );
}

const LEAST: Partial<Record<SettingField["kind"], number>> = { json: 3, long: 2 };

function rowsFor(kind: SettingField["kind"], text: string): number {
  const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 38)), 0);
  return Math.min(14, Math.max(LEAST[kind] ?? 1, lines));
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** A list of small objects, each with fields of its own: the cases of a `switch`. */
function RowsSetting({ field, value, faults, offers, readOnly, onChange }: SettingProps) {
  const rows = Array.isArray(value) ? (value as JsonObject[]) : [];
  const put = (at: number, name: string, to: JsonValue | undefined) =>
    onChange(rows.map((row, one) => (one === at ? { ...row, [name]: to ?? "" } : row)));
  return (
    <fieldset className="setting setting-rows" data-setting-box={field.name}>
      <legend>
        {field.name}
        {field.required && <span aria-hidden="true"> *</span>}
      </legend>
      {rows.map((row, at) => (
        <div key={at} className="setting-row">
          <Settings
            fields={field.fields}
            values={row}
            faults={faults
              .filter((fault) => fault.property.startsWith(`${field.name}[${at}].`))
              .map((fault) => ({ ...fault, property: fault.property.slice(`${field.name}[${at}].`.length) }))}
            offers={offers}
            readOnly={readOnly}
            onChange={(name, to) => put(at, name, to)}
          />
          {!readOnly && (
            <button
              type="button"
              className="icon-button"
              aria-label={`Remove ${at + 1} of ${field.name}`}
              onClick={() => onChange(rows.filter((_, one) => one !== at))}
            >
              <Icon name="trash" />
            </button>
          )}
        </div>
      ))}
      {faults
        .filter((fault) => !fault.property.includes("["))
        .map((fault) => (
          <small key={fault.reason} className="field-error">
            {fault.message}
          </small>
        ))}
      <small>
        <Prose text={sentence(field.help)} />
      </small>
      {!readOnly && (
        <button
          type="button"
          className="button button-small"
          onClick={() => onChange([...rows, Object.fromEntries(field.fields.map((one) => [one.name, ""]))])}
        >
          <Icon name="plus" /> Add
        </button>
      )}
    </fieldset>
  );
}
