// What came with a delivery: headers, query and body. It is a stranger's, and shown as text.
import type { JsonValue } from "@bufbuild/protobuf";
import { Json } from "../executions/json";
import type { DeliveryContent } from "../gen/weft/trigger/v1/trigger_pb";
import { bodyOf } from "./model";

/** What stands for a value that nobody is shown. */
const MASK = "•••";

export function Content({ content }: { content: DeliveryContent }) {
  const { headers, maskedHeaders, query } = content;
  const shown: [string, string][] = [
    ...Object.entries(headers),
    ...maskedHeaders.map((name): [string, string] => [name, MASK]),
  ];
  shown.sort(([a], [b]) => a.localeCompare(b));
  const { json, text } = bodyOf(content);
  return (
    <>
      {shown.length > 0 && (
        <details className="more delivery-headers">
          <summary>Headers</summary>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
          <div className="routes-scroll" tabIndex={0} role="group" aria-label="Headers">
            <table className="plain-table">
              <tbody>
                {shown.map(([name, value]) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td title={value === MASK ? "It has or proves a secret: it is not shown" : undefined}>
                      <code>{value}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
      {query && (
        <p className="delivery-query">
          Query <code>{query}</code>
        </p>
      )}
      {(json !== undefined || text !== "") && (
        <Json
          value={json ?? (text as JsonValue)}
          label={content.truncated ? "How the body begins" : "Body"}
        />
      )}
    </>
  );
}
