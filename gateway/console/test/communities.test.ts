import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { changed, type Membership, Partition, sizesOf } from "../src/communities/partition";
import { chooseSlots } from "../src/communities/slots";
import { CommunityChangesSchema, CommunityPartitionSchema } from "../src/gen/weft/compute/v1/communities_pb";

const rows = ({ ordinals, values }: { ordinals: Uint32Array; values: Float64Array }) =>
  [...ordinals].map((ordinal, at) => [ordinal, values[at]]);

describe("who belongs to which community", () => {
  it("is known when the last part has come, and not before", () => {
    const partition = new Partition();
    const part = (ordinals: number[], communities: number[], lastPart: boolean) =>
      create(CommunityPartitionSchema, { ordinals, communities, lastPart, summary: { graphRevision: 7n } });
    expect(partition.begin(part([1, 4], [0, 0], false))).toBe(false);
    expect(rows(partition.membership)).toEqual([]);
    expect(partition.begin(part([9], [3], true))).toBe(true);
    expect(rows(partition.membership)).toEqual([
      [1, 0],
      [4, 0],
      [9, 3],
    ]);
    expect(partition.summary?.graphRevision).toBe(7n);

    const change = (ordinals: number[], communities: number[], leftOrdinals: number[], lastPart: boolean) =>
      create(CommunityChangesSchema, { ordinals, communities, leftOrdinals, lastPart });
    expect(partition.change(change([2], [5], [], false))).toBe(false);
    expect(rows(partition.membership)).toHaveLength(3);
    expect(partition.change(change([9], [5], [4], true))).toBe(true);
    expect(rows(partition.membership)).toEqual([
      [1, 0],
      [2, 5],
      [9, 5],
    ]);
    expect(sizesOf(partition.membership)).toEqual(
      new Map([
        [0, 1],
        [5, 2],
      ]),
    );
    // Nothing of the last telling is told again with the next.
    expect(partition.change(change([], [], [1], true))).toBe(true);
    expect(rows(partition.membership)).toHaveLength(2);
    // Where nobody moves there is nothing to do anew.
    const { membership } = partition;
    expect(partition.change(change([], [], [], true))).toBe(true);
    expect(partition.membership).toBe(membership);
  });

  it("is the same as with a map, whatever changes", () => {
    let state = 11;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const known = new Map<number, number>();
    let columns: Membership = { ordinals: new Uint32Array(0), values: new Float64Array(0) };
    for (let round = 0; round < 200; round++) {
      const joined = [...new Set(Array.from({ length: random(12) }, () => random(60)))].sort((a, b) => a - b);
      const left = [...known.keys()].filter((one) => random(6) === 0 && !joined.includes(one));
      left.sort((a, b) => a - b);
      const communities = joined.map(() => random(5));
      columns = changed(columns, joined, communities, left);
      for (const one of left) known.delete(one);
      joined.forEach((one, at) => void known.set(one, communities[at]));
      expect(rows(columns)).toEqual([...known].sort((a, b) => a[0] - b[0]));
    }
  });
});

describe("colours of communities", () => {
  const sizes = (...list: [number, number][]) => new Map(list);

  it("go to the largest, each its own", () => {
    const slots = chooseSlots(sizes([0, 9], [1, 5], [10, 7], [3, 1]), new Map(), 3);
    expect([...slots.keys()].sort()).toEqual([0, 1, 10]);
    expect(new Set(slots.values()).size).toBe(3);
    expect(slots.get(0)).toBe(0);
  });

  it("stay when sizes change, and are given on when a community has gone", () => {
    const before = chooseSlots(sizes([0, 9], [1, 5], [2, 4]), new Map(), 3);
    const grown = chooseSlots(sizes([0, 2], [1, 50], [2, 4], [3, 8], [4, 7]), before, 3);
    expect(grown).toEqual(before);
    const gone = chooseSlots(sizes([0, 2], [2, 4], [3, 8], [4, 7]), grown, 3);
    expect([gone.get(0), gone.get(2)]).toEqual([before.get(0), before.get(2)]);
    expect(gone.get(3)).toBe(before.get(1));
    expect(gone.has(4)).toBe(false);
  });

  it("are given up by what has become small beside many others", () => {
    const before = new Map([[0, 0]]);
    const slots = chooseSlots(sizes([0, 1], [1, 9], [2, 8], [3, 7], [4, 6]), before, 2);
    expect(slots.has(0)).toBe(false);
    expect([...slots.keys()].sort()).toEqual([1, 2]);
  });
});
