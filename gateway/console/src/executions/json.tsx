// A JSON value to read: short ones at once, long ones folded.
import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { CopyButton } from "../ui/copy";

/** Written in one line where it is no longer. */
const ONE_LINE = 60;
/** Folded at first where it is longer. */
const SHORT = 600;
/** Shown of one that is very long; the whole is copied. */
const MOST = 200_000;

/** A value of a message. */
export function jsonOf(value: Value | undefined): JsonValue | undefined {
  return value && toJson(ValueSchema, value);
}

export function Json({ value, label }: { value: JsonValue; label: string }) {
  const line = JSON.stringify(value);
  const text = line.length < ONE_LINE ? line : JSON.stringify(value, null, 2);
  return (
    <details className="more json-box" open={text.length < SHORT}>
      <summary>{label}</summary>
      <div className="json-body">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
        <pre className="json" tabIndex={0} aria-label={label} role="group">
          {text.length > MOST ? `${text.slice(0, MOST)}\n…` : text}
        </pre>
        <CopyButton text={text} />
      </div>
    </details>
  );
}
