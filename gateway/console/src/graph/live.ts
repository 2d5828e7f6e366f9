// One open graph: joins its feed, its layout and its picture, and tells the
// page's components what they need to know in one store.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { createStore } from "../app/store";
import { theme } from "../app/theme";
import { type Layout, type LayoutParametersSchema, LayoutState } from "../gen/weft/compute/v1/layout_pb";
import { LayoutService } from "../gen/weft/compute/v1/layout_service_pb";
import type { Graph } from "../gen/weft/graph/v1/graph_pb";
import { type Frame, FrameReader } from "../render/frames";
import type { Line } from "../render/lasso";
import { session } from "../auth/session";
import { describe } from "../rpc/errors";
import { layouts } from "../rpc/layouts";
import { may } from "../rpc/policy";
import { toast } from "../ui/toast";
import { follow } from "./feed";
import { attachInput } from "./input";
import { LayoutLink } from "./layout-link";
import type { GraphModel } from "./model";
import { Scene, type SceneStyle } from "./scene";
import { FrameStats } from "./stats";
import { bestColorBy, type LegendEntry, type NodeValues } from "./style";

const CHANGE_EVERY_MS = 250;

export interface LiveState {
  phase: "loading" | "ready" | "failed";
  error: unknown;
  progress: { nodes: number; edges: number; totalNodes: number; totalEdges: number };
  graph: Graph | null;
  /** Rises with the model, for components that read it. */
  version: number;
  layout: Layout | null;
  layoutError: string;
  /** Somebody has deleted the layout that is shown. */
  layoutGone: boolean;
  /** No frame has come yet. */
  placing: boolean;
  webgl: boolean;
  dimensions: 2 | 3;
  hover: { index: number; x: number; y: number } | null;
  selected: number;
  path: readonly number[];
  /** Nodes that were marked together, to do something with all of them. */
  marked: ReadonlySet<number>;
  /** The line that is being drawn round nodes. */
  lasso: Line;
  style: SceneStyle;
  legend: readonly LegendEntry[];
  /** The hand draws lines round nodes, and does not move the view. */
  lassoing: boolean;
  /** A picture of the view is about to be saved. */
  snapshot: boolean;
}

const NO_PATH: readonly number[] = [];
const NONE: ReadonlySet<number> = new Set();
const NO_LINE: Line = [];

export class LiveGraph {
  readonly state;
  model: GraphModel | null = null;
  scene: Scene | null = null;
  readonly stats = new FrameStats();
  readonly canMove: boolean;
  readonly mayMakeLayout: boolean;
  private readonly stop = new AbortController();
  private layoutStop = new AbortController();
  private link: LayoutLink | null = null;
  private reader = new FrameReader();
  private lastFrame: Frame | null = null;
  /** When the newest frame came, if it is not on the map yet. */
  private frameDue: number | null = null;
  private detach: () => void = () => {};
  private changeTimer: ReturnType<typeof setTimeout> | undefined;
  /** A node asked for before it was known, by its key. */
  private wanted: string | null = null;

  constructor(
    readonly project: string,
    readonly id: string,
  ) {
    this.state = createStore<LiveState>({
      phase: "loading",
      error: null,
      progress: { nodes: 0, edges: 0, totalNodes: 0, totalEdges: 0 },
      graph: null,
      version: 0,
      layout: null,
      layoutError: "",
      layoutGone: false,
      placing: true,
      webgl: true,
      dimensions: 2,
      hover: null,
      selected: -1,
      path: NO_PATH,
      marked: NONE,
      lasso: NO_LINE,
      lassoing: false,
      snapshot: false,
      legend: [],
      style: {
        theme: theme.effective(),
        colorBy: "type",
        sizeBy: "degree",
        values: null,
        communities: null,
        sizeFactor: 1,
        edges: true,
        labels: true,
        hidden: new Set(),
      },
    });
    const principal = session.store.get().principal;
    this.canMove = may(principal, LayoutService.method.attachLayout, project);
    this.mayMakeLayout = may(principal, LayoutService.method.createLayout, project);
    const unfollow = theme.store.subscribe(() => this.restyle({ theme: theme.effective() }));
    this.stop.signal.addEventListener("abort", unfollow);
  }

  get name(): string {
    return `projects/${this.project}/graphs/${this.id}`;
  }

  /** The layout that is shown. */
  get layoutName(): string {
    return `${this.name}/layouts/${this.state.get().dimensions === 2 ? "main" : "main-3d"}`;
  }

  // --- beginning and end ---

