// A field of a trigger's form: what it is called, what is meant, and what is wrong with it.
import { type ReactElement, type ReactNode, useId } from "react";
import { type Wrongs, wrongAt } from "./draft";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  /** Its path in the contract, below the trigger. */
  path: string;
  wrongs: Wrongs;
  /** Makes what is filled in; the attributes tie it to its words. */
  children: (input: {
    id: string;
    "aria-invalid": boolean;
    "aria-describedby": string | undefined;
  }) => ReactElement;
}

export function Field({ label, hint, path, wrongs, children }: FieldProps) {
  const id = useId();
  const about = useId();
  const wrong = wrongAt(wrongs, path);
  return (
    <div className="form-field" data-field={path}>
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        "aria-invalid": wrong !== undefined,
        "aria-describedby": hint || wrong ? about : undefined,
      })}
      <div id={about}>
        {wrong && (
          <p className="field-error" role="alert">
            {wrong}
          </p>
        )}
        {hint && <small>{hint}</small>}
      </div>
    </div>
  );
}

interface TextProps extends Omit<FieldProps, "children"> {
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  code?: boolean;
  list?: string;
  type?: "text" | "datetime-local" | "number";
  maxLength?: number;
}

/** A field of one line. */
export function TextField({
  value,
  onChange,
  placeholder,
  code,
  list,
  type,
  maxLength,
  ...field
}: TextProps) {
  return (
    <Field {...field}>
      {(input) => (
        <input
          {...input}
          type={type ?? "text"}
          step={type === "datetime-local" ? "any" : undefined}
          className={code ? "code-field" : undefined}
          spellCheck={false}
          autoComplete="off"
          list={list}
          maxLength={maxLength}
          placeholder={placeholder}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

interface ChoiceProps<T extends number> extends Omit<FieldProps, "children"> {
  value: T;
  choices: readonly (readonly [T, string, ...string[]])[];
  onChange: (value: T) => void;
}

export function ChoiceField<T extends number>({ value, choices, onChange, ...field }: ChoiceProps<T>) {
  return (
    <Field {...field}>
      {(input) => (
        <select {...input} value={value} onChange={(event) => onChange(Number(event.target.value) as T)}>
          {choices.map(([one, text]) => (
            <option key={one} value={one}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
