// What is to come of the lines of a query, and when they were not as usual; asked
// only where somebody wants it, and with code that is loaded then.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { millisOf, type Span } from "./model";
import type { TelemetrySearch } from "./search";

/** It changes slowly, and is dear. */
const SELDOM = 60_000;

async function load() {
  const parts = [import("./outlook"), import("./outlook-ask"), import("./outlook-paint")] as const;
  const [outlook, asked, painted] = await Promise.all(parts);
  return { ...outlook, ...asked, ...painted };
}

export function useOutlook(
  project: string,
  query: string,
  span: Span,
  every: number,
  search: TelemetrySearch,
) {
  const ahead = millisOf(search.ahead) ?? 0;
  const { threshold, below = false } = search;
  const refetchInterval = "last" in span && every > 0 ? Math.max(every, SELDOM) : (false as const);
  const settings = { placeholderData: keepPreviousData, refetchInterval, staleTime: SELDOM, retry: false };
  const forecast = useQuery({
    queryKey: ["forecast", project, query, span, ahead, threshold, below],
    queryFn: async ({ signal }) => {
      const { askForecast, extended, overlayOf } = await load();
      const asked = { ahead, threshold, below };
      return { extended, overlayOf, data: await askForecast(project, query, span, asked, signal) };
    },
    enabled: query !== "" && ahead > 0,
    ...settings,
  });
  const anomalies = useQuery({
    queryKey: ["anomalies", project, query, span],
    queryFn: async ({ signal }) => {
      const { askAnomalies, overlayOf } = await load();
      return { overlayOf, data: await askAnomalies(project, query, span, signal) };
    },
    enabled: query !== "" && search.anomalies === true,
    ...settings,
  });
  // What was asked for before is kept while the next is asked, and not after it was switched off.
  return {
    forecast: ahead > 0 ? forecast.data : undefined,
    anomalies: search.anomalies ? anomalies.data : undefined,
    error: (ahead > 0 && forecast.error) || (search.anomalies && anomalies.error) || null,
    isFetching: forecast.isFetching || anomalies.isFetching,
  };
}
