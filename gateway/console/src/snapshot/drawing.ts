// What is on the screen as lines, discs and names: the same rules as the shaders
// have, for pictures that are no pixels.
import type { Shown } from "../graph/scene";
import type { Name } from "../render/labels";
import { rgb } from "../render/look";
import { State } from "../render/shaders";

/** Above this a file is slow in every program that opens it. */
export const MOST_ELEMENTS = 50_000;
/** Room round the view, so that what is cut off is not seen to be. */
const MARGIN = 4;
/** Shorter lines are not drawn, in pixels of the screen. */
const LEAST_LENGTH = 0.75;
/** What lies outside of the focus keeps this much of its opacity. */
const DIM_NODE = 0.16;
const DIM_EDGE = 0.18;

type Colour = readonly [number, number, number];

/** All places and lengths in CSS pixels of the view. */
export interface Stroke {
  from: [number, number];
  to: [number, number];
  color: Colour;
  width: number;
  opacity: number;
}

export interface Disc {
  x: number;
  y: number;
  radius: number;
  color: Colour;
  opacity: number;
  /** Opacity of the rim in the background's colour. */
  rim: number;
  /** Opacity of the ring round a node in focus. */
  ring: number;
}

export interface Arrow {
  corners: [number, number][];
  color: Colour;
}

export interface Drawing {
  width: number;
  height: number;
  strokes: Stroke[];
  arrows: Arrow[];
  discs: Disc[];
  names: Name[];
}

/** The part of a line that lies in a box from -margin to the box's ends (Liang and Barsky, 1984); null if none does. */
export function clip(
  from: readonly [number, number],
  to: readonly [number, number],
  width: number,
  height: number,
): { from: [number, number]; to: [number, number] } | null {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  let [enter, leave] = [0, 1];
  for (const [along, room] of [
    [-dx, from[0] + MARGIN],
    [dx, width + MARGIN - from[0]],
    [-dy, from[1] + MARGIN],
    [dy, height + MARGIN - from[1]],
  ]) {
    if (along === 0) {
      if (room < 0) return null;
    } else if (along < 0) enter = Math.max(enter, room / along);
    else leave = Math.min(leave, room / along);
  }
  if (enter > leave) return null;
  return {
    from: [from[0] + dx * enter, from[1] + dy * enter],
    to: [from[0] + dx * leave, from[1] + dy * leave],
  };
}

const mix = (a: Colour, b: Colour, part: number): Colour => [
  a[0] + (b[0] - a[0]) * part,
  a[1] + (b[1] - a[1]) * part,
  a[2] + (b[2] - a[2]) * part,
];

const step = (low: number, high: number, value: number) => {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
};

