// Which node an arrow key leads to.
import type { Point } from "./document";
import type { Box } from "./geometry";

const centre = ({ x, y, width, height }: Box): Point => ({
  x: x + width / 2,
  y: y + Math.min(height, 60) / 2,
});

/** The nearest one that way; one that is far to the side counts as further. */
export function nearest(boxes: ReadonlyMap<string, Box>, from: string, way: Point): string | undefined {
  const start = boxes.get(from);
  if (!start) return undefined;
  const at = centre(start);
  let best: { key: string; cost: number } | undefined;
  for (const [key, box] of boxes) {
    if (key === from) continue;
    const to = centre(box);
    const ahead = (to.x - at.x) * way.x + (to.y - at.y) * way.y;
    const aside = Math.abs((to.x - at.x) * way.y) + Math.abs((to.y - at.y) * way.x);
    if (ahead <= 0) continue;
    const cost = ahead + aside * 2;
    if (!best || cost < best.cost) best = { key, cost };
  }
  return best?.key;
}
