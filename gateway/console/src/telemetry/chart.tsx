// Lines over time, drawn by uPlot: a canvas that follows what it is given. What
// the mouse does can be done with keys too, and the legend beside it says in
// words what is under the cursor.
import { type KeyboardEvent, useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useStore } from "../app/store";
import { theme } from "../app/theme";
import type { Theme } from "../render/look";
import { colourOf } from "./colours";
import { type Lines, type Unit, valueText } from "./model";
import type { Overlay } from "./overlay";

interface Props extends Lines {
  /** What it is, for who cannot see it. */
  label: string;
  unit: Unit;
  height: number;
  /** Seconds since 1970: the axis, where values reach or not. */
  from: number;
  to: number;
  /** The top of the axis, where there is one by nature. */
  most?: number;
  hidden?: ReadonlySet<string>;
  /** What is painted with the lines. */
  overlay?: Overlay;
  /** The line that is pointed at in the legend. */
  highlighted?: string | null;
  /** The row under the cursor; nothing when it is elsewhere. */
  onCursor?: (row: number | null) => void;
  /** A span was marked. Seconds since 1970. */
  onZoom?: (from: number, to: number) => void;
  onKey?: (key: string) => boolean;
}

function variable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const FONT = "12px system-ui, sans-serif";

export function Chart(props: Props) {
  const { times, lines, unit, height, label, hidden, highlighted, from, to, overlay } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  // What the drawing asks for while it lives, without being made anew for it.
  const now = useRef(props);
  now.current = props;
  useStore(theme.store);
  const shade = theme.effective();
  // A chart is made anew for other lines, and only fed for other values.
  const shape = lines.map((line) => line.key).join("\n");
  const zooms = props.onZoom !== undefined;

  // `shape` stands for the lines.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(optionsOf(now, shade, element.clientWidth, height, unit, zooms), [[]], element);
    plot.current = made;
    feed(made, now.current);
    const watched = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    watched.observe(element);
    return () => {
      watched.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, shade, unit, height, zooms]);

  // They are what it is fed with.
  useEffect(() => {
    if (plot.current) feed(plot.current, now.current);
  }, [times, lines, from, to, overlay]);

  useEffect(() => {
    const made = plot.current;
    if (!made) return;
    now.current.lines.forEach((line, at) => {
      const show = !hidden?.has(line.key);
      if (made.series[at + 1]?.show !== show) made.setSeries(at + 1, { show });
    });
  }, [hidden]);

  useEffect(() => {
    const made = plot.current;
    if (!made) return;
    const at = now.current.lines.findIndex((line) => line.key === highlighted);
    made.setSeries(at < 0 ? null : at + 1, { focus: true });
  }, [highlighted]);

  const keys = props.onKey;
  const described = `${label}: ${lines.length} lines`;
  const press = (event: KeyboardEvent<HTMLDivElement>) => {
    if (!keys || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "[" || event.key === "]") step(plot.current, event.key === "]" ? 1 : -1);
    else if (!keys(event.key)) return;
    event.preventDefault();
  };
  // With keys it is a thing to work with, and without them a picture.
  const role = keys
    ? {
        role: "application",
        tabIndex: 0,
        "aria-label": `${described}. Plus and minus zoom, arrows move, 0 goes back to now`,
        onKeyDown: press,
      }
    : { role: "img", "aria-label": described };
  return <div ref={box} className="chart" style={{ height }} {...role} />;
}

function feed(made: uPlot, { times, lines }: Props): void {
  made.setData([times, ...lines.map((line) => line.values)], true);
}

/** Moves the cursor by a row. */
function step(made: uPlot | null, by: number): void {
  if (!made) return;
  const times = made.data[0];
  const row = Math.min(Math.max((made.cursor.idx ?? times.length) + by, 0), times.length - 1);
  if (times[row] !== undefined) made.setCursor({ left: made.valToPos(times[row], "x"), top: 1 });
}

function optionsOf(
  now: { current: Props },
  shade: Theme,
  width: number,
  height: number,
  unit: Unit,
  zooms: boolean,
): uPlot.Options {
  const [grid, text] = [variable("--line"), variable("--text-2")];
  const axis = {
    stroke: text,
    font: FONT,
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid, width: 1 },
  };
  let colour = 0;
  return {
    width,
    height,
    legend: { show: false },
    focus: { alpha: 0.25 },
    cursor: {
      drag: { x: zooms, y: false, setScale: false },
      focus: { prox: -1 },
      points: { size: 6 },
      y: false,
    },
    scales: {
      x: { range: () => [now.current.from, now.current.to] },
      y: {
        range: (_, least, most) => {
          if (now.current.most !== undefined) return [0, now.current.most];
          const also = now.current.overlay;
          if (also) {
            least = Math.min(least ?? Infinity, also.least);
            most = Math.max(most ?? -Infinity, also.most);
          }
          if (least === null || most === null || least > most) return [0, 1];
          // Zero is in sight where that costs little.
          const low = least >= 0 && least < most * 0.6 ? 0 : least;
          const room = (most - low) * 0.06 || Math.abs(most) * 0.1 || 1;
          return [low === 0 ? 0 : low - room, most + room];
        },
      },
    },
    axes: [
      {
        ...axis,
        // Dates are longer than hours.
        space: (_, __, least, most) => (most - least > 5 * 86_400 ? 100 : 50),
        values: [
          // From which step on in seconds, how it is written; what is added where the day or the minute is another.
          [86_400, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1],
          [3_600, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
          [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
          [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
        ],
      },
      { ...axis, size: 72, values: (_, ticks) => ticks.map((tick) => valueText(tick, unit)) },
    ],
    series: [
      {},
      ...now.current.lines.map((line): uPlot.Series => {
        const stroke = colourOf(shade, line.before ? colour++ % now.current.lines.length : colour++);
        return {
          label: line.label,
          stroke,
          width: 1.5,
          dash: line.before ? [5, 4] : undefined,
          alpha: line.before ? 0.7 : 1,
          show: !now.current.hidden?.has(line.key),
          points: { show: false },
          // One value alone between gaps would be no line.
          spanGaps: false,
        };
      }),
    ],
    hooks: {
      drawClear: [(made) => now.current.overlay?.under(made, shade)],
      draw: [(made) => now.current.overlay?.over(made, shade)],
      setCursor: [(made) => now.current.onCursor?.(made.cursor.idx ?? null)],
      setSelect: [
        (made) => {
          const { left, width: marked } = made.select;
          if (marked < 4) return;
          const [start, end] = [made.posToVal(left, "x"), made.posToVal(left + marked, "x")];
          made.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          now.current.onZoom?.(start, end);
        },
      ],
    },
  };
}