  start(): void {
    this.state.patch({ phase: "loading", error: null });
    void follow(
      this.name,
      {
        progress: (progress) => this.state.get().phase === "loading" && this.state.patch({ progress }),
        loaded: (model, graph) => this.loaded(model, graph),
        changed: (_model, graph) => {
          if (graph) this.state.patch({ graph });
          this.changedSoon();
        },
        failed: (error) => this.state.get().phase !== "ready" && this.state.patch({ phase: "failed", error }),
      },
      this.stop.signal,
    );
    this.attachLayout();
  }

  /** The canvases are made here: a context that was given back cannot be had again. */
  mount(element: HTMLElement): () => void {
    const canvas = document.createElement("canvas");
    const overlay = document.createElement("canvas");
    overlay.className = "map-labels";
    for (const one of [canvas, overlay]) one.setAttribute("aria-hidden", "true");
    element.replaceChildren(canvas, overlay);
    const scene = Scene.create(canvas, overlay, this.state.get().style, this.stats);
    if (!scene) {
      this.state.patch({ webgl: false });
      return () => {};
    }
    this.scene = scene;
    scene.onDraw = () => this.frameDue !== null && this.place();
    scene.camera.dimensions = this.state.get().dimensions;
    const resize = new ResizeObserver(() => scene.resize(element.clientWidth, element.clientHeight));
    resize.observe(element);
    scene.resize(element.clientWidth, element.clientHeight);
    if (this.model) {
      scene.setModel(this.model);
      scene.setFocus(-1, this.state.get().selected, this.state.get().path);
      scene.setMarked(this.state.get().marked);
      this.place();
      this.state.patch({ legend: scene.style?.legend ?? [] });
    }
    this.detach = attachInput(element, scene, {
      hover: (index, x, y) => this.hover(index, x, y),
      select: (index) => this.select(index),
      open: (index) => this.goTo(index),
      mayDrag: () => this.canMove,
      drag: (index, at) => this.model && this.link?.drag(this.model.ordinals[index], at),
      release: (index) => this.model && this.link?.release(this.model.ordinals[index]),
      mark: (index) => this.mark(index),
      lassoing: () => this.state.get().lassoing,
      lasso: (line) => this.state.patch({ lasso: line }),
      lassoed: (line) => this.markOnly([...this.state.get().marked, ...(this.scene?.within(line) ?? [])]),
    });
    expose(this);
    return () => {
      resize.disconnect();
      this.detach();
      scene.dispose();
      this.scene = null;
    };
  }

  dispose(): void {
    this.stop.abort();
    this.layoutStop.abort();
    clearTimeout(this.changeTimer);
  }

  // --- content ---

  private loaded(model: GraphModel, graph: Graph): void {
    const first = this.model === null;
    // Another model counts its nodes otherwise.
    if (!first) this.markOnly([]);
    const selectedKey = this.state.get().selected >= 0 ? this.model?.keys[this.state.get().selected] : null;
    this.model = model;
    const { style } = this.state.get();
    const next = first ? { ...style, colorBy: bestColorBy(model) } : style;
    this.state.patch({ phase: "ready", error: null, graph, style: next, version: model.version });
    this.scene?.setStyle(next);
    this.scene?.setModel(model);
    this.place();
    this.state.patch({ legend: this.scene?.style?.legend ?? [] });
    const key = this.wanted ?? selectedKey;
    this.wanted = null;
    if (key) this.goToKey(key);
  }

  /** Bursts of revisions are drawn together: the picture need not flicker. */
  private changedSoon(): void {
    this.changeTimer ??= setTimeout(() => {
      this.changeTimer = undefined;
      const { model } = this;
      if (!model) return;
      this.scene?.setModel(model);
      this.place();
      const { selected } = this.state.get();
      if (selected >= 0 && model.gone[selected]) this.select(-1);
      const { marked } = this.state.get();
      if (marked.size > 0) this.markOnly([...marked].filter((index) => !model.gone[index]));
      this.state.patch({ version: model.version, legend: this.scene?.style?.legend ?? [] });
    }, CHANGE_EVERY_MS);
  }

  // --- the layout ---

