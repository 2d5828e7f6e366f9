// How fast everything is: frames, steps of the layout and what comes over the
// wire, now and in the last minute. It measures only while it is open.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useStoreValue } from "../app/store";
import { LayoutState } from "../gen/weft/compute/v1/layout_pb";
import type { LiveGraph } from "../graph/live";
import { layouts } from "../rpc/layouts";
import { bytes, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { pathOf, type Sample, Samples } from "./samples";

const EVERY_MS = 1_000;
/** The mesh tells how long a step takes when the layout changes its state; while it moves it is asked. */
const ASK_MS = 2_000;
const WIDTH = 96;
const HEIGHT = 20;

export default function MetersPanel({ live, onClose }: { live: LiveGraph; onClose: () => void }) {
  const [list, setList] = useState<readonly Sample[]>([]);
  const running = useStoreValue(live.state, (state) => state.layout?.state === LayoutState.RUNNING);
  const told = useStoreValue(live.state, (state) => state.layout?.tickDurationMs ?? 0);
  const processor = useStoreValue(live.state, (state) => state.layout?.processor ?? "");
  const problem = useStoreValue(live.state, (state) => state.layout?.deviceProblem ?? "");
  const asked = useQuery({
    queryKey: ["meters", live.layoutName],
    queryFn: ({ signal }) => layouts.getLayout({ name: live.layoutName }, { signal }),
    enabled: running,
    refetchInterval: ASK_MS,
    gcTime: 0,
  });
  useEffect(() => {
    const samples = new Samples();
    const take = () => {
      const { drawn, busyMs, bytes: received, steps, stepsMs } = live.stats;
      if (document.hidden) samples.pause();
      else samples.take({ drawn, busyMs, bytes: received, steps, stepsMs }, performance.now());
      setList(samples.list);
    };
    take();
    const timer = setInterval(take, EVERY_MS);
    return () => clearInterval(timer);
  }, [live]);
  const now = list[list.length - 1];
  const tickMs = running ? (asked.data?.tickDurationMs ?? told) : told;
  return (
    <section className="meters float" aria-label="Meters" data-testid="meters">
      <header>
        <h2>Meters</h2>
        <button type="button" className="icon-button" aria-label="Close the meters" onClick={onClose}>
          <Icon name="close" size={14} />
        </button>
      </header>
      <dl>
        <Meter
          name="Frames"
          value={
            !now ? "…" : now.framesPerSecond < 0.5 ? "at rest" : `${now.framesPerSecond.toFixed(0)} a second`
          }
          line={list.map((sample) => sample.framesPerSecond)}
        />
        <Meter
          name="Main thread"
          value={!now ? "…" : now.frameMs === null ? "at rest" : `${now.frameMs.toFixed(1)} ms a frame`}
          line={list.map((sample) => sample.frameMs)}
        />
        <Meter
          name="Layout"
          value={
            !now
              ? "…"
              : now.ticksPerSecond < 0.5
                ? "at rest"
                : `${plural(Math.round(now.ticksPerSecond), "step")} a second`
          }
          line={list.map((sample) => sample.ticksPerSecond)}
        />
        <Meter
          name="A step"
          value={
            tickMs > 0 ? `${tickMs.toFixed(2)} ms${processor ? ` on ${nameOf(processor)}` : ""}` : "not known"
          }
        />
        <Meter
          name="Positions"
          value={!now ? "…" : `${bytes(Math.round(now.bytesPerSecond))} a second`}
          line={list.map((sample) => sample.bytesPerSecond)}
        />
      </dl>
      <p role="status">{problem && `The CPU makes the steps: ${problem}`}</p>
    </section>
  );
}

/** What a step ran on, as people say it. */
function nameOf(processor: string): string {
  const devices = /^cuda:(\d+(?:,\d+)*)$/.exec(processor)?.[1]?.split(",");
  if (!devices) {
    return processor.toUpperCase();
  }
  return `CUDA ${devices.length > 1 ? "devices" : "device"} ${devices.join(", ")}`;
}

function Meter({ name, value, line }: { name: string; value: string; line?: readonly (number | null)[] }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span>{value}</span>
        {line && (
          <svg width={WIDTH} height={HEIGHT} viewBox={`-1 -1 ${WIDTH + 2} ${HEIGHT + 2}`} aria-hidden="true">
            <path d={pathOf(line, WIDTH, HEIGHT)} />
          </svg>
        )}
      </dd>
    </div>
  );
}
