// The whole fleet at a glance: a cell for each agent, in the colour of its state,
// in the order of the list. Ten thousand cells are drawn in a millisecond or two.
import { useEffect, useRef, useState } from "react";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import { gridOf } from "./grid";
import { reasonOf, type StateName, stateOf, titleOf } from "./model";

const HEIGHT = 56;

export function FleetMap({ agents, onOpen }: { agents: readonly Agent[]; onOpen: (agent: Agent) => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState<Agent | null>(null);
  const { cell, columns } = gridOf(agents.length, width, HEIGHT);
  const rows = Math.ceil(agents.length / columns);

  useEffect(() => {
    const box = canvas.current?.parentElement;
    if (!box) return;
    const seen = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    seen.observe(box);
    return () => seen.disconnect();
  }, []);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || width === 0) return;
    const draw = () => {
      const scale = devicePixelRatio;
      element.width = width * scale;
      element.height = Math.max(1, rows) * cell * scale;
      context.scale(scale, scale);
      const style = getComputedStyle(element);
      const colours: Record<StateName, string> = {
        online: style.getPropertyValue("--good"),
        degraded: style.getPropertyValue("--warn"),
        offline: style.getPropertyValue("--line-strong"),
        maintenance: style.getPropertyValue("--accent"),
      };
      const gap = cell > 5 ? 2 : 1;
      agents.forEach((agent, at) => {
        context.fillStyle = colours[stateOf(agent)];
        const [x, y] = [(at % columns) * cell, Math.floor(at / columns) * cell];
        context.fillRect(x, y, cell - gap, cell - gap);
      });
    };
    draw();
    // Colours are the theme's.
    const themes = new MutationObserver(draw);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => themes.disconnect();
  }, [agents, width, cell, columns, rows]);

  const at = (event: React.PointerEvent | React.MouseEvent): Agent | null => {
    const box = event.currentTarget.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / cell);
    const row = Math.floor((event.clientY - box.top) / cell);
    return column < columns ? (agents[row * columns + column] ?? null) : null;
  };
  return (
    <div className="fleet-map">
      <canvas
        ref={canvas}
        role="img"
        aria-label="States of all agents; the list below has them one by one"
        style={{ width, height: Math.max(1, rows) * cell }}
        title={pointed ? `${titleOf(pointed)}: ${stateOf(pointed)}, ${reasonOf(pointed)}` : undefined}
        onPointerMove={(event) => setPointed(at(event))}
        onPointerLeave={() => setPointed(null)}
        onClick={(event) => {
          const agent = at(event);
          if (agent) onOpen(agent);
        }}
      />
    </div>
  );
}
