// Traces without a page: the tree of their spans, its rows, what keys do, and times.
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { SpanSchema, SpanStatus } from "../src/gen/weft/telemetry/v1/trace_pb";
import { moveOf } from "../src/traces/keys";
import { filterOf, lengthOf, readTracesSearch } from "../src/traces/search";
import { lengthText, ticksOf, tickText } from "../src/traces/time";
import { hasWords, nextOf, rowsOf, selfOf, type SpanNode, treeOf, unfoldedFor } from "../src/traces/tree";

const BEGIN = 1_763_820_000n;

/** Milliseconds after the beginning of the trace. */
function span(spanId: string, parentSpanId: string, from: number, to: number, more: object = {}) {
  const at = (millis: number) => ({
    seconds: BEGIN + BigInt(Math.floor(millis / 1_000)),
    nanos: Math.round((millis % 1_000) * 1e6),
  });
  return create(SpanSchema, {
    spanId,
    parentSpanId,
    operation: `do ${spanId}`,
    startTime: at(from),
    endTime: at(to),
    origin: { serviceName: spanId < "c" ? "shop" : "pay" },
    ...more,
  });
}

const ids = (nodes: readonly SpanNode[]) => nodes.map((node) => node.id);

describe("a tree of spans", () => {
  const tree = treeOf([
    span("d", "b", 30, 50, { status: SpanStatus.ERROR, statusMessage: "declined" }),
    span("b", "a", 10, 90.5),
    span("a", "", 0, 100),
    span("c", "b", 20, 40),
    span("e", "a", 5, 8),
  ]);

  test("is by parent, and in each by time", () => {
    expect(ids(tree.all)).toEqual(["a", "e", "b", "c", "d"]);
    expect(tree.all.map((node) => node.depth)).toEqual([0, 1, 1, 2, 2]);
    expect(tree.length).toBe(100);
    expect(tree.services).toEqual(["shop", "pay"]);
    const b = tree.byId.get("b") as SpanNode;
    expect([b.offset, b.took, b.inner, b.innerFailed]).toEqual([10, 80.5, 2, 1]);
    expect(tree.roots[0]).toMatchObject({ inner: 4, innerFailed: 1, isLost: false });
  });

  test("knows what a span did by itself", () => {
    // Its children were at work from 20 to 50, two of them at once for a while.
    expect(selfOf(tree.byId.get("b") as SpanNode)).toBe(50.5);
    expect(selfOf(tree.byId.get("c") as SpanNode)).toBe(20);
  });

  test("folds, and unfolds for what is looked for", () => {
    const folded = new Set(["b"]);
    expect(ids(rowsOf(tree, folded))).toEqual(["a", "e", "b"]);
    expect(ids(rowsOf(tree, new Set(["a", "b"])))).toEqual(["a"]);
    const d = tree.byId.get("d") as SpanNode;
    expect(ids(rowsOf(tree, unfoldedFor(folded, d)))).toContain("d");
    expect(unfoldedFor(folded, tree.byId.get("e") as SpanNode)).toBe(folded);
  });

  test("finds by words, and the next one goes around", () => {
    const d = tree.byId.get("d") as SpanNode;
    expect(hasWords(d, "pay DECLINED")).toBe(true);
    expect(hasWords(d, "pay accepted")).toBe(false);
    expect(hasWords(d, " ")).toBe(false);
    const shop = (node: SpanNode) => node.service === "shop";
    expect(nextOf(tree, undefined, shop)?.id).toBe("a");
    expect(nextOf(tree, d, shop)?.id).toBe("a");
    expect(nextOf(tree, tree.roots[0], shop, -1)?.id).toBe("b");
    expect(nextOf(tree, d, () => false)).toBeUndefined();
  });
});

describe("spans whose parents are not as they should be", () => {
  test("still show, and say so", () => {
    const tree = treeOf([span("a", "", 5, 9), span("x", "gone", 0, 3), span("y", "x", 1, 2)]);
    expect(ids(tree.all)).toEqual(["x", "y", "a"]);
    expect(tree.roots.map((node) => node.isLost)).toEqual([true, false]);
  });

  test("are each there once, also in a circle and twice", () => {
    const tree = treeOf([
      span("a", "c", 0, 9),
      span("b", "a", 1, 8),
      span("c", "b", 2, 7),
      span("s", "s", 3, 4),
      span("s", "s", 3, 4),
    ]);
    expect(ids(tree.all).sort()).toEqual(["a", "b", "c", "s"]);
    expect(tree.all.find((node) => node.id === "a")).toMatchObject({ depth: 0, isLost: true, inner: 2 });
    expect(tree.roots.every((node) => node.parent === null)).toBe(true);
  });

  test("may end before they begin, and be none", () => {
    expect(treeOf([span("a", "", 5, 3)]).all[0].took).toBe(0);
    expect(treeOf([])).toMatchObject({ all: [], length: 0 });
  });

  test("may be a chain of ten thousand", () => {
    const chain = Array.from({ length: 10_000 }, (_, at) =>
      span(`s${at}`, at ? `s${at - 1}` : "", at, 20_000 - at),
    );
    const tree = treeOf(chain);
    expect(tree.all).toHaveLength(10_000);
    expect(tree.all[9_999].depth).toBe(9_999);
    expect(tree.roots[0].inner).toBe(9_999);
    expect(rowsOf(tree, new Set(["s5"]))).toHaveLength(6);
  });
});

