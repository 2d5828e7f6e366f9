import { describe, expect, it } from "vitest";
import { demoFrame } from "../demo/graph";
import { trimmedExtent } from "../src/render/extent";
import { FrameReader, UNPLACED } from "../src/render/frames";
import { Positions } from "../src/render/positions";

const ordinals = Uint32Array.from([10, 11, 12]);
const bytes = (x: number, sequence: number) =>
  demoFrame(
    Float32Array.from([x, 0, 0, x + 10, 5, 0, x + 20, 10, 0]),
    sequence === 1 ? ordinals : null,
    2,
    sequence,
  );

describe("positions", () => {
  it("appear in place, then move from what is shown to what came", () => {
    const positions = new Positions();
    positions.resize(3);
    const reader = new FrameReader();
    const out = new Float32Array(3);
    expect(positions.at(0, 1, out)).toBe(false);
    positions.accept(reader.read(bytes(0, 1)), ordinals, 1_000);
    positions.at(1, 0, out);
    expect(out[0]).toBeCloseTo(10, 2);
    positions.intervalMs = 40;
    positions.accept(reader.read(bytes(100, 2)), ordinals, 2_000);
    positions.at(1, 0, out);
    expect(out[0]).toBeCloseTo(10, 2);
    positions.at(1, 0.5, out);
    expect(out[0]).toBeCloseTo(60, 1);
    expect(positions.progress(2_020)).toBeCloseTo(0.5, 5);
    // A frame that comes early begins where the eye is, not where it should have been.
    positions.accept(reader.read(bytes(0, 3)), ordinals, 2_020);
    positions.at(1, 0, out);
    expect(out[0]).toBeCloseTo(60, 1);
  });

  it("stay under the hand while a node is held", () => {
    const positions = new Positions();
    positions.resize(3);
    const reader = new FrameReader();
    positions.accept(reader.read(bytes(0, 1)), ordinals, 0);
    positions.hold(1, 500, 600, 0);
    positions.accept(reader.read(bytes(0, 2)), ordinals, 33);
    const out = new Float32Array(3);
    positions.at(1, 0.3, out);
    expect([out[0], out[1]]).toEqual([500, 600]);
    positions.letGo();
    positions.accept(reader.read(bytes(0, 3)), ordinals, 66);
    positions.at(1, 1, out);
    expect(out[0]).toBeCloseTo(10, 2);
  });

  it("know nodes that the graph does not have yet when it gets them", () => {
    const positions = new Positions();
    positions.resize(2);
    const reader = new FrameReader();
    positions.accept(reader.read(bytes(0, 1)), ordinals.subarray(0, 2), 0);
    positions.resize(3);
    positions.accept(reader.read(bytes(0, 2)), ordinals, 33);
    const out = new Float32Array(3);
    expect(positions.at(2, 0, out)).toBe(true);
    expect(out[0]).toBeCloseTo(20, 2);
  });

  it("tell when what was sent as the end is the beginning now", () => {
    const positions = new Positions();
    positions.resize(3);
    const reader = new FrameReader();
    positions.accept(reader.read(bytes(0, 1)), ordinals, 0);
    const end = positions.toVersion;
    // Long after the mix was over: nothing but the new end has to be sent.
    positions.accept(reader.read(bytes(10, 2)), ordinals, 9_000);
    expect(positions.fromVersion).toBe(end);
    expect(positions.toVersion).not.toBe(end);
    // In the middle of a mix the beginning is a place that nobody was sent.
    const ends = [positions.fromVersion, positions.toVersion];
    positions.accept(reader.read(bytes(20, 3)), ordinals, 9_001);
    expect(ends).not.toContain(positions.fromVersion);
    // A node under the hand is moved in both.
    const before = [positions.fromVersion, positions.toVersion];
    positions.hold(1, 5, 5, 0);
    expect(before).not.toContain(positions.fromVersion);
    expect(before).not.toContain(positions.toVersion);
  });
});

describe("how far nearly all values reach", () => {
  it("is what sorting and cutting would give", () => {
    let seed = 7;
    const values = Float32Array.from({ length: 999 }, () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed / 2 ** 31 - 1;
    });
    values[3] = values[600] = UNPLACED;
    for (const [start, step, cut] of [
      [0, 1, 0],
      [1, 3, 4],
      [2, 7, 20],
    ]) {
      const sorted = values
        .filter((value, i) => i >= start && (i - start) % step === 0 && value !== UNPLACED)
        .sort();
      expect(trimmedExtent(values, start, values.length, step, cut, UNPLACED)).toEqual([
        sorted[cut],
        sorted[sorted.length - 1 - cut],
      ]);
    }
  });

  it("is not known where the cut leaves nothing", () => {
    const values = Float32Array.from([1, UNPLACED, 2]);
    expect(trimmedExtent(values, 0, 3, 1, 1, UNPLACED)).toBeNull();
    expect(trimmedExtent(values, 0, 3, 1, 0, UNPLACED)).toEqual([1, 2]);
  });
});
