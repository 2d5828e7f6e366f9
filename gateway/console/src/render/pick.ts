// Which node is under the pointer. A straight scan of the position arrays: at
// 100,000 nodes it takes less time than keeping a grid true while they move.
import type { Camera } from "./camera";
import type { Positions } from "./positions";
import { UNPLACED } from "./frames";

export interface Pickable {
  sizes: Uint8Array;
  hidden(index: number): boolean;
  radius(size: number, depthScale: number): number;
}

const SLACK = 5;

export function pick(
  camera: Camera,
  positions: Positions,
  nodes: Pickable,
  px: number,
  py: number,
  now: number,
): number {
  const { from, to, stride, count } = positions;
  const t = positions.progress(now);
  const m = camera.matrix;
  const flat = camera.dimensions === 2;
  const distance = flat ? 1 : camera.distance;
  const [halfW, halfH] = [camera.width / 2, camera.height / 2];
  let best = -1;
  let bestScore = Number.POSITIVE_INFINITY;
  for (let i = 0, at = 0; i < count; i++, at += stride) {
    if (to[at] === UNPLACED) continue;
    const x = from[at] + (to[at] - from[at]) * t;
    const y = from[at + 1] + (to[at + 1] - from[at + 1]) * t;
    const z = flat ? 0 : from[at + 2] + (to[at + 2] - from[at + 2]) * t;
    const w = flat ? 1 : m[3] * x + m[7] * y + m[11] * z + m[15];
    if (w <= 0) continue;
    const dx = (halfW * (m[0] * x + m[4] * y + m[8] * z + m[12])) / w + halfW - px;
    if (dx > 80 || dx < -80) continue;
    const dy = halfH - (halfH * (m[1] * x + m[5] * y + m[9] * z + m[13])) / w - py;
    if (dy > 80 || dy < -80 || nodes.hidden(i)) continue;
    const depthScale = flat ? 1 : distance / w;
    const reach = nodes.radius(nodes.sizes[i], depthScale);
    const off = Math.hypot(dx, dy) - reach;
    // Inside a disc the one drawn last wins; outside, the nearest within the slack.
    const score = off <= 0 ? -reach / 1000 - 1 + off / (1 + reach * 10) : off;
    if (off <= SLACK && score < bestScore) {
      best = i;
      bestScore = score;
    }
  }
  return best;
}
