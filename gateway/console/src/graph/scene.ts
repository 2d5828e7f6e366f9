// The picture: takes the model, the positions and what is selected, and draws
// when, and only when, something has changed.
import { trimmedExtent } from "../render/extent";
import { Flight, type Goal } from "../render/flight";
import { NOWHERE, UNPLACED } from "../render/frames";
import { type Labelled, Labels, type Name } from "../render/labels";
import { encloses, type Line } from "../render/lasso";
import { LOOKS, type Theme } from "../render/look";
import { pick } from "../render/pick";
import { Positions } from "../render/positions";
import { Renderer } from "../render/renderer";
import { State } from "../render/shaders";
import type { GraphModel } from "./model";
import type { FrameStats } from "./stats";
import {
  type ColorBy,
  colourNodes,
  type NodeCommunities,
  type NodeStyle,
  type NodeValues,
  shuffledEnds,
  type SizeBy,
  styleNodes,
} from "./style";

const REST_MS = 300;
/** Above this a frame has too many edges for the GPU at hand; below the other, too few. */
const SLOW_MS = 40;
const FAST_MS = 22;
/** What a still picture may take. */
const PATIENCE_MS = 900;
const LEAST_EDGES = 4_000;
/** Choices that change colours and nothing else. */
const RECOLOURED: readonly (keyof SceneStyle)[] = ["colorBy", "communities", "hidden"];
/** Nodes that are looked at to tell where the graph is. */
const SAMPLE = 4_000;

export interface SceneStyle {
  theme: Theme;
  colorBy: ColorBy;
  sizeBy: SizeBy;
  /** What an analysis found, if the map is to show it. */
  values: NodeValues | null;
  /** Whom the graph's nodes belong to now, while somebody watches that. */
  communities: NodeCommunities | null;
  sizeFactor: number;
  edges: boolean;
  labels: boolean;
  hidden: ReadonlySet<string>;
}

const NONE = new Uint32Array(0);

/** The picture at a moment, as it was drawn. */
export interface Shown {
  model: GraphModel;
  style: NodeStyle;
  /** Colour and state of each node. */
  looks: Uint8Array;
  /** The edges that stand out: sources and targets. */
  lit: Uint32Array;
  renderer: Renderer;
  positions: Positions;
  now: number;
  names(): Name[];
  /** Writes the names into another picture of the view. */
  write(context: CanvasRenderingContext2D): void;
}

export class Scene {
  private readonly labels: Labels;
  style: NodeStyle | null = null;
  private looks = new Uint8Array(0);
  private lit: Uint32Array = NONE;
  private model: GraphModel | null = null;
  private hover = -1;
  private selected = -1;
  private path: readonly number[] = [];
  private marked: ReadonlySet<number> = new Set();
  private readonly always = new Set<number>();
  private preferred: number[] = [];
  private flight: Flight | null = null;
  private scheduled = 0;
  private restTimer: ReturnType<typeof setTimeout> | undefined;
  private budget = 40_000;
  /** Follow the whole graph while it unfolds, until a person takes the camera. */
  following = true;
  private fittedBox: { min: number[]; max: number[] } | null = null;
  calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  /** Called before a picture is drawn: the time to bring in what only a picture needs. */
  onDraw: () => void = () => {};

  static create(
    canvas: HTMLCanvasElement,
    overlay: HTMLCanvasElement,
    options: SceneStyle,
    stats: FrameStats,
  ): Scene | null {
    const positions = new Positions();
    const renderer = Renderer.create(canvas, positions);
    return renderer ? new Scene(renderer, positions, overlay, options, stats) : null;
  }

  private constructor(
    readonly renderer: Renderer,
    readonly positions: Positions,
    overlay: HTMLCanvasElement,
    private options: SceneStyle,
    readonly stats: FrameStats,
  ) {
    this.labels = new Labels(overlay);
    renderer.onRestored = () => this.refresh();
  }

  get camera() {
    return this.renderer.camera;
  }

  // --- content ---

  setModel(model: GraphModel): void {
    this.model = model;
    this.positions.resize(model.nodeCount);
    this.refresh();
  }

  setStyle(options: SceneStyle): void {
    const before = this.options;
    this.options = options;
    const { model, style } = this;
    if (!model || !style || !sameBut(before, options, RECOLOURED)) {
      this.refresh();
      return;
    }
    if (sameBut(before, options, [])) return;
    // Sizes and edges stay as they are, which is most of the work.
    if (!sameBut(before, options, ["hidden"]))
      this.style = { ...style, ...colourNodes(model, this.renderer.look, options) };
    this.uploadLooks();
  }

