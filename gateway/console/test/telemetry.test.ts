// Numbers over time as lines, and PromQL as it is written by buttons and by hand.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import type { Series } from "../src/gen/weft/telemetry/v1/telemetry_pb";
import {
  linesOf,
  millisOf,
  moved,
  nameOf,
  shortNames,
  spanOf,
  unitOf,
  valueText,
  windowOf,
  zoomed,
} from "../src/telemetry/model";
import {
  aggregate,
  complete,
  isSelector,
  matching,
  metricOf,
  percentile,
  placeOf,
  rate,
} from "../src/telemetry/promql";
import { Rolling } from "../src/telemetry/rolling";

const series = (labels: Record<string, string>, samples: [number, number][]) =>
  ({
    labels,
    samples: samples.map(([at, value]) => ({ sampleTime: timestampFromMs(at), value })),
  }) as unknown as Series;

describe("lines", () => {
  test("a step without a value is a gap, and no zero", () => {
    const window = { from: 0, to: 40_000, step: 10_000 };
    const { times, lines } = linesOf(
      [
        series({ __name__: "m" }, [
          [0, 1],
          [10_000, 0],
          [40_000, 3],
        ]),
      ],
      window,
    );
    expect(times).toEqual([0, 10, 20, 30, 40]);
    expect(lines[0].values).toEqual([1, 0, null, null, 3]);
  });

  test("what was before lies over what is", () => {
    const window = { from: 100_000, to: 120_000, step: 10_000 };
    const { lines } = linesOf([series({ __name__: "m" }, [[30_000, 7]])], window, 80_000);
    expect(lines[0]).toMatchObject({ key: "m before", before: true, values: [null, 7, null] });
  });

  test("names say what differs", () => {
    const all = [
      { __name__: "m", host: "a", cpu: "0" },
      { __name__: "m", host: "a", cpu: "1" },
    ];
    expect(shortNames(all)).toEqual(['{cpu="0"}', '{cpu="1"}']);
    expect(shortNames(all.slice(1))).toEqual(['m{cpu="1", host="a"}']);
    expect(nameOf({ __name__: "up" })).toBe("up");
  });

  test("a window is on steps, so that the same times are asked for again", () => {
    expect(windowOf({ last: 3_600_000 }, 7_204_321)).toEqual({
      from: 3_600_000,
      to: 7_200_000,
      step: 15_000,
    });
    const [one, other] = [windowOf({ last: 600_000 }, 1_000_001), windowOf({ last: 600_000 }, 1_004_999)];
    expect(other).toEqual(one);
  });

  test("a span of an address is looked at with suspicion", () => {
    expect(spanOf({ last: "6h" })).toEqual({ last: 21_600_000 });
    expect(spanOf({ last: "6 years" })).toEqual({ last: 3_600_000 });
    expect(spanOf({ from: 5, to: 4 })).toEqual({ last: 3_600_000 });
    expect(spanOf({ from: 0, to: 60_000 })).toEqual({ from: 0, to: 60_000 });
    expect(millisOf("0s")).toBeUndefined();
    expect(zoomed({ from: 0, to: 100_000 }, 0.5)).toEqual({ from: 25_000, to: 75_000 });
    expect(zoomed({ from: 0, to: 10_000 }, 0.5)).toEqual({ from: 0, to: 10_000 });
    expect(moved({ from: 0, to: 100 }, -0.25)).toEqual({ from: -25, to: 75 });
  });

  test("values are written in their unit", () => {
    expect(unitOf("rate(host_network_sent_bytes_total[1m])")).toBe("bytes/s");
    expect(unitOf("host_memory_total_bytes")).toBe("bytes");
    expect(unitOf("host_cpu_usage_ratio")).toBe("ratio");
    expect(unitOf("rate(orders_total[1m])")).toBe("/s");
    expect(valueText(0.031, "ratio")).toBe("3.1 %");
    expect(valueText(-2_048, "bytes/s")).toBe("−2.0 KB/s");
    expect(valueText(null, "bytes")).toBe("–");
    expect(valueText(12_345_678, "number")).toBe("12.3M");
    expect(valueText(0.123456, "/s")).toBe("0.1235/s");
  });
});

