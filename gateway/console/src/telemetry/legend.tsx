// What the lines are, and their values: under the cursor, and least, most and
// last of what is in sight.
import { useMemo } from "react";
import { useStore } from "../app/store";
import { theme } from "../app/theme";
import { count } from "../ui/format";
import { colourOf } from "./colours";
import { type Line, summaryOf, type Unit, valueText } from "./model";

interface Props {
  lines: readonly Line[];
  unit: Unit;
  row: number | null;
  hidden: ReadonlySet<string>;
  onToggle: (key: string, alone: boolean) => void;
  onHighlight: (key: string | null) => void;
}

/** More would be no legend any more. */
const MOST = 100;

export function Legend({ lines, unit, row, hidden, onToggle, onHighlight }: Props) {
  useStore(theme.store);
  const shade = theme.effective();
  const summaries = useMemo(() => lines.map((line) => summaryOf(line.values)), [lines]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <div className="legend-box" tabIndex={0} role="region" aria-label="Legend">
      <table className="chart-legend">
        <thead>
          <tr>
            <th scope="col">Series</th>
            <th scope="col">{row === null ? "Last" : "At cursor"}</th>
            <th scope="col">Least</th>
            <th scope="col">Most</th>
          </tr>
        </thead>
        <tbody>
          {lines.slice(0, MOST).map((line, at) => (
            <tr
              key={line.key}
              data-hidden={hidden.has(line.key)}
              onMouseEnter={() => onHighlight(line.key)}
              onMouseLeave={() => onHighlight(null)}
            >
              <th scope="row">
                <button
                  type="button"
                  aria-pressed={!hidden.has(line.key)}
                  title="Show or hide it; with Ctrl, it alone"
                  onFocus={() => onHighlight(line.key)}
                  onBlur={() => onHighlight(null)}
                  onClick={(event) => onToggle(line.key, event.ctrlKey || event.metaKey)}
                >
                  <span
                    className="chart-swatch"
                    data-before={line.before}
                    style={{ color: colourOf(shade, at) }}
                  />
                  <span>{line.label}</span>
                  {line.before && <small>before</small>}
                </button>
              </th>
              <td>
                {valueText(row === null ? summaries[at].last : (line.values[row] ?? line.ahead?.[row]), unit)}
              </td>
              <td>{valueText(summaries[at].least, unit)}</td>
              <td>{valueText(summaries[at].most, unit)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {lines.length > MOST && <p className="hint">and {count(lines.length - MOST)} more</p>}
    </div>
  );
}