  /** Everything that follows from the model and the style, made anew. */
  private refresh(): void {
    const { model, options, renderer } = this;
    if (!model) return;
    renderer.look = LOOKS[options.theme];
    renderer.sizeFactor = options.sizeFactor;
    renderer.edgesVisible = options.edges;
    this.style = styleNodes(model, renderer.look, options);
    renderer.setSizes(this.style.sizes, this.style.order, model.nodeCount);
    renderer.setEdges(shuffledEnds(model.ends, model.edgeCount), model.edgeCount);
    this.uploadLooks();
    this.labels.invalidate();
  }

  setFocus(hover: number, selected: number, path: readonly number[]): void {
    if (hover === this.hover && selected === this.selected && path === this.path) return;
    this.hover = hover;
    this.selected = selected;
    this.path = path;
    this.uploadLooks();
    this.labels.invalidate();
  }

  /** Nodes that were marked together. */
  setMarked(marked: ReadonlySet<number>): void {
    this.marked = marked;
    this.uploadLooks();
    this.labels.invalidate();
  }

  /** Colours with the state of each node, and the edges that stand out. */
  private uploadLooks(): void {
    const { model, style, options, renderer } = this;
    if (!model || !style) return;
    this.looks = style.colors.slice();
    const { looks } = this;
    const hiddenCategory = style.legend.map((entry) => options.hidden.has(entry.id));
    for (let i = 0; i < model.nodeCount; i++) {
      if (model.gone[i] || hiddenCategory[style.category[i]]) looks[i * 4 + 3] = State.Hidden;
    }
    const mark = (index: number, state: number) => {
      if (index >= 0 && index < model.nodeCount) looks[index * 4 + 3] |= state;
    };
    this.always.clear();
    let lit: Uint32Array;
    if (this.path.length > 1) {
      lit = this.pathEdges(model);
      for (const index of this.path) {
        mark(index, State.Lit);
        this.always.add(index);
      }
    } else {
      lit = this.incidentEdges(model, [this.selected, this.hover]);
      for (const index of lit) mark(index, State.Lit);
    }
    this.lit = lit;
    this.preferred = [...new Set(lit)].sort((a, b) => style.sizes[b] - style.sizes[a]).slice(0, 2_000);
    for (const index of this.marked) mark(index, State.Focus);
    mark(this.selected, State.Focus);
    mark(this.hover, State.Hover);
    if (this.selected >= 0) this.always.add(this.selected);
    if (this.hover >= 0) this.always.add(this.hover);
    renderer.focus =
      this.selected >= 0 || this.path.length > 1 || this.marked.size > 0 ? 1 : this.hover >= 0 ? 0.45 : 0;
    renderer.setLooks(looks, model.nodeCount);
    renderer.setLitEdges(lit, lit.length / 2);
    this.invalidate();
  }

  private incidentEdges(model: GraphModel, nodes: readonly number[]): Uint32Array {
    const { offsets, edges } = model.adjacency();
    const out: number[] = [];
    for (const node of new Set(nodes)) {
      if (node < 0 || node >= model.nodeCount) continue;
      for (let at = offsets[node]; at < offsets[node + 1]; at++) {
        out.push(model.ends[edges[at] * 2], model.ends[edges[at] * 2 + 1]);
      }
    }
    return Uint32Array.from(out);
  }

  private pathEdges(model: GraphModel): Uint32Array {
    const { offsets, edges } = model.adjacency();
    const out: number[] = [];
    for (let step = 1; step < this.path.length; step++) {
      const [a, b] = [this.path[step - 1], this.path[step]];
      for (let at = offsets[a]; at < offsets[a + 1]; at++) {
        const [s, t] = [model.ends[edges[at] * 2], model.ends[edges[at] * 2 + 1]];
        if (s === b || t === b) {
          out.push(s, t);
          break;
        }
      }
    }
    return Uint32Array.from(out);
  }

  hidden = (index: number): boolean => (this.looks[index * 4 + 3] & State.Hidden) !== 0;

  private readonly dimmed = (index: number): boolean =>
    this.renderer.focus > 0.5 && (this.looks[index * 4 + 3] & (State.Lit | State.Focus | State.Hover)) === 0;

  // --- the camera ---

  resize(width: number, height: number): void {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.renderer.resize(width, height, ratio);
    this.labels.resize(width, height, ratio);
    this.labels.invalidate();
    if (this.following) this.fit(true);
    // At once, and not in the next frame: a cleared canvas would flash.
    this.paint(performance.now());
  }

  setDimensions(dimensions: 2 | 3): void {
    this.camera.dimensions = dimensions;
    this.positions.reset(dimensions);
    this.following = true;
    this.fittedBox = null;
    this.camera.update();
    this.invalidate();
  }

  /** A person moves the camera: stop following and flying. */
  take(): void {
    this.following = false;
    this.flight = null;
  }

