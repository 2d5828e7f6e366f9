// What was odd in files that were brought in, but not wrong.
import type { ImportResult } from "../gen/weft/graph/v1/graph_service_pb";
import { plural } from "../ui/format";

export function ImportWarnings({ result }: { result: ImportResult }) {
  if (result.warningCount === 0n) return null;
  const more = Number(result.warningCount) - result.warnings.length;
  return (
    <details>
      <summary>{plural(result.warningCount, "warning")}</summary>
      <ul className="warnings">
        {result.warnings.map((warning) => (
          <li key={`${warning.path}:${warning.line}:${warning.message}`}>
            <code>
              {warning.path}
              {warning.line > 0n ? `:${warning.line}` : ""}
            </code>{" "}
            {warning.message}
          </li>
        ))}
        {more > 0 && <li>and {plural(more, "more", "more")}, which are not kept</li>}
      </ul>
    </details>
  );
}
