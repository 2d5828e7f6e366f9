// Names of the most important nodes in view, drawn over the graph. Which ones
// is decided a few times a second; where they are, in every frame.
import type { Camera } from "./camera";
import type { Look } from "./look";
import type { Positions } from "./positions";

const CHOOSE_EVERY_MS = 140;
const FADE_MS = 180;
const MAX_LABELS = 70;
/** Nodes looked at in one choice: enough for a view, bounded for a frame. */
const MAX_LOOKED_AT = 60_000;
/** Nodes of the highest rank, whose names no other name may keep away. */
const LEADING = 12;
const CELL = 24;
/** A dot too small to be seen as a disc has no name. */
const LEAST_RADIUS = 2.2;
export const FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
/** Of names of small nodes, and of large ones. */
export const FACES = [
  { weight: 500, size: 11.5 },
  { weight: 600, size: 13 },
] as const;
const FONTS = FACES.map(({ weight, size }) => `${weight} ${size}px ${FAMILY}`);
/** Opacity of a name outside of what is in focus. */
const DIMMED = 0.25;
/** Between a disc and its name. */
const GAP = 4;

export interface Labelled {
  /** Node indices, most important first. */
  ranking: Uint32Array;
  sizes: Uint8Array;
  title(index: number): string;
  hidden(index: number): boolean;
  dimmed(index: number): boolean;
  /** Nodes that are named whatever the crowd: hover, selection, path. */
  always: ReadonlySet<number>;
  /** Nodes whose names go first: those that hang on the node in focus. */
  preferred: readonly number[];
  radius(size: number, depthScale: number): number;
}

/** A name on the screen; places in CSS pixels. */
export interface Name {
  text: string;
  large: boolean;
  x: number;
  y: number;
  opacity: number;
}

interface Shown {
  since: number;
  leaving: number;
  text: string;
  large: boolean;
}