  fit(now = false): void {
    const box = this.box();
    if (!box) return;
    const goal = this.camera.fitting(box.min, box.max);
    this.camera.fitScale = goal.scale;
    this.following = true;
    this.fittedBox = box;
    if (now || !this.positions.placed) {
      Object.assign(this.camera, goal);
      this.camera.update();
    } else {
      this.flyTo(goal);
    }
    this.invalidate();
  }

  flyTo(goal: Goal): void {
    this.flight = new Flight(this.camera, goal, performance.now(), this.calm);
    this.labels.invalidate();
    this.invalidate();
  }

  flyToNode(index: number): boolean {
    const at = new Float32Array(3);
    if (!this.positions.at(index, 1, at)) return false;
    this.following = false;
    // Near enough to read the neighbours' names: a large graph has to be entered further.
    const depth = Math.min(9, Math.max(1.6, Math.sqrt(this.positions.count) / 12));
    const scale = Math.max(this.camera.scale, this.camera.fitScale * depth);
    this.flyTo({ x: at[0], y: at[1], z: at[2], scale });
    return true;
  }

  flyToNodes(indices: readonly number[]): void {
    const at = new Float32Array(3);
    const min = [1e30, 1e30, 1e30];
    const max = [-1e30, -1e30, -1e30];
    for (const index of indices) {
      if (!this.positions.at(index, 1, at)) continue;
      for (let axis = 0; axis < 3; axis++) {
        min[axis] = Math.min(min[axis], at[axis]);
        max[axis] = Math.max(max[axis], at[axis]);
      }
    }
    if (min[0] > max[0]) return;
    this.following = false;
    const goal = this.camera.fitting(min, max, 0.6);
    this.flyTo({ ...goal, scale: Math.min(goal.scale, this.camera.fitScale * 60) });
  }

  /**
   * The box that nearly all nodes are in. A handful of strays far outside must
   * not make everything else a dot, so a sample's outermost part is left out.
   */
  private box(): { min: number[]; max: number[] } | null {
    const { positions } = this;
    if (!positions.placed) return null;
    const { to, stride, count } = positions;
    const every = Math.max(1, Math.floor(count / SAMPLE));
    const cut = count > 200 ? Math.floor((count / every) * 0.004) : 0;
    const min = [0, 0, 0];
    const max = [0, 0, 0];
    for (let axis = 0; axis < positions.dimensions; axis++) {
      // Few have a place yet: then all of them count.
      const extent =
        trimmedExtent(to, axis, count * stride, every * stride, cut, UNPLACED) ??
        trimmedExtent(to, axis, count * stride, stride, 0, UNPLACED);
      if (!extent) return null;
      const margin = (extent[1] - extent[0]) * (cut > 0 ? 0.03 : 0);
      min[axis] = Math.max(extent[0] - margin, positions.min[axis]);
      max[axis] = Math.min(extent[1] + margin, positions.max[axis]);
    }
    return { min, max };
  }

  /** Keeps the unfolding graph in view without chasing every twitch. */
  private follow(): void {
    if (!this.following || this.flight) return;
    const box = this.box();
    if (!box) return;
    const last = this.fittedBox;
    if (last) {
      const size = Math.max(last.max[0] - last.min[0], last.max[1] - last.min[1], 1e-6);
      const moved = Math.max(
        ...[0, 1].flatMap((a) => [Math.abs(box.min[a] - last.min[a]), Math.abs(box.max[a] - last.max[a])]),
      );
      if (moved < size * 0.02) return;
    }
    const goal = this.camera.fitting(box.min, box.max);
    const ease = last && !this.calm ? 0.25 : 1;
    const { camera } = this;
    camera.x += (goal.x - camera.x) * ease;
    camera.y += (goal.y - camera.y) * ease;
    camera.z += (goal.z - camera.z) * ease;
    camera.scale *= (goal.scale / camera.scale) ** ease;
    camera.fitScale = camera.scale;
    camera.update();
    if (ease === 1 || Math.abs(goal.scale / camera.scale - 1) < 0.01) this.fittedBox = box;
  }

  /** New positions are there. */
  framed(): void {
    this.follow();
    this.invalidate();
  }

  pick(px: number, py: number): number {
    const { style } = this;
    if (!style) return -1;
    const nodes = {
      sizes: style.sizes,
      hidden: this.hidden,
      radius: (size: number, depth: number) => this.renderer.radius(size, depth),
    };
    return pick(this.camera, this.positions, nodes, px, py, performance.now());
  }

