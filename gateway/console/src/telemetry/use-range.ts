// The lines of a query over what is looked at, asked for again as often as
// somebody wants it; with those of the time before where they are compared.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { telemetry } from "../rpc/telemetry";
import { type Lines, linesOf, type Span, timestampAt, type Window, windowOf } from "./model";

export interface Range extends Lines {
  window: Window;
  /** Series that there are; the lines may be fewer. */
  found: number;
}

/** So many lines are drawn: more tell nobody anything. */
export const MOST_LINES = 300;

export function useRange(project: string, query: string, span: Span, every: number, before: number) {
  return useQuery({
    queryKey: ["query-range", project, query, span, before],
    queryFn: async ({ signal }): Promise<Range> => {
      const window = windowOf(span, Date.now());
      const ask = (shift: number) =>
        telemetry.queryRange(
          {
            parent: `projects/${project}`,
            query,
            startTime: timestampAt(window.from - shift),
            endTime: timestampAt(window.to - shift),
            step: durationFromMs(window.step),
          },
          { signal },
        );
      const [now, then] = await Promise.all([ask(0), before > 0 ? ask(before) : null]);
      const { times, lines } = linesOf(now.series.slice(0, MOST_LINES), window);
      const earlier = linesOf(then?.series.slice(0, MOST_LINES) ?? [], window, before).lines;
      return { window, times, lines: [...lines, ...earlier], found: now.series.length };
    },
    enabled: query !== "",
    placeholderData: keepPreviousData,
    refetchInterval: "last" in span && every > 0 ? every : false,
    retry: false,
  });
}
