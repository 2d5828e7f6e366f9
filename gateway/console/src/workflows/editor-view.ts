// Where somebody looks at a workflow: how far it is moved and how large it is.
import type { Point } from "./document";
import type { Box } from "./geometry";

export interface View extends Point {
  scale: number;
}

const SMALLEST = 0.2;
const LARGEST = 2;
const MARGIN = 48;

/** So that all of it is in sight, and not larger than it is; or its beginning, where it would be too small. */
export function fitted(boxes: Iterable<Box>, width: number, height: number, smallest = SMALLEST): View {
  const all = [...boxes];
  if (all.length === 0 || width === 0) return { x: 0, y: 0, scale: 1 };
  const left = Math.min(...all.map((box) => box.x));
  const top = Math.min(...all.map((box) => box.y));
  const right = Math.max(...all.map((box) => box.x + box.width));
  const bottom = Math.max(...all.map((box) => box.y + box.height));
  const wide = (width - 2 * MARGIN) / Math.max(1, right - left);
  const high = (height - 2 * MARGIN) / Math.max(1, bottom - top);
  const scale = Math.max(smallest, Math.min(1, wide, high));
  return {
    scale,
    x: Math.max(MARGIN, (width - (right - left) * scale) / 2) - left * scale,
    y: Math.max(MARGIN, ((height - (bottom - top) * scale) * 2) / 5) - top * scale,
  };
}

/** Larger or smaller, with what is under a point staying there. */
export function zoomed(view: View, by: number, at: Point): View {
  const scale = Math.max(SMALLEST, Math.min(LARGEST, view.scale * by));
  const ratio = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio };
}

/** Moved just so far that a box is in sight. */
export function shown(view: View, box: Box, width: number, height: number): View {
  const left = box.x * view.scale + view.x;
  const top = box.y * view.scale + view.y;
  const right = left + Math.min(box.width * view.scale, width - 2 * MARGIN);
  const bottom = top + Math.min(box.height * view.scale, height - 2 * MARGIN);
  const dx = left < MARGIN ? MARGIN - left : right > width - MARGIN ? width - MARGIN - right : 0;
  const dy = top < MARGIN ? MARGIN - top : bottom > height - MARGIN ? height - MARGIN - bottom : 0;
  return dx === 0 && dy === 0 ? view : { ...view, x: view.x + dx, y: view.y + dy };
}
