import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { NodeKindSchema } from "../src/gen/weft/execution/v1/execution_pb";
import {
  type Document,
  difference,
  edgeId,
  freshKey,
  onTop,
  parentOf,
  putEdge,
  putNode,
  removeNodes,
  renameNode,
  setProperty,
  type WorkflowNode,
} from "../src/workflows/document";
import { added, arranged, connected, mayConnect, moved, without } from "../src/workflows/edits";
import { fitted, shown, zoomed } from "../src/workflows/editor-view";
import { settingFields, settingOf, textOf } from "../src/workflows/fields";
import { boxesOf } from "../src/workflows/geometry";
import { History } from "../src/workflows/history";
import { layout, placesOf } from "../src/workflows/layout";
import { type Kinds, outputsOf } from "../src/workflows/ports";
import { complete, offersFor, placeOf } from "../src/workflows/scope";
import { nearest } from "../src/workflows/steering";

const port = (name: string, valueType = "any", description = "") => ({ name, valueType, description });
const kind = (
  name: string,
  outputs: ReturnType<typeof port>[],
  more: object = {},
): [string, ReturnType<typeof made>] => [name, made(name, outputs, more)];
function made(name: string, outputs: ReturnType<typeof port>[], more: object) {
  const takes = name === "input" ? [] : [port("in")];
  return create(NodeKindSchema, {
    kind: name,
    title: name,
    inputPorts: takes,
    outputPorts: outputs,
    ...more,
  });
}
const KINDS: Kinds = new Map([
  kind("input", [port("out")]),
  kind("output", []),
  kind("set", [port("out"), port("error", "object")]),
  kind("if", [port("true"), port("false"), port("error", "object")]),
  kind("switch", [port("default"), port("error", "object")]),
  kind("map", [port("out", "list"), port("error", "object")], { hasBody: true }),
  kind("http", [port("out", "object", "`status`, `headers` and `body`"), port("error", "object")]),
  kind("approval", [port("approved", "object", "the answer"), port("error", "object")], {
    description: "Asks a person. Gives `approved`, `form` and `by`. Waiting costs nothing.",
  }),
  kind("merge", [port("out")], { inputPorts: [{ ...port("in"), many: true }] }),
]);

const node = (key: string, type: string, properties: WorkflowNode["properties"] = {}): WorkflowNode => ({
  key,
  type,
  displayName: "",
  labels: [],
  properties,
});
const build = (nodes: WorkflowNode[], edges: [string, string, string?][]): Document => {
  let document: Document = { nodes: new Map(), edges: new Map() };
  for (const one of nodes) document = putNode(document, one);
  for (const [source, target, by = "out"] of edges) document = putEdge(document, source, by, target);
  return document;
};
const edges = (document: Document) =>
  [...document.edges.values()].map((one) => `${one.source} ${one.type}> ${one.target}`);

const ORDERS = build(
  [
    node("start", "input", { schema: { properties: { prices: {}, note: {} } } }),
    node("each", "map", { items: "input.prices" }),
    node("price", "input", { parent: "each" }),
    node("fetch", "http", { parent: "each" }),
    node("give", "output", { parent: "each" }),
    node("many", "if"),
    node("ask", "approval"),
    node("either", "merge"),
    node("end", "output"),
  ],
  [
    ["start", "each"],
    ["price", "fetch"],
    ["fetch", "give"],
    ["each", "many"],
    ["many", "ask", "true"],
    ["many", "either", "false"],
    ["ask", "either", "approved"],
    ["either", "end"],
  ],
);

