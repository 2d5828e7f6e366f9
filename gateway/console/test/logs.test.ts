// Logs without a page: what an address says, what is found in a text, and what
// arrives put together with what was found.
import { create, type JsonObject } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { LogRecordSchema, LogSeverity } from "../src/gen/weft/telemetry/v1/log_pb";
import { entriesOf, exactText, lineOfBody, severityText } from "../src/logs/model";
import { lineOf, MOST_PAIRS, pairOf, readPairs, typedPair, withoutPair, withPair } from "../src/logs/pairs";
import { filterOf, isFiltered, readLogsSearch } from "../src/logs/search";
import { SEVERITIES, severityName, severityOf } from "../src/logs/severity";
import { rowsOf, Tail } from "../src/logs/tail";
import { boundsOf, inputOf, isAll, ofInput, readWhen } from "../src/logs/when";
import { finderOf, partsOf } from "../src/logs/words";

const TRACE = "5b8efff798038103d269b633813fc60c";

const said = (text: string, attributes: JsonObject = {}) =>
  create(LogRecordSchema, {
    logTime: timestampFromMs(1_000),
    severity: LogSeverity.WARN,
    body: { kind: { case: "stringValue", value: text } },
    attributes,
  });
const texts = (entries: readonly { record: ReturnType<typeof said> }[]) =>
  entries.map(({ record }) => lineOfBody(record));

describe("an address", () => {
  test("says what is asked, and nothing that cannot be", () => {
    const search = readLogsSearch({
      project: "shop",
      q: 4711,
      severity: "error",
      service: "pay",
      attr: ["order=4711", "none", "order=4711", "url=/a?b=c"],
      trace: TRACE.toUpperCase(),
      last: "6h",
      live: true,
      other: 1,
    });
    expect(search).toEqual({
      project: "shop",
      q: "4711",
      severity: "error",
      service: "pay",
      attr: ["order=4711", "url=/a?b=c"],
      trace: TRACE,
      last: "6h",
      from: undefined,
      to: undefined,
      live: true,
    });
    expect(filterOf("shop", search)).toEqual({
      parent: "projects/shop",
      query: "4711",
      minSeverity: LogSeverity.ERROR,
      serviceName: "pay",
      attributes: ["order=4711", "url=/a?b=c"],
      traceId: TRACE,
    });
    expect(isFiltered(search)).toBe(true);
  });

  test("read again says the same", () => {
    const search = readLogsSearch({ q: '"by peer" -x', attr: "a=1", from: 5, to: 9 });
    expect(readLogsSearch({ ...search })).toEqual(search);
  });

  test("of nonsense asks for nothing", () => {
    const search = readLogsSearch({
      q: "",
      severity: "awful",
      attr: 5,
      trace: "abc",
      last: "2y",
      live: "yes",
    });
    expect(Object.values(search).filter((value) => value !== undefined)).toEqual([]);
    expect(isFiltered(search)).toBe(false);
    expect(isFiltered({ q: "  " })).toBe(false);
  });

  test("has one kind of time, and follows nothing in a time that has ended", () => {
    expect(readWhen({ last: "15m", from: 1, to: 2 })).toEqual({ last: undefined, from: 1, to: 2 });
    expect(readWhen({ last: "1h" }).last).toBeUndefined();
    expect(readWhen({ from: -1, to: 1.5 })).toEqual({});
    expect(readLogsSearch({ live: true, to: 5 }).live).toBeUndefined();
    expect(isAll({ last: "all" })).toBe(true);
    expect(boundsOf({ last: "all" }, 9)).toEqual({});
    expect(boundsOf({ from: 1_000 }, 9)).toEqual({ startTime: timestampFromMs(1_000), endTime: undefined });
    expect(boundsOf({}, 3_600_000)).toEqual({ startTime: timestampFromMs(0) });
    expect(boundsOf({ last: "15m" }, 900_500)).toEqual({ startTime: timestampFromMs(500) });
  });

  test("a time is the same after an input has had it", () => {
    expect(ofInput(inputOf(1_763_820_131_000))).toBe(1_763_820_131_000);
    expect(ofInput("")).toBeUndefined();
  });
});

describe("attributes", () => {
  test("become filters where they can be looked for", () => {
    expect(pairOf("order", 4711)).toBe("order=4711");
    expect(pairOf("paid", false)).toBe("paid=false");
    expect(pairOf("url", "/a?b=c")).toBe("url=/a?b=c");
    expect(pairOf("a=b", "c")).toBeUndefined();
    expect(pairOf("list", [1])).toBeUndefined();
    expect(pairOf("none", null)).toBeUndefined();
    expect(pairOf("long", "ü".repeat(1_500))).toBeUndefined();
    expect(typedPair(" order = 4711 ")).toBe("order=4711");
    expect(typedPair("=x")).toBeUndefined();
  });

  test("are added once, and no more than a search may have", () => {
    expect(withPair(["a=1"], "a=1")).toEqual(["a=1"]);
    expect(withoutPair(["a=1"], "a=1")).toBeUndefined();
    const many = Array.from({ length: 40 }, (_, at) => `k${at}=v`);
    expect(readPairs(many)).toHaveLength(MOST_PAIRS);
  });

  test("are a line by their names", () => {
    expect(lineOf({ b: [1, 2], a: "x" })).toBe("a=x b=[1,2]");
    expect(lineOf(undefined)).toBe("");
  });
});