  /** The nodes that a line on the screen goes round. */
  within(line: Line): number[] {
    const at = new Float32Array(3);
    const out = new Float32Array(3);
    const progress = this.positions.progress(performance.now());
    const found: number[] = [];
    for (let index = 0; index < (this.model?.nodeCount ?? 0); index++) {
      if (this.hidden(index) || !this.positions.at(index, progress, at)) continue;
      this.camera.project(at, out);
      if (out[2] > 0 && encloses(line, out[0], out[1])) found.push(index);
    }
    return found;
  }

  /** Where a node is on the screen, in CSS pixels of the canvas. */
  screenOf(index: number): [number, number] | null {
    const at = new Float32Array(3);
    if (
      index < 0 ||
      index === NOWHERE ||
      !this.positions.at(index, this.positions.progress(performance.now()), at)
    )
      return null;
    const out = new Float32Array(3);
    this.camera.project(at, out);
    return out[2] > 0 ? [out[0], out[1]] : null;
  }

  // --- the loop ---

  invalidate(): void {
    if (this.scheduled === 0) this.scheduled = requestAnimationFrame(this.tick);
  }

  /** Fits the number of edges in a moving picture to the GPU's pace. */
  private spend(): void {
    const { gpuMs } = this.renderer;
    const all = Math.max(this.model?.edgeCount ?? 0, LEAST_EDGES);
    if (gpuMs > SLOW_MS) this.budget *= Math.max(0.5, SLOW_MS / gpuMs);
    else if (gpuMs < FAST_MS) this.budget *= 1.1;
    this.budget = Math.min(all, Math.max(LEAST_EDGES, this.budget));
  }

  private readonly tick = (now: number): void => {
    this.scheduled = 0;
    if (this.renderer.busy(now)) {
      this.invalidate();
      return;
    }
    this.spend();
    this.onDraw();
    const started = performance.now();
    const arrived = this.flight?.step(started) ?? true;
    if (arrived && this.flight) {
      this.flight = null;
      this.labels.invalidate();
    }
    this.renderer.edgeBudget = this.budget;
    const fading = this.paint(started);
    clearTimeout(this.restTimer);
    if (!arrived || fading || this.positions.progress(started) < 1) this.invalidate();
    else this.restTimer = setTimeout(this.rest, REST_MS);
  };

  /**
   * Nothing moves: time for every edge. More of them in each round, as long as
   * the GPU takes it well; a hand on the map ends it at once.
   */
  private readonly rest = (): void => {
    if (this.scheduled !== 0) return;
    const { renderer } = this;
    const again = () => {
      this.restTimer = setTimeout(this.rest, REST_MS);
    };
    if (renderer.busy(performance.now())) {
      again();
      return;
    }
    const all = this.model?.edgeCount ?? 0;
    const drawn = Math.min(renderer.edgeBudget, all);
    if (drawn >= all || renderer.gpuMs > PATIENCE_MS) return;
    renderer.edgeBudget = drawn * 4;
    this.paint(performance.now());
    again();
  };

  private paint(now: number): boolean {
    const started = performance.now();
    this.renderer.draw(now);
    const drawn = performance.now();
    const { style, model } = this;
    let fading = false;
    if (style && model) {
      const nodes = this.labelled(model, style);
      fading = this.labels.draw(this.camera, this.positions, nodes, this.renderer.look, now, this.calm);
    }
    this.stats.frame(drawn - started, performance.now() - drawn);
    this.stats.edgesDrawn = Math.min(this.renderer.edgeBudget, model?.edgeCount ?? 0);
    return fading;
  }

  private labelled(model: GraphModel, style: NodeStyle): Labelled {
    return {
      ranking: this.options.labels ? style.ranking : NONE,
      sizes: style.sizes,
      title: (index) => model.title(index),
      hidden: this.hidden,
      dimmed: this.dimmed,
      always: this.always,
      preferred: this.preferred,
      radius: (size, depth) => this.renderer.radius(size, depth),
    };
  }

  /** What is on the screen, for whoever makes a picture of it; null while there is nothing. */
  shown(): Shown | null {
    const { model, style, renderer, camera, positions, labels, calm } = this;
    if (!model || !style || !positions.placed) return null;
    const nodes = this.labelled(model, style);
    const now = performance.now();
    return {
      model,
      style,
      looks: this.looks,
      lit: this.lit,
      renderer,
      positions,
      now,
      names: () => labels.list(camera, positions, nodes, now),
      write: (context) => labels.write(context, camera, positions, nodes, renderer.look, now, calm),
    };
  }

  dispose(): void {
    cancelAnimationFrame(this.scheduled);
    clearTimeout(this.restTimer);
    this.renderer.dispose();
  }
}

function sameBut(a: SceneStyle, b: SceneStyle, except: readonly (keyof SceneStyle)[]): boolean {
  return (Object.keys(a) as (keyof SceneStyle)[]).every((key) => except.includes(key) || a[key] === b[key]);
}