  private attachLayout(): void {
    this.layoutStop.abort();
    this.layoutStop = new AbortController();
    const link = new LayoutLink(
      this.name,
      this.layoutName.slice(this.name.length + "/layouts/".length),
      this.canMove,
      this.mayMakeLayout,
      {
        opened: () => {
          this.reader = new FrameReader();
          this.stats.opened();
        },
        layout: (layout) => {
          if (link === this.link)
            this.state.patch({ layout, layoutError: layout.failureMessage, layoutGone: false });
        },
        frame: (bytes) => link === this.link && this.frame(bytes),
        missing: (deleted) => {
          if (link !== this.link) return;
          if (deleted) this.state.patch({ layout: null, layoutError: "", layoutGone: true });
          else
            this.state.patch({
              layoutError: `nobody has made one in ${this.state.get().dimensions}D yet, and your role does not let you`,
            });
        },
        failed: (error, over) => {
          // While there are positions to look at, the connection's dot says that no more come.
          if (link === this.link && (over || this.state.get().placing))
            this.state.patch({ layoutError: describe(error) });
        },
      },
    );
    this.link = link;
    void link.run(this.layoutStop.signal);
  }

  private frame(bytes: Uint8Array): void {
    const came = performance.now();
    const frame = this.reader.read(bytes);
    this.lastFrame = frame;
    this.stats.received(performance.now() - came, bytes.length, frame.header, came);
    this.frameDue = came;
    // Where frames come faster than pictures can be drawn, only the newest one
    // is worth the work; the first one is what everything waits for.
    if (this.scene?.positions.placed && !this.state.get().placing) this.scene.invalidate();
    else this.place();
  }

  /**
   * Puts the newest frame on the map. Also when the graph, the map or a node
   * came after it: a layout at rest does not send its positions again.
   */
  private place(): void {
    const { scene, model, lastFrame } = this;
    if (!scene || !model || !lastFrame) return;
    const began = performance.now();
    const first = !scene.positions.placed;
    scene.positions.accept(lastFrame, model.ordinals, this.frameDue ?? began);
    this.frameDue = null;
    if (first) scene.fit(true);
    scene.framed();
    this.stats.placed(performance.now() - began);
    if (this.state.get().placing && lastFrame.header.count > 0) {
      this.state.patch({ placing: false, layoutError: "" });
      const { selected } = this.state.get();
      if (selected >= 0) scene.flyToNode(selected);
    }
  }

  setDimensions(dimensions: 2 | 3): void {
    if (dimensions === this.state.get().dimensions) return;
    this.lastFrame = null;
    this.frameDue = null;
    this.state.patch({ dimensions, placing: true, layout: null, layoutError: "", layoutGone: false });
    this.scene?.setDimensions(dimensions);
    this.attachLayout();
  }

  async command(verb: "start" | "stop" | "reheat" | "restart"): Promise<void> {
    const name = this.link?.name;
    if (!name) return;
    try {
      const layout =
        verb === "start"
          ? await layouts.startLayout({ name })
          : verb === "stop"
            ? await layouts.stopLayout({ name })
            : await layouts.reheatLayout({
                name,
                resetPositions: verb === "restart",
                requestId: crypto.randomUUID(),
              });
      // Meanwhile another one may be shown.
      if (name !== this.link?.name) return;
      this.state.patch({ layout });
      // One that had failed has no stream.
      this.link.again();
      if (verb === "restart") this.scene?.fit();
    } catch (error) {
      toast.error(describe(error));
    }
  }

  /** Makes the layout that was deleted anew, from places of its own. */
  async makeLayout(): Promise<void> {
    const { link } = this;
    try {
      await link?.make();
      link?.again();
    } catch (error) {
      toast.error(describe(error));
    }
  }

  /** Sets what `paths` name; what is named and not given has its default again. */
  async tune(parameters: MessageInitShape<typeof LayoutParametersSchema>, paths: string[]): Promise<void> {
    const name = this.link?.name;
    if (!name) return;
    try {
      const updateMask = create(FieldMaskSchema, { paths });
      const layout = await layouts.updateLayout({ layout: { name, parameters }, updateMask });
      if (name === this.link?.name) this.state.patch({ layout });
    } catch (error) {
      toast.error(describe(error));
    }
  }

  get moving(): boolean {
    return this.state.get().layout?.state === LayoutState.RUNNING;
  }

  // --- looking ---

  private hover(index: number, x: number, y: number): void {
    const { hover, selected, path } = this.state.get();
    if ((hover?.index ?? -1) === index && (index < 0 || hover?.x === x)) return;
    this.state.patch({ hover: index < 0 ? null : { index, x, y } });
    this.scene?.setFocus(index, selected, path);
  }

  select(index: number): void {
    this.state.patch({ selected: index, path: NO_PATH });
    this.scene?.setFocus(this.state.get().hover?.index ?? -1, index, NO_PATH);
  }

