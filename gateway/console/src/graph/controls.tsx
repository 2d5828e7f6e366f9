// The layout's controls: what it is doing, start and stop, its forces.
import { useRef, useState } from "react";
import { useStore } from "../app/store";
import { type LayoutParameters, LayoutState } from "../gen/weft/compute/v1/layout_pb";
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/menu";
import { ConstraintsButton } from "./constraints-panel";
import type { LiveGraph } from "./live";

const WORDS: Record<LayoutState, string> = {
  [LayoutState.UNSPECIFIED]: "no layout",
  [LayoutState.LOADING]: "loading",
  [LayoutState.RUNNING]: "moving",
  [LayoutState.SETTLED]: "settled",
  [LayoutState.STOPPED]: "stopped",
  [LayoutState.FAILED]: "failed",
};

export function LayoutControls({ live }: { live: LiveGraph }) {
  const { layout, dimensions, layoutError, placing } = useStore(live.state);
  const state = layout?.state ?? LayoutState.UNSPECIFIED;
  const running = state === LayoutState.RUNNING || state === LayoutState.LOADING;
  return (
    <div className="layout-controls float" role="group" aria-label="Layout">
      {live.canMove && (
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
      <ConstraintsButton live={live} />
      {live.canMove && (
        <Popover label="Forces" buttonClass="icon-button" button={<Icon name="sliders" />} align="up">
          {() => <Forces live={live} />}
        </Popover>
      )}
    </div>
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

interface Slider {
  field: "repulsion" | "attraction" | "gravity" | "theta" | "maxSpeed";
  path: string;
  label: string;
  hint: string;
  initial: number;
  low: number;
  high: number;
  /** Where small values matter as much as large ones. */
  log: boolean;
}

const SLIDERS: readonly Slider[] = [
  {
    field: "repulsion",
    path: "repulsion",
    label: "Repulsion",
    hint: "nodes push each other away",
    initial: 10,
    low: 0.1,
    high: 1000,
    log: true,
  },
  {
    field: "attraction",
    path: "attraction",
    label: "Attraction",
    hint: "edges pull",
    initial: 1,
    low: 0.01,
    high: 100,
    log: true,
  },
  {
    field: "gravity",
    path: "gravity",
    label: "Gravity",
    hint: "pull to the centre",
    initial: 0.05,
    low: 0.001,
    high: 100,
    log: true,
  },
  {
    field: "theta",
    path: "theta",
    label: "Accuracy",
    hint: "left: exact and slow",
    initial: 0.9,
    low: 0.2,
    high: 1.5,
    log: false,
  },
  {
    field: "maxSpeed",
    path: "max_speed",
    label: "Top speed",
    hint: "distance in one step, as a share of the whole",
    initial: 0.1,
    low: 0.0001,
    high: 1,
    log: true,
  },
];

function Forces({ live }: { live: LiveGraph }) {
  const { layout } = useStore(live.state);
  const parameters = layout?.parameters;
  return (
    <div className="forces">
      {SLIDERS.map((slider) => (
        <Force
          key={slider.field}
          live={live}
          slider={slider}
          value={parameters?.[slider.field] ?? slider.initial}
        />
      ))}
      <label className="check">
        <input
          type="checkbox"
          checked={parameters?.strongGravity ?? true}
          onChange={(event) => live.tune({ strongGravity: event.target.checked }, "strong_gravity")}
        />
        Gravity grows with distance
      </label>
      <label className="check">
        <input
          type="checkbox"
          checked={parameters?.linLog ?? false}
          onChange={(event) => live.tune({ linLog: event.target.checked }, "lin_log")}
        />
        Groups further apart
      </label>
      <div className="forces-foot">
        <button
          type="button"
          className="button button-small"
          onClick={async () => {
            for (const { field, path, initial } of SLIDERS) await live.tune({ [field]: initial }, path);
          }}
        >
          Defaults
        </button>
        <button type="button" className="button button-small" onClick={() => live.command("restart")}>
          Place anew
        </button>
      </div>
    </div>
  );
}

const TICKS = 200;

function Force({ live, slider, value }: { live: LiveGraph; slider: Slider; value: number }) {
  // While the hand is on it the slider shows the hand, not what the mesh says back.
  const [held, setHeld] = useState<number | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const { low, high, log } = slider;
  const shown = held ?? value;
  const position = log
    ? (Math.log(Math.max(shown, low) / low) / Math.log(high / low)) * TICKS
    : ((shown - low) / (high - low)) * TICKS;
  const change = (at: number) => {
    const raw = log ? low * (high / low) ** (at / TICKS) : low + ((high - low) * at) / TICKS;
    const next = Number(raw.toPrecision(2));
    setHeld(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      void live
        .tune({ [slider.field]: next } as Partial<LayoutParameters>, slider.path)
        .then(() => setHeld(null));
    }, 120);
  };
  return (
    <label className="force" title={slider.hint}>
      <span>
        {slider.label} <output>{Number(shown.toPrecision(2))}</output>
      </span>
      <input
        type="range"
        min={0}
        max={TICKS}
        value={Math.round(position)}
        aria-valuetext={String(shown)}
        onChange={(event) => change(Number(event.target.value))}
      />
    </label>
  );
}
