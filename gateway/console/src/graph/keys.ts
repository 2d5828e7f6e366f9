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
  switch (event.key) {
    case "/":
      document.getElementById("node-search")?.focus();
      return true;
    case "Escape":
      if (live.state.get().marked.size > 0) live.markOnly([]);
      else live.select(-1);
      return true;
    case "t":
    case "T":
      toggleView();
      return true;
    case "f":
    case "F":
      scene?.fit();
      return true;
    case " ":
      if (onControl || !live.canMove) return false;
      void live.command(live.moving ? "stop" : "start");
      return true;
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
