import { Dialog } from "../ui/dialog";
import { createStore, useStore } from "./store";

const store = createStore(false);
export const help = { open: () => store.set(true) };

const KEYS: readonly [string, string][] = [
  ["Ctrl K", "Go to a page or run a command"],
  ["?", "This list"],
  ["/", "Search: nodes of the graph, logs, spans of a trace"],
  ["Enter", "Fly to the first result"],
  ["Esc", "Close, or clear the selection"],
  ["F", "Fit the graph into the view"],
  ["← ↑ → ↓", "Move the view (Shift: turn it, in 3D)"],
  ["+ −", "Zoom"],
  ["Space", "Start or stop the layout"],
  ["M   L", "Mark the chosen node; draw lines round nodes"],
  ["P   U", "Marked nodes: pin them, let them go"],
  ["R   C   G", "Marked nodes: in a row, in a column, as a group"],
  ["S", "Save a picture of the map"],
  ["T", "Change between map and table"],
  ["+ −   ← →   0", "In a chart: zoom, move, back to now"],
  ["[   ]", "In a chart: the values one step before or after"],
  ["↑ ↓   → ←", "In logs: the next record, open and close it"],
  ["↑ ↓   → ←", "In a trace: the next span, unfold and fold it"],
  ["Double click", "Fly to a node, or zoom in"],
  ["A   C", "In a workflow: add a node, connect the chosen one"],
  ["L   F", "In a workflow: put in order, fit into view"],
  ["Shift ← ↑ → ↓", "In a workflow: move the chosen nodes"],
  ["Ctrl Z", "In a workflow: a step back (Shift: forward)"],
  ["Ctrl Space", "In an expression: what can be named"],
];

export function Help() {
  if (!useStore(store)) return null;
  return (
    <Dialog title="Keyboard" onClose={() => store.set(false)}>
      <dl className="keys">
        {KEYS.map(([key, what]) => (
          <div key={what}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
