// What is to come of lines: as rows of a chart, and in words.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import {
  AnomalousSeriesSchema,
  type Crossing,
  CrossingSchema,
  ForecastSchema,
} from "../src/gen/weft/telemetry/v1/forecast_pb";
import type { Line } from "../src/telemetry/model";
import { crossingText, extended, outlookOf, spanText, spells } from "../src/telemetry/outlook";
import { overlayOf } from "../src/telemetry/outlook-paint";

const DAY = 86_400_000;
const END = 1_800_000_000_000;

const forecast = (name: string, values: number[]) =>
  create(ForecastSchema, {
    labels: { __name__: name },
    sampleCount: 100,
    points: values.map((value, at) => ({
      pointTime: timestampFromMs(END + (at + 1) * 10_000),
      value,
      lower: value - 1_000,
      upper: value + 1,
    })),
  });

const range = {
  times: [END / 1_000 - 10, END / 1_000],
  lines: [
    { key: "a", label: "a", values: [1, 2] },
    { key: "b", label: "b", values: [null, 7] },
  ] as Line[],
};

describe("what is to come", () => {
  test("is in rows after those that there are", () => {
    const outlook = outlookOf([forecast("b", []), forecast("a", [3, 4])], END, END + 20_000);
    const { times, lines } = extended(range, outlook);
    expect(times).toEqual([-10, 0, 10, 20].map((by) => END / 1_000 + by));
    expect(lines[0]).toMatchObject({ values: [1, 2, null, null], ahead: [null, null, 3, 4] });
    // A series of too few values has no forecast.
    expect(lines[1]).toMatchObject({ values: [null, 7, null, null], ahead: [null, null] });
    // What is known by now is not to come any more.
    const later = { ...range, times: [END / 1_000, END / 1_000 + 10] };
    expect(extended(later, outlook).lines[0].ahead).toEqual([null, null, 4]);
    expect(extended(range, outlookOf([], END, END + 20_000))).toBe(range);
  });

  test("is in sight, and an interval only as far as lines are not made flat by it", () => {
    const outlook = outlookOf([forecast("a", [3, 13])], END, END + 20_000);
    const seen = overlayOf(range.lines, new Set(), outlook, undefined);
    expect([seen.least, seen.most]).toEqual([1 - 6, 14]);
    const far = overlayOf(range.lines, new Set(), { ...outlook, threshold: 100 }, undefined);
    expect(far.most).toBe(100);
    const hidden = overlayOf(range.lines, new Set(["a"]), outlook, undefined);
    expect([hidden.least, hidden.most]).toEqual([1, 7]);
  });

  test("is told in words", () => {
    const at = (days: number | undefined) =>
      days === undefined ? undefined : timestampFromMs(END + days * DAY);
    const told = (earliest: number, time?: number, latest?: number) => {
      const parts = { earliestTime: at(earliest), crossTime: at(time), latestTime: at(latest) };
      return crossingText(create(CrossingSchema, parts) as Crossing, END, END + 30 * DAY);
    };
    expect(told(9.1, 12, 16.7)).toBe("in 12 days (9 to 17)");
    expect(told(9.1, 12)).toBe("in 12 days (9 to more than 30)");
    expect(told(4.9, 5, 5.2)).toBe("in 5 days");
    expect(told(21)).toBe("not in 30 days, at the earliest in 21 days");
    expect(told(0, 0, 0)).toBe("now");
    expect(told(0.5, 1, 2)).toBe("in 24 hours (12 to 48)");
    expect(crossingText(undefined, END, END + 30 * DAY)).toBe("not in 30 days");
    expect([0, 1_000, 90_000, 7_200_000].map(spanText)).toEqual([
      "0 seconds",
      "1 second",
      "90 seconds",
      "2 hours",
    ]);
  });

  test("the worst spell of all series is first", () => {
    const series = (name: string, scores: number[]) =>
      create(AnomalousSeriesSchema, {
        labels: { __name__: name },
        anomalies: scores.map((peakScore) => ({ peakScore })),
      });
    const found = {
      series: [series("a", [9, 5]), series("b", [7])],
      seriesCount: 3,
      anomalousSeriesCount: 2,
    };
    expect(spells(found).map((one) => [one.key, one.anomaly.peakScore])).toEqual([
      ["a", 9],
      ["b", 7],
      ["a", 5],
    ]);
  });
});