describe("a document", () => {
  it("is another by what was changed, and nothing else", () => {
    expect(difference(ORDERS, setProperty(ORDERS, "many", "condition", "true"))).toEqual([
      {
        change: {
          case: "upsertNode",
          value: { node: { ...node("many", "if", { condition: "true" }), labels: [] } },
        },
      },
    ]);
    expect(difference(ORDERS, setProperty(ORDERS, "each", "items", "input.prices"))).toEqual([]);
  });

  it("loses a node with its body, edges first", () => {
    const next = removeNodes(ORDERS, ["each"]);
    expect([...next.nodes.keys()]).toEqual(["start", "many", "ask", "either", "end"]);
    const cases = difference(ORDERS, next).map(({ change }) => change?.case);
    expect(cases).toEqual([...Array(4).fill("deleteEdge"), ...Array(4).fill("deleteNode")]);
  });

  it("is renamed with its edges and its body", () => {
    const next = renameNode(ORDERS, "each", "all");
    expect(parentOf(next.nodes.get("price") as WorkflowNode)).toBe("all");
    expect(edges(next)).toContain("start > all");
    expect(renameNode(ORDERS, "each", "many")).toBe(ORDERS);
  });

  it("puts what was done here on top of what another did", () => {
    const theirs = setProperty(removeNodes(ORDERS, ["ask"]), "start", "x", 7);
    const mine = putEdge(setProperty(ORDERS, "many", "condition", "false"), "start", "error", "ask");
    const both = onTop(theirs, ORDERS, mine);
    expect(both.nodes.get("many")?.properties.condition).toBe("false");
    expect(both.nodes.get("start")?.properties.x).toBe(7);
    expect(both.nodes.has("ask")).toBe(false);
    expect(edges(both).some((one) => one.includes("ask"))).toBe(false);
  });

  it("gives keys that expressions can name", () => {
    expect(freshKey(ORDERS, "set")).toBe("set");
    expect(freshKey(ORDERS, "each")).toBe("each2");
    expect(freshKey(ORDERS, "a-b")).toBe("a_b");
  });
});

describe("steps back", () => {
  it("go back and forward, and forget what was ahead of a change", () => {
    const history = new History<string>();
    history.before("a", undefined, 0);
    history.before("b", undefined, 0);
    expect(history.undo("c")).toBe("b");
    expect(history.undo("b")).toBe("a");
    expect(history.undo("a")).toBeUndefined();
    expect(history.redo("a")).toBe("b");
    history.before("b", undefined, 0);
    expect(history.canRedo).toBe(false);
    expect(history.undo("d")).toBe("b");
  });

  it("take what is typed at one place in one go for one", () => {
    const history = new History<string>(200, 1_000);
    history.before("", "field", 0);
    history.before("a", "field", 900);
    history.before("ab", "field", 1_800);
    expect(history.undo("abc")).toBe("");
    history.before("", "field", 2_000);
    history.before("x", "other", 2_100);
    history.before("xy", "field", 9_000);
    expect(history.undo("xyz")).toBe("xy");
    expect(history.undo("xy")).toBe("x");
  });

  it("are bounded", () => {
    const history = new History<number>(3);
    for (let at = 0; at < 9; at++) history.before(at, undefined, at);
    expect([history.undo(9), history.undo(8), history.undo(7), history.undo(6)]).toEqual([
      8,
      7,
      6,
      undefined,
    ]);
  });
});

describe("the layout", () => {
  const places = layout(ORDERS, KINDS);
  const boxes = boxesOf(ORDERS, places, KINDS);
  const box = (key: string) => boxes.get(key) ?? { x: 0, y: 0, width: 0, height: 0 };

  it("has each node to the right of all that lead to it", () => {
    for (const { source, target } of ORDERS.edges.values()) {
      expect(box(target).x, `${source} > ${target}`).toBeGreaterThanOrEqual(
        box(source).x + box(source).width,
      );
    }
  });

  it("has nothing on top of anything, and bodies around what is in them", () => {
    const all = [...ORDERS.nodes.values()];
    for (const a of all) {
      for (const b of all) {
        if (a.key >= b.key || parentOf(a) !== parentOf(b)) continue;
        const [p, q] = [box(a.key), box(b.key)];
        const apart =
          p.x + p.width <= q.x || q.x + q.width <= p.x || p.y + p.height <= q.y || q.y + q.height <= p.y;
        expect(apart, `${a.key} and ${b.key}`).toBe(true);
      }
    }
    const each = box("each");
    for (const key of ["price", "fetch", "give"]) {
      expect(box(key).x).toBeGreaterThan(each.x);
      expect(box(key).x + box(key).width).toBeLessThan(each.x + each.width);
      expect(box(key).y + box(key).height).toBeLessThan(each.y + each.height);
    }
  });

  it("makes a straight line of what is in a row", () => {
    expect(places.get("price")?.y).toBe(places.get("fetch")?.y);
    expect(places.get("start")?.y).toBe(box("each").y);
  });

  it("ends for a cycle too, which the mesh then tells of", () => {
    const cycle = build(
      [node("a", "set"), node("b", "set")],
      [
        ["a", "b"],
        ["b", "a"],
      ],
    );
    expect(layout(cycle, KINDS).size).toBe(2);
  });

  it("leaves nodes where they were put", () => {
    const put = arranged(ORDERS, KINDS);
    const there = setProperty(setProperty(put, "end", "x", 5), "end", "y", 6);
    expect(placesOf(there, KINDS).get("end")).toEqual({ x: 5, y: 6 });
    expect(placesOf(there, KINDS).get("start")).toEqual(places.get("start"));
  });

  it("lays out a thousand nodes", () => {
    const nodes = Array.from({ length: 1_000 }, (_, at) => node(`n${at}`, "set"));
    const joins = nodes.slice(1).map((one, at): [string, string] => [`n${Math.floor(at / 3)}`, one.key]);
    expect(layout(build(nodes, joins), KINDS).size).toBe(1_000);
  });
});

