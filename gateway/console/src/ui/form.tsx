// How every form in a dialog ends: what went wrong, the way out, and the way on.
import type { ReactNode } from "react";
import { describe } from "../rpc/errors";

/** Why the mesh refused, if it did. */
export function Problem({ error }: { error: unknown }) {
  return error ? (
    <p className="field-error" role="alert">
      {describe(error)}
    </p>
  ) : null;
}

interface FootProps {
  /** What the form's own button says. */
  label: string;
  disabled: boolean;
  danger?: boolean;
  onCancel: () => void;
  /** Other ways on. */
  children?: ReactNode;
}

export function DialogFoot({ label, disabled, danger = false, onCancel, children }: FootProps) {
  return (
    <footer className="dialog-foot">
      <button type="button" className="button" onClick={onCancel}>
        Cancel
      </button>
      {children}
      <button
        type="submit"
        className={`button ${danger ? "button-danger" : "button-primary"}`}
        disabled={disabled}
      >
        {label}
      </button>
    </footer>
  );
}
