// The keyboard on the graph page.
import { isTyping } from "../app/shell";
import type { LiveGraph } from "./live";

const STEP = 70;

export function attachKeys(live: LiveGraph, toggleView: () => void): () => void {
  const keys = (event: KeyboardEvent) => {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      isTyping(event.target) ||
      document.querySelector("dialog[open]")
    )
      return;
    if (handle(live, toggleView, event)) event.preventDefault();
  };
  addEventListener("keydown", keys);
  return () => removeEventListener("keydown", keys);
}

function handle(live: LiveGraph, toggleView: () => void, event: KeyboardEvent): boolean {
  const { scene } = live;
  const onControl =
    event.target instanceof HTMLElement && event.target.closest("button, a, [role=row]") !== null;
  // Held down, a key goes on moving the view; whatever else it does, it does once.
  const once = (act: () => void) => {
    if (!event.repeat) act();
    return true;
  };
  switch (event.key) {
    case "/":
      return once(() => document.getElementById("node-search")?.focus());
    case "Escape":
      return once(() => {
        if (live.state.get().marked.size > 0) live.markOnly([]);
        else if (live.state.get().lassoing) live.state.patch({ lassoing: false });
        else live.select(-1);
      });
    case "t":
    case "T":
      return once(toggleView);
    case "f":
    case "F":
      return once(() => scene?.fit());
    case "l":
    case "L":
      return scene !== null && once(() => live.state.patch({ lassoing: !live.state.get().lassoing }));
    case "m":
    case "M":
      return once(() => {
        if (live.state.get().selected >= 0) live.mark(live.state.get().selected);
      });
    case "s":
    case "S":
      return scene !== null && once(() => live.state.patch({ snapshot: true }));
    case " ":
      if (onControl || !live.canMove) return false;
      return once(() => void live.command(live.moving ? "stop" : "start"));
  }
  const moves: Record<string, [number, number]> = {
    ArrowLeft: [STEP, 0],
    ArrowRight: [-STEP, 0],
    ArrowUp: [0, STEP],
    ArrowDown: [0, -STEP],
  };
  const move = moves[event.key];
  const zoom = event.key === "+" || event.key === "=" ? 1.3 : event.key === "-" ? 1 / 1.3 : 0;
  if (!scene || onControl || (!move && zoom === 0)) return false;
  scene.take();
  if (zoom) scene.camera.zoomAt(scene.camera.width / 2, scene.camera.height / 2, zoom);
  else if (event.shiftKey && scene.camera.dimensions === 3) scene.camera.orbitBy(move[0], move[1]);
  else scene.camera.panBy(move[0], move[1]);
  scene.invalidate();
  return true;
}
