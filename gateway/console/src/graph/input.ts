// Hands on the graph: mouse, touch and pen to pan, zoom, orbit, pick and drag.
import type { Line } from "../render/lasso";
import type { Scene } from "./scene";

export interface InputEvents {
  hover(index: number, x: number, y: number): void;
  select(index: number): void;
  open(index: number): void;
  mayDrag(): boolean;
  drag(index: number, at: [number, number, number]): void;
  release(index: number): void;
  /** A node is marked beside those that are, or not any more. */
  mark(index: number): void;
  /** Whether the hand draws lines round nodes. */
  lassoing(): boolean;
  /** A line grows; it is empty when the hand has let go of it. */
  lasso(line: Line): void;
  lassoed(line: Line): void;
}

const CLICK_SLOP = 4;

type Gesture =
  | { kind: "pan" | "orbit"; x: number; y: number; moved: boolean }
  | { kind: "node"; index: number; x: number; y: number; moved: boolean; start: [number, number, number] }
  | { kind: "lasso"; index: number; line: [number, number][]; x: number; y: number; moved: boolean }
  | { kind: "pinch"; distance: number; x: number; y: number };

export function attachInput(element: HTMLElement, scene: Scene, events: InputEvents): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let gesture: Gesture | null = null;
  let hoverAt: { x: number; y: number } | null = null;
  let hoverFrame = 0;

  const local = (event: MouseEvent) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  const pinch = () => {
    const [a, b] = [...pointers.values()];
    return {
      kind: "pinch" as const,
      distance: Math.hypot(a.x - b.x, a.y - b.y),
      x: (a.x + b.x) / 2,
      y: (a.y + b.y) / 2,
    };
  };

  const letGo = (index: number) => {
    scene.positions.letGo();
    events.release(index);
  };

  const down = (event: PointerEvent) => {
    const at = local(event);
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at);
    if (pointers.size === 2) {
      // A second finger: what the first one did comes to an end.
      if (gesture?.kind === "node" && gesture.moved) letGo(gesture.index);
      if (gesture?.kind === "lasso") events.lasso([]);
      gesture = pinch();
      return;
    }
    const index = event.button === 0 ? scene.pick(at.x, at.y) : -1;
    const lasso = { kind: "lasso" as const, index, line: [[at.x, at.y]] as [number, number][], ...at };
    if (event.button === 0 && events.lassoing()) {
      gesture = { ...lasso, moved: false };
      return;
    }
    if (index >= 0) {
      const place = new Float32Array(3);
      scene.positions.at(index, scene.positions.progress(performance.now()), place);
      gesture = { kind: "node", index, ...at, moved: false, start: [place[0], place[1], place[2]] };
      return;
    }
    // In space Shift pans; there, nodes are marked one by one.
    if (scene.camera.dimensions === 2 && event.button === 0 && event.shiftKey) {
      gesture = { ...lasso, moved: false };
      return;
    }
    const orbit = scene.camera.dimensions === 3 && event.button === 0 && !event.shiftKey;
    gesture = { kind: orbit ? "orbit" : "pan", ...at, moved: false };
  };

  const move = (event: PointerEvent) => {
    const at = local(event);
    if (!gesture) {
      if (event.pointerType !== "touch") hoverSoon(at);
      return;
    }
    const pointer = pointers.get(event.pointerId);
    if (!pointer) return;
    Object.assign(pointer, at);
    if (gesture.kind === "pinch") {
      if (pointers.size < 2) return;
      const next = pinch();
      scene.take();
      scene.camera.panBy(next.x - gesture.x, next.y - gesture.y);
      scene.camera.zoomAt(next.x, next.y, next.distance / Math.max(1, gesture.distance));
      gesture = next;
      scene.invalidate();
      return;
    }
    const [dx, dy] = [at.x - gesture.x, at.y - gesture.y];
    if (!gesture.moved && Math.hypot(dx, dy) < CLICK_SLOP) return;
    gesture.moved = true;
    if (gesture.kind === "lasso") {
      gesture.line.push([at.x, at.y]);
      events.lasso([...gesture.line]);
      return;
    }
    if (gesture.kind === "node") {
      if (!events.mayDrag()) {
        gesture = { kind: scene.camera.dimensions === 3 ? "orbit" : "pan", x: at.x, y: at.y, moved: true };
        return;
      }
      scene.take();
      const place: [number, number, number] = [0, 0, 0];
      scene.camera.unproject(at.x, at.y, gesture.start, place);
      element.dataset.cursor = "grabbing";
      scene.positions.hold(gesture.index, place[0], place[1], place[2]);
      events.drag(gesture.index, place);
      scene.invalidate();
      return;
    }
    scene.take();
    element.dataset.cursor = "grabbing";
    if (gesture.kind === "orbit") scene.camera.orbitBy(dx, dy);
    else scene.camera.panBy(dx, dy);
    gesture.x = at.x;
    gesture.y = at.y;
    scene.invalidate();
  };

  const up = (event: PointerEvent) => {
    pointers.delete(event.pointerId);
    const ended = gesture;
    gesture = null;
    element.dataset.cursor = "";
    if (!ended || ended.kind === "pinch") return;
    if (ended.kind === "node" && ended.moved) {
      letGo(ended.index);
    } else if (ended.kind === "lasso" && ended.moved) {
      events.lasso([]);
      if (event.type === "pointerup") events.lassoed(ended.line);
    } else if ((ended.kind === "node" && event.shiftKey) || (ended.kind === "lasso" && ended.index >= 0)) {
      if (event.type === "pointerup") events.mark(ended.index);
    } else if (ended.kind === "lasso" && events.lassoing()) {
      // A click beside all nodes, with the tool in hand: nothing to mark, and nothing to let go.
    } else if (!ended.moved && event.type === "pointerup") {
      events.select(ended.kind === "node" ? ended.index : -1);
    }
  };

  const hoverSoon = (at: { x: number; y: number }) => {
    hoverAt = at;
    if (hoverFrame === 0) {
      hoverFrame = requestAnimationFrame(() => {
        hoverFrame = 0;
        if (!hoverAt) return;
        const index = scene.pick(hoverAt.x, hoverAt.y);
        element.dataset.cursor = index >= 0 ? "pointer" : "";
        events.hover(index, hoverAt.x, hoverAt.y);
      });
    }
  };

  const leave = () => {
    hoverAt = null;
    if (!gesture) events.hover(-1, 0, 0);
  };

  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const at = local(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const delta = Math.max(-240, Math.min(240, event.deltaY * lines));
    scene.take();
    scene.camera.zoomAt(at.x, at.y, Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0018)));
    scene.invalidate();
  };

  const twice = (event: MouseEvent) => {
    const at = local(event);
    const index = scene.pick(at.x, at.y);
    if (index >= 0) events.open(index);
    else {
      const place: [number, number, number] = [0, 0, 0];
      const { camera } = scene;
      camera.unproject(at.x, at.y, [camera.x, camera.y, camera.z], place);
      scene.take();
      scene.flyTo({ x: place[0], y: place[1], z: place[2], scale: camera.scale * 2.2 });
    }
  };

  const menu = (event: Event) => scene.camera.dimensions === 3 && event.preventDefault();

  const listeners: [string, (event: never) => void, AddEventListenerOptions?][] = [
    ["pointerdown", down],
    ["pointermove", move],
    ["pointerup", up],
    ["pointercancel", up],
    ["pointerleave", leave],
    ["wheel", wheel, { passive: false }],
    ["dblclick", twice],
    ["contextmenu", menu],
  ];
  for (const [type, listener, options] of listeners)
    element.addEventListener(type, listener as EventListener, options);
  return () => {
    cancelAnimationFrame(hoverFrame);
    for (const [type, listener] of listeners) element.removeEventListener(type, listener as EventListener);
  };
}
