// The canvas, the names over it, and the tip under the pointer.
import { lazy, Suspense, useEffect, useRef } from "react";
import { useStore, useStoreValue } from "../app/store";
import { count } from "../ui/format";
import { Icon } from "../ui/icon";
import type { LiveGraph } from "./live";
import { Lasso, MarkedBar } from "./marked";

const SnapshotDialog = lazy(() => import("../snapshot/dialog"));

export function MapView({ live }: { live: LiveGraph }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => (box.current ? live.mount(box.current) : undefined), [live]);
  const lassoing = useStoreValue(live.state, (state) => state.lassoing);
  const snapshot = useStoreValue(live.state, (state) => state.snapshot);
  const nodes = live.model?.liveNodeCount ?? 0;
  const edges = live.model?.edgeCount ?? 0;
  return (
    <>
      <div
        className="map"
        ref={box}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the map takes keys
        tabIndex={0}
        role="application"
        data-lassoing={lassoing}
        aria-label={`Map of ${live.id}: ${count(nodes)} nodes and ${count(edges)} edges. The table view lists them.`}
        aria-describedby="map-help"
      />
      <p id="map-help" className="hidden-text">
        Arrow keys move the view, plus and minus zoom, F fits the graph, slash searches, T shows the table.
        Shift and a click mark nodes, Shift and a drag draw a line round them; M marks the chosen node. S
        saves a picture.
      </p>
      <Tip live={live} />
      <Lasso live={live} />
      <MarkedBar live={live} />
      {nodes > 0 && <MapButtons live={live} lassoing={lassoing} />}
      {snapshot && nodes > 0 && (
        <Suspense>
          <SnapshotDialog live={live} onClose={() => live.state.patch({ snapshot: false })} />
        </Suspense>
      )}
    </>
  );
}

function Tip({ live }: { live: LiveGraph }) {
  const { hover, selected } = useStore(live.state);
  const { model } = live;
  if (!hover || !model || hover.index === selected) return null;
  const labels = model.labelsOf(hover.index).slice(0, 4).join(", ");
  const type = model.typeName(hover.index);
  const left = hover.x > (live.scene?.camera.width ?? 0) - 260;
  return (
    <div
      className="tip"
      style={{
        transform: `translate(${hover.x + (left ? -12 : 14)}px, ${hover.y + 16}px) translateX(${left ? "-100%" : "0"})`,
      }}
    >
      <strong>{model.title(hover.index)}</strong>
      <span>
        {[
          type,
          labels,
          `${count(model.degrees[hover.index])} ${model.degrees[hover.index] === 1 ? "edge" : "edges"}`,
        ]
          .filter(Boolean)
          .join(" · ")}
      </span>
    </div>
  );
}

function MapButtons({ live, lassoing }: { live: LiveGraph; lassoing: boolean }) {
  const zoom = (factor: number) => {
    const { scene } = live;
    if (!scene) return;
    scene.take();
    const { camera } = scene;
    scene.flyTo({ x: camera.x, y: camera.y, z: camera.z, scale: camera.scale * factor });
  };
  return (
    <div className="zoom-buttons float" role="group" aria-label="Map tools">
      <button
        type="button"
        className="icon-button"
        aria-label="Save a picture"
        title="Save a picture (S)"
        onClick={() => live.state.patch({ snapshot: true })}
      >
        <Icon name="camera" />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Draw lines round nodes"
        aria-pressed={lassoing}
        title="Draw lines round nodes, to mark them (L)"
        onClick={() => live.state.patch({ lassoing: !lassoing })}
      >
        <Icon name="lasso" />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Zoom in"
        title="Zoom in (+)"
        onClick={() => zoom(1.8)}
      >
        <Icon name="plus" />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Zoom out"
        title="Zoom out (−)"
        onClick={() => zoom(1 / 1.8)}
      >
        <Icon name="minus" />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Fit"
        title="Fit (F)"
        onClick={() => live.scene?.fit()}
      >
        <Icon name="fit" />
      </button>
    </div>
  );
}