test("keys go through what is in sight", () => {
  const tree = treeOf([
    span("a", "", 0, 9),
    span("b", "a", 1, 8),
    span("c", "b", 2, 7),
    span("d", "a", 3, 4),
  ]);
  const [a, b, c, d] = ["a", "b", "c", "d"].map((id) => tree.byId.get(id) as SpanNode);
  const none = new Set<string>();
  const move = (key: string, chosen: SpanNode | undefined, folded: ReadonlySet<string> = none) =>
    moveOf(key, rowsOf(tree, folded), chosen, folded, 2);
  expect(move("ArrowDown", a)).toEqual({ choose: b });
  expect(move("ArrowDown", undefined)).toEqual({ choose: a });
  expect(move("ArrowUp", a)).toEqual({ choose: a });
  expect(move("ArrowDown", b, new Set(["b"]))).toEqual({ choose: d });
  expect(move("ArrowRight", b)).toEqual({ choose: c });
  expect(move("ArrowRight", b, new Set(["b"]))).toEqual({ toggle: b });
  expect(move("ArrowLeft", b)).toEqual({ toggle: b });
  expect(move("ArrowLeft", c)).toEqual({ choose: b });
  expect(move("ArrowLeft", a, new Set(["a"]))).toEqual({});
  expect(move("PageDown", a)).toEqual({ choose: c });
  expect(move("End", a)).toEqual({ choose: d });
  expect(move("x", a)).toBeUndefined();
});

test("lengths are read as they are written", () => {
  const told = (text: string) => {
    const length = lengthOf(text);
    return length && Number(length.seconds) * 1_000 + length.nanos / 1e6;
  };
  expect(told("250ms")).toBe(250);
  expect(told("1.5 s")).toBe(1_500);
  expect(told("10us")).toBe(0.01);
  expect(told("2m")).toBe(120_000);
  for (const text of ["", "0s", "5", "fast", "-1s", "999999999h"]) expect(told(text)).toBeUndefined();
});

test("an address says what is asked", () => {
  const search = readTracesSearch({
    service: "shop",
    operation: 5,
    min: "250ms",
    errors: true,
    attr: ["a=1"],
  });
  expect(filterOf("default", search)).toMatchObject({
    parent: "projects/default",
    serviceName: "shop",
    operation: "5",
    minDuration: { seconds: 0n, nanos: 250_000_000 },
    errorsOnly: true,
    attributes: ["a=1"],
  });
  expect(readTracesSearch({ min: "soon", errors: "no" })).toMatchObject({
    min: undefined,
    errors: undefined,
  });
  expect(readTracesSearch({ ...search })).toEqual(search);
});

test("times have three digits, and axes round ones", () => {
  expect([0, 0.0005, 0.0123, 12.345, 999.6, 1_234, 65_000].map(lengthText)).toEqual([
    "0",
    "500 ns",
    "12.3 µs",
    "12.3 ms",
    "1000 ms",
    "1.23 s",
    "1 min 5 s",
  ]);
  expect(ticksOf(0, 100, 4)).toEqual([0, 50, 100]);
  expect(ticksOf(12, 18, 5)).toEqual([12, 14, 16, 18]);
  // Those of a short time late in a long trace differ too.
  expect(ticksOf(5_555, 5_556, 4).map((tick) => tickText(tick, 0.5))).toEqual([
    "5.555 s",
    "5.5555 s",
    "5.556 s",
  ]);
  expect([0, 50, 1_000, 1_500].map((tick) => tickText(tick, 50))).toEqual(["0", "50 ms", "1 s", "1.5 s"]);
  expect([0.0005, 0.25, 120_000].map((tick, at) => tickText(tick, [0.0001, 0.05, 60_000][at]))).toEqual([
    "500 ns",
    "250 µs",
    "2 min 0 s",
  ]);
  expect(ticksOf(3, 3)).toEqual([3]);
});