export class Labels {
  private readonly context: CanvasRenderingContext2D | null;
  private readonly shown = new Map<number, Shown>();
  private chosenAt = Number.NEGATIVE_INFINITY;
  private ratio = 1;
  private readonly place = new Float32Array(3);
  private readonly screen = new Float32Array(3);

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d");
  }

  resize(width: number, height: number, ratio: number): void {
    this.ratio = ratio;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
  }

  /** Draws, and says whether something is still fading. */
  draw(
    camera: Camera,
    positions: Positions,
    nodes: Labelled,
    look: Look,
    now: number,
    calm: boolean,
  ): boolean {
    const { context, ratio } = this;
    if (!context) return false;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, camera.width, camera.height);
    if (!positions.placed) return false;
    if (now - this.chosenAt > CHOOSE_EVERY_MS) {
      this.choose(camera, positions, nodes, now);
      this.chosenAt = now;
    }
    return this.write(context, camera, positions, nodes, look, now, calm);
  }

  /** The names that are shown, where they are shown, into any picture of the view. */
  write(
    context: CanvasRenderingContext2D,
    camera: Camera,
    positions: Positions,
    nodes: Labelled,
    look: Look,
    now: number,
    calm: boolean,
  ): boolean {
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = look.labelHalo;
    context.fillStyle = look.label;
    let fading = false;
    for (const [index, label] of this.shown) {
      const fade = calm ? 1 : Math.min(1, (now - (label.leaving || label.since)) / FADE_MS);
      const alpha = label.leaving ? 1 - fade : fade;
      if (label.leaving && fade >= 1) {
        this.shown.delete(index);
        continue;
      }
      if (fade < 1) fading = true;
      const at = this.placeOf(index, camera, positions, nodes, now);
      if (!at) continue;
      context.globalAlpha = alpha * (nodes.dimmed(index) ? DIMMED : 1);
      context.font = FONTS[label.large ? 1 : 0];
      context.strokeText(label.text, at[0], at[1]);
      context.fillText(label.text, at[0], at[1]);
    }
    context.globalAlpha = 1;
    return fading;
  }

  /** The names that are shown and stay. */
  list(camera: Camera, positions: Positions, nodes: Labelled, now: number): Name[] {
    return [...this.shown].flatMap(([index, { leaving, text, large }]) => {
      const at = leaving ? null : this.placeOf(index, camera, positions, nodes, now);
      return at ? [{ text, large, x: at[0], y: at[1], opacity: nodes.dimmed(index) ? DIMMED : 1 }] : [];
    });
  }

  /** Where a name begins: right of its disc, at the height of its middle. */
  private placeOf(
    index: number,
    camera: Camera,
    positions: Positions,
    nodes: Labelled,
    now: number,
  ): [number, number] | null {
    if (!positions.at(index, positions.progress(now), this.place)) return null;
    camera.project(this.place, this.screen);
    const [x, y, depth] = this.screen;
    return depth > 0 ? [x + nodes.radius(nodes.sizes[index], depth) + GAP, y] : null;
  }

  /** Choose again in the next frame, after a jump or a change of style. */
  invalidate(): void {
    this.chosenAt = Number.NEGATIVE_INFINITY;
  }

  private choose(camera: Camera, positions: Positions, nodes: Labelled, now: number): void {
    const columns = Math.ceil(camera.width / CELL) + 1;
    const rows = Math.ceil(camera.height / CELL) + 1;
    const taken = new Uint8Array(columns * rows);
    const t = positions.progress(now);
    const chosen = new Set<number>();
    const consider = (index: number, force: boolean): void => {
      if (
        chosen.has(index) ||
        nodes.hidden(index) ||
        (!force && nodes.dimmed(index)) ||
        !positions.at(index, t, this.place)
      )
        return;
      camera.project(this.place, this.screen);
      const [sx, sy, depth] = this.screen;
      if (depth <= 0 || sx < -20 || sy < 0 || sx > camera.width || sy > camera.height) return;
      const radius = nodes.radius(nodes.sizes[index], depth);
      if (!force && radius < LEAST_RADIUS) return;
      const known = this.shown.get(index);
      const text = known?.text ?? shorten(nodes.title(index));
      // Guessed, because measuring thousands of names that find no room costs more than the drawing.
      if (!this.claim(taken, columns, rows, sx + radius, sy, text.length * 6.4 + 12, force)) return;
      chosen.add(index);
      if (!known) this.shown.set(index, { since: now, leaving: 0, text, large: radius > 7 });
      else {
        known.large = radius > 7;
        if (known.leaving) Object.assign(known, { since: now, leaving: 0 });
      }
    };
    for (const index of nodes.always) consider(index, true);
    for (const index of nodes.preferred) if (chosen.size < MAX_LABELS) consider(index, false);
    // The few that matter most are named before anything that only was there earlier.
    const leading = Math.min(LEADING, nodes.ranking.length);
    for (let i = 0; i < leading && chosen.size < MAX_LABELS; i++) consider(nodes.ranking[i], false);
    // Those that are shown keep their place first, so that names do not flicker.
    const kept = [...this.shown].filter(([, label]) => !label.leaving).map(([index]) => index);
    for (const index of kept) if (chosen.size < MAX_LABELS) consider(index, false);
    const limit = Math.min(nodes.ranking.length, MAX_LOOKED_AT);
    for (let i = 0; i < limit && chosen.size < MAX_LABELS; i++) {
      const index = nodes.ranking[i];
      // By rank the discs only get smaller, and in the plane no distance changes that.
      if (camera.dimensions === 2 && nodes.radius(nodes.sizes[index], 1) < LEAST_RADIUS) break;
      consider(index, false);
    }
    for (const [index, label] of this.shown) {
      if (!chosen.has(index) && !label.leaving) label.leaving = now;
    }
  }

  private claim(
    taken: Uint8Array,
    columns: number,
    rows: number,
    x: number,
    y: number,
    width: number,
    force: boolean,
  ): boolean {
    const left = Math.max(0, Math.floor(x / CELL));
    const right = Math.min(columns - 1, Math.floor((x + width) / CELL));
    const top = Math.max(0, Math.floor((y - 9) / CELL));
    const bottom = Math.min(rows - 1, Math.floor((y + 9) / CELL));
    if (!force) {
      for (let row = top; row <= bottom; row++) {
        for (let column = left; column <= right; column++) if (taken[row * columns + column]) return false;
      }
    }
    for (let row = top; row <= bottom; row++) taken.fill(1, row * columns + left, row * columns + right + 1);
    return true;
  }
}

function shorten(text: string): string {
  return text.length > 36 ? `${text.slice(0, 35)}…` : text;
}