describe("what somebody does", () => {
  it("adds a node after another, by the port that is free", () => {
    const { document, key } = added(ORDERS, "set", { at: "after", key: "ask" }, KINDS);
    expect(edges(document)).toContain(`ask approved> ${key}`);
    const after = added(ORDERS, "set", { at: "after", key: "end" }, KINDS);
    expect(edges(after.document).length).toBe(ORDERS.edges.size);
    const boxes = boxesOf(document, placesOf(document, KINDS), KINDS);
    expect(boxes.get(key)?.x).toBeGreaterThan(boxes.get("ask")?.x ?? 0);
  });

  it("adds a body with a beginning and an end", () => {
    const { document, key } = added(ORDERS, "map", { at: "alone" }, KINDS);
    const inside = [...document.nodes.values()].filter((one) => parentOf(one) === key);
    expect(inside.map((one) => one.type)).toEqual(["input", "output"]);
    expect(edges(document)).toContain(`${inside[0].key} > ${inside[1].key}`);
  });

  it("puts a node between two", () => {
    const edge = edgeId({ key: "", source: "many", target: "either", type: "false", properties: {} });
    const { document, key } = added(ORDERS, "set", { at: "on", edge }, KINDS);
    expect(edges(document)).toEqual(expect.arrayContaining([`many false> ${key}`, `${key} > either`]));
    expect(document.edges.has(edge)).toBe(false);
  });

  it("moves a body with all that is in it, in one step", () => {
    const before = arranged(ORDERS, KINDS);
    const after = moved(before, ["each"], { x: 30, y: -10 }, KINDS);
    const at = (document: Document, key: string) => document.nodes.get(key)?.properties.x as number;
    for (const key of ["each", "price", "give"]) expect(at(after, key)).toBe(at(before, key) + 30);
    expect(at(after, "many")).toBe(at(before, "many"));
  });

  it("joins only what may be joined, and takes the place of the one edge that may enter", () => {
    expect(mayConnect(ORDERS, "start", "fetch", KINDS)).toBe(false);
    expect(mayConnect(ORDERS, "start", "start", KINDS)).toBe(false);
    expect(mayConnect(ORDERS, "each", "start", KINDS)).toBe(false);
    expect(edges(connected(ORDERS, "start", "out", "many", KINDS))).not.toContain("each > many");
    const many = connected(ORDERS, "each", "out", "either", KINDS);
    expect(edges(many).filter((one) => one.endsWith("> either")).length).toBe(3);
  });

  it("closes the gap that a node leaves", () => {
    expect(edges(without(ORDERS, ["each"]))).toContain("start > many");
    expect(edges(without(ORDERS, ["many"])).some((one) => one.includes("start"))).toBe(true);
  });

  it("steers to the nearest node that way", () => {
    const boxes = boxesOf(ORDERS, layout(ORDERS, KINDS), KINDS);
    expect(nearest(boxes, "price", { x: 1, y: 0 })).toBe("fetch");
    expect(nearest(boxes, "either", { x: 1, y: 0 })).toBe("end");
    expect(nearest(boxes, "end", { x: 1, y: 0 })).toBeUndefined();
  });
});