/** How many elements there would be, if that is more than may be. */
export function drawingOf(shown: Shown): Drawing | { tooMany: number } {
  const { model, style, looks, lit, renderer, positions, now } = shown;
  const { camera, look, focus, ratio } = renderer;
  const { width, height } = camera;
  const flat = camera.dimensions === 2;
  const ground = rgb(look.background);
  const t = positions.progress(now);
  const place = new Float32Array(3);
  const screen = new Float32Array(3);
  // Where each node is on the screen; depth 0 for those that are not.
  const at = new Float32Array(model.nodeCount * 3);
  for (let i = 0; i < model.nodeCount; i++) {
    if (looks[i * 4 + 3] & State.Hidden || !positions.at(i, t, place)) continue;
    camera.project(place, screen);
    if (screen[2] > 0) at.set(screen, i * 3);
  }
  const stateOf = (i: number) => looks[i * 4 + 3];
  const colorOf = (i: number): Colour => [looks[i * 4], looks[i * 4 + 1], looks[i * 4 + 2]];
  const hazeOf = (i: number) => (flat ? 0 : Math.min(0.8, Math.max(0, 0.2 + (1 / at[i * 3 + 2] - 1) * 1.1)));
  const radiusOf = (i: number) => renderer.radius(style.sizes[i], at[i * 3 + 2]);

  let elements = 0;
  const discs: Disc[] = [];
  for (const i of style.order) {
    const [x, y, depth] = [at[i * 3], at[i * 3 + 1], at[i * 3 + 2]];
    if (depth <= 0) continue;
    const raised = (stateOf(i) & (State.Focus | State.Hover)) !== 0;
    const radius = raised ? Math.max(radiusOf(i) * 1.12, 4) : radiusOf(i);
    const reach = radius + MARGIN;
    if (x < -reach || y < -reach || x > width + reach || y > height + reach) continue;
    if (++elements > MOST_ELEMENTS) continue;
    const dim = focus > 0 && (stateOf(i) & (State.Lit | State.Focus | State.Hover)) === 0;
    discs.push({
      x,
      y,
      radius,
      color: raised ? colorOf(i) : mix(colorOf(i), ground, hazeOf(i)),
      opacity: dim ? 1 + (DIM_NODE - 1) * focus : 1,
      rim: step(2.5, 6, radius) * 0.85,
      ring: raised ? (stateOf(i) & State.Focus ? 1 : 0.6) : 0,
    });
  }

  const strokes: Stroke[] = [];
  const stroke = (s: number, e: number, count: number, standsOut: boolean) => {
    if (at[s * 3 + 2] <= 0 || at[e * 3 + 2] <= 0) return;
    const from = [at[s * 3], at[s * 3 + 1]] as const;
    const to = [at[e * 3], at[e * 3 + 1]] as const;
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (length * ratio < LEAST_LENGTH) return;
    const seen = clip(from, to, width, height);
    if (!seen || ++elements > MOST_ELEMENTS) return;
    const edge = renderer.edgeLook(count, standsOut);
    const fade = standsOut ? 1 : Math.min(1, Math.max(0.12, edge.fadeLength / length));
    const both = (stateOf(s) & stateOf(e) & (State.Lit | State.Focus)) !== 0;
    const focused = standsOut || both ? 1 : 1 + (DIM_EDGE - 1) * focus;
    const haze = 1 - (hazeOf(s) + hazeOf(e)) / 2;
    strokes.push({
      ...seen,
      color: mix([0, 0, 0], mix(colorOf(s), colorOf(e), 0.5), standsOut ? 1 : look.edgeShade),
      // Thin lines are a pixel wide and paler, as on the screen.
      width: Math.max(edge.width, 1 / ratio),
      opacity: edge.opacity * Math.min(1, edge.width * ratio) * fade * focused * haze,
    });
  };
  if (renderer.edgesVisible)
    for (let e = 0; e < model.edgeCount; e++)
      stroke(model.ends[e * 2], model.ends[e * 2 + 1], model.edgeCount, false);
  const arrows: Arrow[] = [];
  for (let e = 0; e < lit.length; e += 2) {
    const [s, target] = [lit[e], lit[e + 1]];
    stroke(s, target, lit.length / 2, true);
    if (at[s * 3 + 2] <= 0 || at[target * 3 + 2] <= 0) continue;
    const corners = arrowOf(
      [at[s * 3], at[s * 3 + 1]],
      [at[target * 3], at[target * 3 + 1]],
      radiusOf(target) + 1.5,
    );
    if (corners && ++elements <= MOST_ELEMENTS) arrows.push({ corners, color: colorOf(s) });
  }
  return elements > MOST_ELEMENTS
    ? { tooMany: elements }
    : { width, height, strokes, arrows, discs, names: shown.names() };
}

/** The head of an arrow that ends at a disc; null where there is no room for one. */
function arrowOf(
  from: readonly [number, number],
  to: readonly [number, number],
  radius: number,
): [number, number][] | null {
  const size = 6;
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  if (length < radius + size * 2.5) return null;
  const [dx, dy] = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
  const [x, y] = [to[0] - dx * radius, to[1] - dy * radius];
  const corner = (side: number): [number, number] => [
    x - dx * size - dy * side * 0.42 * size,
    y - dy * size + dx * side * 0.42 * size,
  ];
  return [[x, y], corner(1), corner(-1)];
}
