// A query as it is now, for as long as somebody looks: what was, and then every
// answer of the stream. A time without an answer is a gap.
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { useEffect, useState } from "react";
import { follow } from "../rpc/follow";
import { liveTelemetry, telemetry } from "../rpc/telemetry";
import { type Lines, millisAt, timestampAt } from "./model";
import { Rolling } from "./rolling";

export const LIVE_MILLIS = 2_000;
/** What is in sight. */
export const LIVE_SPAN = 10 * 60_000;

export interface LiveLines extends Lines {
  /** Whether what was has come. */
  begun: boolean;
  error: unknown;
}

const NOTHING: LiveLines = { times: [], lines: [], begun: false, error: null };

export function useLive(project: string, query: string): LiveLines {
  const [lines, setLines] = useState(NOTHING);
  useEffect(() => {
    const stop = new AbortController();
    setLines(NOTHING);
    void run(project, query, stop.signal, setLines);
    return () => stop.abort();
  }, [project, query]);
  return lines;
}

async function run(project: string, query: string, signal: AbortSignal, show: (lines: LiveLines) => void) {
  const parent = `projects/${project}`;
  const rolling = new Rolling(LIVE_SPAN, LIVE_MILLIS);
  const tell = (error: unknown) => {
    if (!signal.aborted) show({ ...rolling.lines(), begun: true, error });
  };
  const now = Math.floor(Date.now() / LIVE_MILLIS) * LIVE_MILLIS;
  try {
    const was = await telemetry.queryRange(
      {
        parent,
        query,
        startTime: timestampAt(now - LIVE_SPAN),
        endTime: timestampAt(now),
        step: durationFromMs(LIVE_MILLIS),
      },
      { signal },
    );
    rolling.fill(was.series);
  } catch {
    // What is wrong with it the stream says too, and goes on when it is over.
  }
  if (signal.aborted) return;
  tell(null);
  await follow(
    {
      name: `query ${query}`,
      open: (ended) =>
        liveTelemetry.watchQuery({ parent, query, interval: durationFromMs(LIVE_MILLIS) }, { signal: ended }),
      heard: ({ queryTime, series }) => {
        const values = series.flatMap((one) =>
          one.samples.slice(-1).map((sample) => ({ labels: one.labels, value: sample.value })),
        );
        rolling.add(millisAt(queryTime), values);
        tell(null);
      },
      failed: tell,
    },
    signal,
  );
}