describe("expressions", () => {
  const texts = (key: string) => offersFor(ORDERS, key, KINDS).map((offer) => offer.text);

  it("name what is in scope: inputs, nodes around, elements", () => {
    expect(texts("each")).toEqual(
      expect.arrayContaining(["input", "input.prices", "steps.start", "steps.many"]),
    );
    expect(texts("each")).not.toContain("item");
    expect(texts("fetch")).toEqual(expect.arrayContaining(["item", "index", "steps.price", "steps.start"]));
    expect(texts("fetch")).not.toContain("steps.each");
    expect(texts("many")).not.toContain("steps.fetch");
    expect(texts("give")).toEqual(expect.arrayContaining(["input.status", "steps.fetch.body"]));
    expect(texts("either")).toEqual(expect.arrayContaining(["steps.ask.form"]));
  });

  it("name secrets where what they are in is sent", () => {
    const named = (key: string) =>
      offersFor(ORDERS, key, KINDS, ["github", "a-b"]).map((offer) => offer.text);
    expect(named("fetch")).toEqual(expect.arrayContaining(["secrets.github", 'secrets["a-b"]']));
    expect(named("each")).not.toContain("secrets.github");
  });

  it("are completed where they are, and nowhere else", () => {
    expect(placeOf("input.pr", 8, true)).toEqual({ from: 0, typed: "input.pr" });
    expect(placeOf("a ${steps.ea", 12, false)).toEqual({ from: 4, typed: "steps.ea" });
    // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of a workflow
    expect(placeOf("a ${b} steps", 12, false)).toBeUndefined();
    expect(placeOf("steps", 5, false)).toBeUndefined();
    expect(placeOf("$${steps", 8, false)).toBeUndefined();
    const offers = offersFor(ORDERS, "each", KINDS);
    expect(complete(offers, { from: 0, typed: "input.p" })[0].text).toBe("input.prices");
    expect(complete(offers, { from: 0, typed: "prices" })[0].text).toBe("input.prices");
    expect(complete(offers, { from: 0, typed: "input.prices.fil" }).map((one) => one.text)).toContain(
      "input.prices.filter(x, true)",
    );
  });
});

describe("settings", () => {
  const fields = settingFields({
    properties: {
      any_status: { type: "boolean" },
      body: {},
      cases: {
        type: "array",
        items: {
          type: "object",
          properties: { port: { type: "string" }, when: { type: "string", format: "cel" } },
        },
      },
      condition: { type: "string", format: "cel" },
      headers: { type: "object" },
      method: { enum: ["GET", "PUT"], default: "GET" },
      parallel: { type: "integer", minimum: 1, maximum: 9, default: 10 },
      url: { type: "string", description: "where" },
    },
    required: ["url"],
  });

  it("are fields by their schema, those that are needed first", () => {
    expect(fields.map((field) => `${field.name} ${field.kind}`)).toEqual([
      "url text",
      "any_status switch",
      "body any",
      "cases rows",
      "condition cel",
      "headers json",
      "method choice",
      "parallel integer",
    ]);
    expect(fields[3].fields.map((field) => field.kind)).toEqual(["text", "cel"]);
    expect(fields[7]).toMatchObject({ minimum: 1, maximum: 9, otherwise: "10" });
  });

  it("are values as they are written, and are written as they were", () => {
    const any = { kind: "any" } as const;
    // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of a workflow
    for (const value of ["90s", "${input}", 42, true, ["a"], { a: 1 }, "42", "null"]) {
      expect(settingOf(any, textOf(any, value))).toEqual(value);
    }
    expect(settingOf(any, " ")).toBeUndefined();
    expect(settingOf({ kind: "integer" }, "7")).toBe(7);
    expect(settingOf({ kind: "integer" }, "many")).toBe("many");
    expect(settingOf({ kind: "switch" }, "false")).toBeUndefined();
    expect(() => settingOf({ kind: "json" }, "{")).toThrow(/not JSON/);
  });

  it("make ports: one for each case", () => {
    const way = node("way", "switch", { cases: [{ port: "low" }, { port: "high" }, { port: "low" }, {}] });
    expect(outputsOf(way, KINDS).map((one) => one.name)).toEqual(["low", "high", "default", "error"]);
  });
});

describe("the view", () => {
  const boxes = [
    { x: 100, y: 100, width: 200, height: 54 },
    { x: 1_900, y: 100, width: 200, height: 54 },
  ];
  it("has all in sight, or the beginning of it", () => {
    const all = fitted(boxes, 1_000, 600);
    expect(2_100 * all.scale + all.x).toBeLessThanOrEqual(1_000);
    const first = fitted(boxes, 1_000, 600, 0.7);
    expect(first.scale).toBe(0.7);
    expect(100 * first.scale + first.x).toBe(48);
  });

  it("grows around a point, and moves only as far as it must", () => {
    const view = { x: 10, y: 20, scale: 1 };
    const larger = zoomed(view, 2, { x: 110, y: 120 });
    expect([(110 - larger.x) / larger.scale, (120 - larger.y) / larger.scale]).toEqual([100, 100]);
    expect(shown(view, boxes[0], 1_000, 600)).toBe(view);
    expect(shown(view, boxes[1], 1_000, 600).x).toBeLessThan(0);
  });
});
