// What is said of a record or a span, by name; each that can be looked for is a button that does.
import type { JsonObject } from "@bufbuild/protobuf";
import { entriesOf, pairOf, valueText } from "./pairs";

interface Props {
  label: string;
  attributes: JsonObject | undefined;
  onPick: (pair: string) => void;
}

export function Attributes({ label, attributes, onPick }: Props) {
  const entries = entriesOf(attributes);
  if (entries.length === 0) return null;
  return (
    <section className="attributes" aria-label={label}>
      <p className="attributes-title">{label}</p>
      <dl>
        {entries.map(([key, value]) => {
          const pair = pairOf(key, value);
          return (
            <div key={key}>
              <dt>{key}</dt>
              <dd>
                {pair === undefined ? (
                  <code>{valueText(value)}</code>
                ) : (
                  <button
                    type="button"
                    className="attribute"
                    title={`Only with ${pair}`}
                    aria-label={`Only with ${pair}`}
                    onClick={() => onPick(pair)}
                  >
                    <code>{valueText(value)}</code>
                  </button>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}

/** Facts that are no attributes. */
export function Facts({ label, facts }: { label: string; facts: readonly (readonly [string, string])[] }) {
  const told = facts.filter(([, value]) => value !== "");
  return told.length === 0 ? null : (
    <section className="attributes" aria-label={label}>
      <p className="attributes-title">{label}</p>
      <dl>
        {told.map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>
              <code>{value}</code>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
