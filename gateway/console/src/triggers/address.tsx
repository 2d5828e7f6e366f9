// Where a webhook is called, and how to try it.
import { CopyButton } from "../ui/copy";

/** A text to copy, in one line. */
export function Line({ label, text }: { label: string; text: string }) {
  return (
    <div className="form-field">
      <span>{label}</span>
      <div className="command-line">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
        <code tabIndex={0} role="group" aria-label={label}>
          {text}
        </code>
        <CopyButton text={text} />
      </div>
    </div>
  );
}

/** Lines of a shell. */
export function CommandLines({ text }: { text: string }) {
  return (
    <div className="command-lines">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <pre className="json" tabIndex={0} role="group" aria-label="Lines for a shell">
        {text}
      </pre>
      <CopyButton text={text} />
    </div>
  );
}
