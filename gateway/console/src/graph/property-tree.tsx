// A JSON object as a tree that folds.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

export function PropertyTree({ value }: { value: JsonObject }) {
  if (Object.keys(value).length === 0) return <p className="hint">It has no properties.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <div className="panel-list" tabIndex={0} role="group" aria-label="Properties">
      <Entries value={value} depth={0} />
    </div>
  );
}

function Entries({ value, depth }: { value: JsonObject | JsonValue[]; depth: number }) {
  const entries = Array.isArray(value)
    ? value.map((item, i) => [String(i), item] as const)
    : Object.entries(value);
  return (
    <ul className="tree">
      {entries.map(([name, item]) => (
        <li key={name}>
          {isBranch(item) ? (
            <details open={depth < 1}>
              <summary>
                {name}{" "}
                <small>
                  {Array.isArray(item) ? `${item.length} items` : `${Object.keys(item).length} fields`}
                </small>
              </summary>
              <Entries value={item} depth={depth + 1} />
            </details>
          ) : (
            <div className="leaf">
              <span>{name}</span>
              <Leaf value={item} />
            </div>
          )}
        </li>
      ))}
    </ul>
  );
}

function Leaf({ value }: { value: string | number | boolean | null }) {
  if (typeof value === "string" && /^https?:\/\//.test(value)) {
    return (
      <a href={value} target="_blank" rel="noreferrer noopener">
        {value}
      </a>
    );
  }
  return (
    <span className={`leaf-${value === null ? "null" : typeof value}`}>
      {value === null ? "null" : String(value)}
    </span>
  );
}

function isBranch(value: JsonValue): value is JsonObject | JsonValue[] {
  return value !== null && typeof value === "object" && Object.keys(value).length > 0;
}