test("severities have names, and what has none says so", () => {
  for (const name of SEVERITIES) expect(severityName(severityOf(name))).toBe(name);
  expect(severityOf(undefined)).toBe(LogSeverity.UNSPECIFIED);
  expect(severityText(create(LogRecordSchema, {}))).toBe("–");
});

test("a record is a line, whatever its body is", () => {
  expect(lineOfBody(said("two\n  lines"))).toBe("two lines");
  const structure = { fields: { a: { kind: { case: "numberValue" as const, value: 1 } } } };
  expect(
    lineOfBody(create(LogRecordSchema, { body: { kind: { case: "structValue", value: structure } } })),
  ).toBe('{"a":1}');
  expect(lineOfBody(create(LogRecordSchema, { eventName: "paid" }))).toBe("paid");
  expect(exactText({ ...timestampFromMs(0), nanos: 123_456_789 })).toBe("1970-01-01T00:00:00.123456789Z");
  expect(exactText({ ...timestampFromMs(0), nanos: 120_000_000 })).toBe("1970-01-01T00:00:00.120Z");
});

describe("words of a query", () => {
  const hits = (query: string, text: string) =>
    partsOf(text, finderOf(query))
      .filter((part) => part.hit)
      .map((part) => part.text);

  test("are marked as the mesh finds them", () => {
    expect(hits("card", "Card of the cardinal, discard")).toEqual(["Card"]);
    expect(hits("card*", "Card of the cardinal, discard")).toEqual(["Card", "card"]);
    expect(hits('"by peer" refused', "refused by  peer, peer by")).toEqual(["refused", "by  peer"]);
    expect(hits("10.0.0.7", "from 10.0.0.7:80, not 10.0.0.70")).toEqual(["10.0.0.7"]);
    expect(hits("-card", "card")).toEqual([]);
    expect(hits("größe", "die GRÖSSE Größe")).toEqual(["Größe"]);
    expect(hits('"not clo', "not closed")).toEqual([]);
  });

  test("all parts together are the text", () => {
    const text = "a card, b card";
    expect(
      partsOf(text, finderOf("card a"))
        .map((part) => part.text)
        .join(""),
    ).toBe(text);
    expect(partsOf("", finderOf("x"))).toEqual([{ text: "", hit: false }]);
    expect(finderOf(" - * ")).toBeNull();
  });
});

describe("what arrives", () => {
  test("is on top, and not there twice", () => {
    const tail = new Tail();
    const [a, b, c] = ["a", "b", "c"].map((text) => said(text));
    // It arrived while the search was under way: the search may have it, or not.
    tail.heard([b, c], 0, false);
    expect(tail.view().shown).toEqual([]);
    const found = entriesOf([b, a]);
    tail.found(found, false);
    expect(texts(rowsOf(tail.view(), found))).toEqual(["c", "b", "a"]);
    // The search had it, and the watch tells of it only now.
    tail.heard([a, said("d")], 0, false);
    expect(texts(rowsOf(tail.view(), found))).toEqual(["d", "c", "b", "a"]);
    // Said twice is there twice.
    tail.heard([said("d")], 0, false);
    expect(texts(rowsOf(tail.view(), found))).toEqual(["d", "d", "c", "b", "a"]);
    const ids = rowsOf(tail.view(), found).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("waits while somebody reads", () => {
    const tail = new Tail();
    tail.found([], false);
    tail.heard([said("a")], 0, false);
    tail.heard([said("b"), said("c")], 0, true);
    expect(tail.view()).toMatchObject({ held: 2 });
    expect(texts(tail.view().shown)).toEqual(["a"]);
    tail.release();
    expect(tail.view().held).toBe(0);
    expect(texts(tail.view().shown)).toEqual(["c", "b", "a"]);
  });

  test("is bounded, and says where a gap begins", () => {
    const tail = new Tail(3);
    tail.found([], false);
    tail.heard(
      ["a", "b"].map((text) => said(text)),
      0,
      false,
    );
    expect(tail.view().cut).toBe(false);
    tail.heard(
      ["c", "d"].map((text) => said(text)),
      0,
      false,
    );
    const found = entriesOf([said("before")]);
    // Below a gap nothing older is shown as if it came next.
    expect(texts(rowsOf(tail.view(), found))).toEqual(["d", "c", "b"]);
    tail.heard(
      ["e", "f", "g", "h"].map((text) => said(text)),
      0,
      true,
    );
    // What is read stays, however much waits.
    expect(texts(tail.view().shown)).toEqual(["d", "c", "b"]);
    expect(tail.view().held).toBe(3);
    tail.release();
    expect(texts(tail.view().shown)).toEqual(["h", "g", "f"]);
    expect(tail.view().cut).toBe(true);
  });

  test("counts what was missed", () => {
    const tail = new Tail();
    tail.found([], false);
    tail.heard([said("a")], 3, false);
    tail.heard([said("b")], 2, false);
    tail.interrupted();
    expect(tail.view()).toMatchObject({ missed: 5, broken: true });
  });
});

test("equal records of a search have ids of their own, which stay", () => {
  const one = entriesOf([said("a"), said("a")]);
  const more = entriesOf([said("a"), said("a"), said("b")]);
  expect(one.map(({ id }) => id)).toEqual(more.slice(0, 2).map(({ id }) => id));
  expect(new Set(more.map(({ id }) => id)).size).toBe(3);
});
