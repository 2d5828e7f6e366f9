// The layout's controls: what it is doing, start and stop, in how many dimensions;
// and the way to its forces, its constraints and the meters.
import { lazy, type ReactNode, Suspense, useState } from "react";
import { useStore } from "../app/store";
import { LayoutState } from "../gen/weft/compute/v1/layout_pb";
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/menu";
import { Skeleton } from "../ui/states";
import type { LiveGraph } from "./live";

const Constraints = lazy(() => import("./constraints-list"));
const ForcesPanel = lazy(() => import("./forces-panel"));
const MetersPanel = lazy(() => import("../meters/panel"));

const WORDS: Record<LayoutState, string> = {
  [LayoutState.UNSPECIFIED]: "no layout",
  [LayoutState.LOADING]: "loading",
  [LayoutState.RUNNING]: "moving",
  [LayoutState.SETTLED]: "settled",
  [LayoutState.STOPPED]: "stopped",
  [LayoutState.FAILED]: "failed",
};

export function LayoutControls({ live }: { live: LiveGraph }) {
  const { layout, dimensions, layoutError, layoutGone, placing } = useStore(live.state);
  const state = layout?.state ?? LayoutState.UNSPECIFIED;
  const running = state === LayoutState.RUNNING || state === LayoutState.LOADING;
  const [metering, setMetering] = useState(false);
  return (
    <>
      {metering && (
        <Suspense>
          <MetersPanel live={live} onClose={() => setMetering(false)} />
        </Suspense>
      )}
      <div className="layout-controls float" role="group" aria-label="Layout">
        {live.canMove && !layoutGone && (
          <>
            <button
              type="button"
              className="icon-button"
              aria-label={running ? "Stop the layout" : "Start the layout"}
              title={running ? "Stop (Space)" : "Start (Space)"}
              onClick={() => live.command(running ? "stop" : "start")}
            >
              <Icon name={running ? "pause" : "play"} />
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label="Reheat"
              title="Reheat: let nodes leave a poor place"
              onClick={() => live.command("reheat")}
            >
              <Icon name="heat" />
            </button>
          </>
        )}
        <span className="layout-state" data-state={WORDS[state]} role="status" title={detail(live)}>
          <span className="state-dot" aria-hidden="true" />
          {layoutError && !placing ? `failed: ${layoutError}` : WORDS[state]}
        </span>
        <div className="segments segments-small" role="group" aria-label="Dimensions">
          {([2, 3] as const).map((value) => (
            <button
              key={value}
              type="button"
              className="segment"
              data-active={dimensions === value}
              aria-pressed={dimensions === value}
              onClick={() => live.setDimensions(value)}
            >
              {value}D
            </button>
          ))}
        </div>
        {!layoutGone && (
          <Later label="Constraints" icon={<Icon name="link" />}>
            <Constraints live={live} />
          </Later>
        )}
        {live.canMove && !layoutGone && (
          <Later label="Forces" icon={<Icon name="sliders" />}>
            <ForcesPanel live={live} />
          </Later>
        )}
        <button
          type="button"
          className="icon-button"
          aria-label="Meters"
          aria-expanded={metering}
          title="Meters: frames and steps a second"
          onClick={() => setMetering(!metering)}
        >
          <Icon name="meter" />
        </button>
      </div>
    </>
  );
}

/** A panel over the bar that is loaded when it is opened. */
function Later({ label, icon, children }: { label: string; icon: ReactNode; children: ReactNode }) {
  return (
    <Popover label={label} buttonClass="icon-button" button={icon} align="up">
      {() => <Suspense fallback={<Skeleton width="60%" />}>{children}</Suspense>}
    </Popover>
  );
}

function detail(live: LiveGraph): string {
  const { layout } = live.state.get();
  if (!layout) return "";
  return [
    `step ${layout.tick}`,
    layout.tickDurationMs > 0 ? `${layout.tickDurationMs.toFixed(1)} ms a step` : "",
    plural(layout.viewerCount, "viewer"),
  ]
    .filter(Boolean)
    .join(" · ");
}