  /** Marks a node beside those that are, or takes the mark off. */
  mark(index: number): void {
    const marked = new Set(this.state.get().marked);
    if (!marked.delete(index)) marked.add(index);
    this.markOnly(marked);
  }

  markOnly(nodes: Iterable<number>): void {
    const marked = new Set(nodes);
    this.state.patch({ marked });
    this.scene?.setMarked(marked);
  }

  goTo(index: number): void {
    this.select(index);
    this.scene?.flyToNode(index);
  }

  goToKey(key: string): boolean {
    if (!this.model) {
      this.wanted = key;
      return false;
    }
    const index = this.model.indexOfKey(key);
    if (index >= 0) this.goTo(index);
    return index >= 0;
  }

  showPath(path: readonly number[]): void {
    this.state.patch({ path });
    this.scene?.setFocus(-1, this.state.get().selected, path);
    if (path.length > 1) this.scene?.flyToNodes(path);
  }

  restyle(part: Partial<SceneStyle>): void {
    const before = this.state.get().style;
    const style = { ...before, ...part };
    if (part.colorBy && part.colorBy !== before.colorBy) style.hidden = new Set();
    this.state.patch({ style });
    this.scene?.setStyle(style);
    this.state.patch({ legend: this.scene?.style?.legend ?? this.state.get().legend });
  }

  /** Colours the map by what an analysis found, and sizes it where that is an amount; `null` takes it off. */
  showValues(values: NodeValues | null): void {
    const { model } = this;
    if (values) {
      this.restyle({
        values,
        colorBy: "values",
        sizeBy: values.grouped ? "degree" : "values",
        hidden: new Set(),
      });
    } else if (model) {
      const { colorBy, sizeBy } = this.state.get().style;
      this.restyle({
        values: null,
        colorBy: colorBy === "values" ? bestColorBy(model) : colorBy,
        sizeBy: sizeBy === "values" ? "degree" : sizeBy,
        hidden: new Set(),
      });
    }
  }

  toggleCategory(id: string): void {
    const hidden = new Set(this.state.get().style.hidden);
    if (!hidden.delete(id)) hidden.add(id);
    this.restyle({ hidden });
  }

  only(id: string): void {
    const { legend, style } = this.state.get();
    const others = legend.filter((entry) => entry.id !== id).map((entry) => entry.id);
    const alone = !style.hidden.has(id) && others.every((other) => style.hidden.has(other));
    this.restyle({ hidden: new Set(alone ? [] : others) });
  }
}

declare global {
  interface Window {
    /** For the browser tests and for people at the console of their browser. */
    __weft?: {
      stats: () => Record<string, unknown>;
      screen: (key: string) => [number, number] | null;
      place: (key: string) => number[] | null;
      look: (key: string) => number[] | null;
      reset: () => void;
      camera: () => { x: number; y: number; scale: number };
      draw: () => number;
    };
  }
}

function expose(live: LiveGraph): void {
  const index = (key: string) => live.model?.indexOfKey(key) ?? -1;
  window.__weft = {
    stats: () => {
      const { stats } = live;
      return {
        frames: stats.frames,
        bytes: stats.bytes,
        sequence: Number(stats.sequence),
        drawn: stats.drawn,
        decodeMs: stats.lastDecodeMs,
        drawMs: stats.lastDrawMs,
        labelMs: stats.lastLabelMs,
        edgesDrawn: stats.edgesDrawn,
        gpuMs: live.scene?.renderer.gpuMs ?? 0,
        mainThread: stats.mainThread(),
        nodes: live.model?.liveNodeCount ?? 0,
        edges: live.model?.edgeCount ?? 0,
        revision: Number(live.model?.revision ?? 0n),
        placing: live.state.get().placing,
        layoutState: live.state.get().layout?.state ?? 0,
      };
    },
    screen: (key) => live.scene?.screenOf(index(key)) ?? null,
    place: (key) => {
      const out = new Float32Array(3);
      return index(key) >= 0 && live.scene?.positions.at(index(key), 1, out) ? [...out] : null;
    },
    look: (key) => {
      const { colors } = live.scene?.style ?? {};
      return colors && index(key) >= 0 ? [...colors.subarray(index(key) * 4, index(key) * 4 + 3)] : null;
    },
    reset: () => live.stats.reset(),
    camera: () => {
      const { x, y, scale } = live.scene?.camera ?? { x: 0, y: 0, scale: 1 };
      return { x, y, scale };
    },
    draw: () => live.stats.drawn,
  };
}
