import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ChangeBatchSchema } from "../src/gen/weft/graph/v1/graph_pb";
import {
  EdgeColumnsSchema,
  NodeColumnsSchema,
  SnapshotHeaderSchema,
} from "../src/gen/weft/graph/v1/graph_service_pb";
import { GraphModel } from "../src/graph/model";
import { LOOKS } from "../src/render/look";
import { colourNodes, shuffledEnds, styleNodes } from "../src/graph/style";

function triangle(): GraphModel {
  const model = new GraphModel();
  model.begin(
    create(SnapshotHeaderSchema, {
      graph: { uid: "u", nodeCount: 3n, edgeCount: 3n },
      nodeTypes: ["a", "b"],
      edgeTypes: ["e"],
    }),
  );
  model.addNodes(
    create(NodeColumnsSchema, {
      ordinals: [1, 2, 5],
      types: [0, 1, 0],
      keys: ["x", "y", "z"],
      displayNames: ["", "Why", ""],
      labels: ["l\u001fm", "", ""],
    }),
  );
  model.addEdges(create(EdgeColumnsSchema, { sources: [1, 2, 5], targets: [2, 5, 1], types: [0, 0, 0] }));
  model.finish(4n);
  return model;
}

type Changes = Parameters<typeof create<typeof ChangeBatchSchema>>[1];
const batch = (revision: bigint, changes: NonNullable<Changes>["changes"]) =>
  create(ChangeBatchSchema, { revision, lastPart: true, changes });

describe("the model", () => {
  it("holds a snapshot as columns", () => {
    const model = triangle();
    expect([model.nodeCount, model.edgeCount, model.revision]).toEqual([3, 3, 4n]);
    expect(model.indexOfOrdinal(5)).toBe(2);
    expect(model.indexOfOrdinal(3)).toBe(-1);
    expect(model.title(1)).toBe("Why");
    expect(model.labelsOf(0)).toEqual(["l", "m"]);
    expect([...model.degrees.slice(0, 3)]).toEqual([2, 2, 2]);
    const { offsets, edges } = model.adjacency();
    expect([...edges.slice(offsets[2], offsets[3])]).toEqual([1, 2]);
  });

  it("applies a revision: a node that goes takes its edges along", () => {
    const model = triangle();
    model.apply([
      batch(5n, [
        { change: { case: "deleteNode", value: { key: "y" } } },
        { change: { case: "upsertNode", value: { node: { key: "w", type: "c", ordinal: 6 } } } },
        { change: { case: "upsertEdge", value: { edge: { source: "w", target: "x", type: "e" } } } },
      ]),
    ]);
    expect([model.liveNodeCount, model.edgeCount, model.revision]).toEqual([3, 2, 5n]);
    expect(model.indexOfKey("y")).toBe(-1);
    expect(model.indexOfOrdinal(6)).toBe(3);
    expect(model.degrees[model.indexOfKey("x")]).toBe(2);
    expect(model.typeName(model.indexOfKey("w"))).toBe("c");
  });

  it("knows an edge by its ends and type, or by its key", () => {
    const model = triangle();
    const edge = { source: "x", target: "y", type: "e" };
    model.apply([batch(5n, [{ change: { case: "upsertEdge", value: { edge } } }])]);
    expect(model.edgeCount).toBe(3);
    model.apply([batch(6n, [{ change: { case: "upsertEdge", value: { edge: { ...edge, key: "k" } } } }])]);
    expect(model.edgeCount).toBe(4);
    model.apply([
      batch(7n, [
        { change: { case: "deleteEdge", value: edge } },
        { change: { case: "deleteEdge", value: { key: "k" } } },
      ]),
    ]);
    expect(model.edgeCount).toBe(2);
    expect([...model.degrees.slice(0, 3)]).toEqual([1, 1, 2]);
  });

  it("gives a node that comes back a new place, and its old edges none", () => {
    const model = triangle();
    model.apply([
      batch(5n, [
        { change: { case: "deleteNode", value: { key: "y" } } },
        { change: { case: "upsertNode", value: { node: { key: "y", ordinal: 9 } } } },
      ]),
    ]);
    expect(model.indexOfKey("y")).toBe(3);
    expect(model.edgeCount).toBe(1);
    expect(model.degrees[3]).toBe(0);
  });
});

describe("the style", () => {
  it("gives the most frequent names the colours, and counts", () => {
    const style = styleNodes(triangle(), LOOKS.dark, { colorBy: "type", sizeBy: "degree" });
    expect(style.legend.map((entry) => [entry.name, entry.count])).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
    expect(style.category[1]).toBe(1);
    expect(style.ranking.length).toBe(3);
  });

  it("colours groups by size and amounts by steps, and says who has no value", () => {
    const model = triangle();
    const [first, second] = [model.ordinals[0], model.ordinals[1]];
    const values = (grouped: boolean, list: number[]) => ({
      name: "test",
      analysis: "a",
      grouped,
      ordinals: model.ordinals.slice(0, 2),
      values: Float64Array.from(list),
    });
    const grouped = styleNodes(model, LOOKS.dark, {
      colorBy: "values",
      sizeBy: "degree",
      values: values(true, [first, first]),
    });
    expect(grouped.legend.map((entry) => entry.count)).toEqual([2, 1]);
    expect(grouped.category[0]).toBe(grouped.category[1]);
    const apart = styleNodes(model, LOOKS.dark, {
      colorBy: "values",
      sizeBy: "degree",
      values: values(true, [first, second]),
    });
    expect(apart.category[0]).not.toBe(apart.category[1]);
    const amounts = styleNodes(model, LOOKS.dark, {
      colorBy: "values",
      sizeBy: "values",
      values: values(false, [0.1, 0.9]),
    });
    expect(amounts.category[1]).toBeGreaterThan(amounts.category[0]);
    expect(amounts.sizes[1]).toBeGreaterThan(amounts.sizes[0]);
    expect(amounts.legend[amounts.category[2]].name).toBe("no value");
  });

  it("colours communities by what their numbers were given, and nothing else", () => {
    const model = triangle();
    const communities = {
      ordinals: Uint32Array.from([1, 2]),
      values: Float64Array.from([40, 7]),
      slots: new Map([
        [40, 6],
        [7, 2],
      ]),
      communityCount: 3,
      resolution: 1,
    };
    const choice = { colorBy: "communities", sizeBy: "degree", communities } as const;
    const style = styleNodes(model, LOOKS.dark, choice);
    expect([...style.category]).toEqual([6, 2, 10]);
    expect(style.legend[6]).toMatchObject({ id: "community 40", name: "40 · x", count: 1 });
    expect(style.legend[10]).toMatchObject({ name: "1 more", count: 1 });
    expect(colourNodes(model, LOOKS.dark, choice).colors).toEqual(style.colors);
    const unknown = styleNodes(model, LOOKS.dark, { ...choice, communities: null });
    expect(unknown.legend[unknown.category[0]].name).toBe("not known yet");
  });

  it("shuffles edges without losing one", () => {
    const ends = Uint32Array.from({ length: 2000 }, (_, i) => i);
    const out = shuffledEnds(ends, 1000);
    const pairs = new Set(Array.from({ length: 1000 }, (_, i) => `${out[i * 2]},${out[i * 2 + 1]}`));
    expect(pairs.size).toBe(1000);
    expect(pairs.has("500,501")).toBe(true);
    expect(out[0]).not.toBe(0);
  });
});
