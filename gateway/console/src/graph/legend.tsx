// What the colours mean, and a switch for each of them.
import { lazy, Suspense, useState } from "react";
import { useStore } from "../app/store";
import { compact, count } from "../ui/format";
import { Icon } from "../ui/icon";
import type { LiveGraph } from "./live";
import type { ColorBy, SizeBy } from "./style";

const CommunitiesLegend = lazy(() => import("../communities/legend"));

export function Legend({ live }: { live: LiveGraph }) {
  const { legend, style } = useStore(live.state);
  const [open, setOpen] = useState(true);
  return (
    <section className="legend float" aria-label="Legend" data-open={open}>
      <header>
        <label>
          Colour
          <select
            value={style.colorBy}
            onChange={(event) =>
              // What was known of communities is not true any more when they are watched again.
              live.restyle({ colorBy: event.target.value as ColorBy, communities: null })
            }
          >
            <option value="type">type</option>
            <option value="label">label</option>
            <option value="degree">degree</option>
            <option value="communities">communities</option>
            {style.values && <option value="values">{style.values.name}</option>}
          </select>
        </label>
        <button
          type="button"
          className="icon-button"
          aria-expanded={open}
          aria-label={open ? "Fold the legend" : "Unfold the legend"}
          onClick={() => setOpen(!open)}
        >
          <Icon name={open ? "down" : "right"} />
        </button>
      </header>
      {style.colorBy === "communities" && (
        <Suspense fallback={<p className="communities">Looking for communities…</p>}>
          <CommunitiesLegend live={live} />
        </Suspense>
      )}
      {open && (
        <>
          <ul>
            {legend.filter(isThere).map((entry) => {
              const hidden = style.hidden.has(entry.id);
              return (
                <li key={entry.id} data-hidden={hidden}>
                  <button
                    type="button"
                    className="legend-entry"
                    aria-pressed={!hidden}
                    title={`${count(entry.count)} nodes. Click to ${hidden ? "show" : "hide"}, double click to see them alone.`}
                    onClick={() => live.toggleCategory(entry.id)}
                    onDoubleClick={() => live.only(entry.id)}
                  >
                    <span
                      className="swatch"
                      style={{ background: hidden ? "transparent" : entry.color, borderColor: entry.color }}
                    />
                    <span className="legend-name">{entry.name}</span>
                    <small>{compact(entry.count)}</small>
                  </button>
                </li>
              );
            })}
          </ul>
          <footer>
            <label>
              Size
              <select
                value={style.sizeBy}
                onChange={(event) => live.restyle({ sizeBy: event.target.value as SizeBy })}
              >
                <option value="degree">degree</option>
                <option value="same">all the same</option>
                {style.values && !style.values.grouped && <option value="values">{style.values.name}</option>}
              </select>
            </label>
            <label className="check">
              <input
                type="checkbox"
                checked={style.edges}
                onChange={(event) => live.restyle({ edges: event.target.checked })}
              />
              Edges
            </label>
            <label className="check">
              <input
                type="checkbox"
                checked={style.labels}
                onChange={(event) => live.restyle({ labels: event.target.checked })}
              />
              Names
            </label>
          </footer>
        </>
      )}
    </section>
  );
}

/** A step of the degrees that no node is on explains nothing. */
function isThere({ count: nodes }: { count: number }): boolean {
  return nodes > 0;
}