describe("what is live", () => {
  test("rolls, begins series where they begin, and keeps gaps", () => {
    const rolling = new Rolling(10_000, 2_000);
    rolling.fill([
      series({ a: "1" }, [
        [0, 1],
        [2_000, 2],
      ]),
    ]);
    rolling.add(2_000, [{ labels: { a: "1" }, value: 9 }]);
    rolling.add(4_000, [
      { labels: { a: "1" }, value: 3 },
      { labels: { a: "2" }, value: 30 },
    ]);
    expect(rolling.lines().lines.map((line) => line.values)).toEqual([
      [1, 2, 3],
      [null, null, 30],
    ]);
    // Nothing came for longer than that: a gap, and not a line across.
    rolling.add(12_000, [{ labels: { a: "2" }, value: 31 }]);
    expect(rolling.lines()).toEqual({
      times: [2, 4, 6, 12],
      lines: [
        { key: '{a="1"}', label: '{a="1"}', values: [2, 3, null, null] },
        { key: '{a="2"}', label: '{a="2"}', values: [null, 30, null, 31] },
      ],
    });
    // What fell out takes a series with it that is over.
    rolling.add(15_000, [{ labels: { a: "2" }, value: 32 }]);
    expect(rolling.lines().lines.map((line) => line.key)).toEqual(['{a="2"}']);
  });
});

describe("PromQL", () => {
  test("buttons write it", () => {
    expect(rate('m{a="b"}')).toBe('rate(m{a="b"}[1m])');
    expect(rate("sum(m)")).toBe("rate((sum(m))[1m:])");
    expect(aggregate("rate(m[1m])", "sum", ["host"])).toBe("sum by (host) (rate(m[1m]))");
    expect(aggregate("m", "max", [])).toBe("max(m)");
    expect(aggregate("f(m)", "max", [])).toBe("max(f(m))");
    expect(percentile("h_bucket", 0.95)).toBe("histogram_quantile(0.95, sum by (le) (rate(h_bucket[5m])))");
    expect(percentile("m", 0.5)).toBe("quantile(0.5, m)");
    expect([isSelector("m"), isSelector('{a="b"}'), isSelector("m + 1"), isSelector("")]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(metricOf("sum by (host) (rate(orders_total[1m]))")).toBe("orders_total");
  });

  test("what can come next depends on where the caret is", () => {
    const at = (text: string) => {
      const caret = text.indexOf("|");
      return placeOf(text.replace("|", ""), caret);
    };
    expect(at("rate(host_n|")).toMatchObject({ kind: "name", typed: "host_n", from: 5 });
    expect(at("m{ho|")).toMatchObject({ kind: "label", typed: "ho", metric: "m", from: 2 });
    expect(at('m{a="x", ho|')).toMatchObject({ kind: "label", typed: "ho" });
    expect(at('m{host=~"no|')).toMatchObject({ kind: "value", typed: "no", metric: "m", label: "host" });
    expect(at('m{host="a"} + o|')).toMatchObject({ kind: "name", typed: "o" });
    expect(at("sum by (ho|) (m)")).toMatchObject({ kind: "label", typed: "ho", metric: "m" });
  });

  test("what is chosen takes the place of what was begun", () => {
    const choose = (text: string, chosen: string) => {
      const caret = text.indexOf("|");
      const query = text.replace("|", "");
      const [next, end] = complete(query, caret, placeOf(query, caret), chosen);
      return `${next.slice(0, end)}|${next.slice(end)}`;
    };
    expect(choose("ra|", "rate")).toBe("rate(|");
    expect(choose("rate(ho|xyz[1m])", "host_load1")).toBe("rate(host_load1|[1m])");
    expect(choose("m{ho|", "host")).toBe('m{host="|');
    expect(choose('m{host="n|', "node7")).toBe('m{host="node7"|');
    expect(choose('m{host="n|"}', "node7")).toBe('m{host="node7|"}');
    expect(choose("sum by (ho|) (m)", "host")).toBe("sum by (host|) (m)");
  });

  test("what begins so comes first", () => {
    expect(matching(["a_load", "load_b", "x"], "load", 5)).toEqual(["load_b", "a_load"]);
  });
});
