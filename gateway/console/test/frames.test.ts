import { describe, expect, it } from "vitest";
import { demoFrame } from "../demo/graph";
import { FrameReader, indexMap, NOWHERE, readHeader, writePositions } from "../src/render/frames";

/** A frame written value by value, apart from the code under test. */
function frame(options: {
  encoding?: number;
  flags?: number;
  ids?: number[];
  columns: number[][];
  min?: number[];
  max?: number[];
  membership?: number;
  sequence?: bigint;
}): Uint8Array {
  const {
    encoding = 2,
    ids,
    columns,
    min = [0, 0, 0],
    max = [1, 1, 0],
    membership = 1,
    sequence = 1n,
  } = options;
  const count = columns[0].length;
  const size = encoding === 3 ? (count * 2 + 3) & ~3 : count * 4;
  const bytes = new Uint8Array(64 + (ids ? count * 4 : 0) + size * columns.length);
  const view = new DataView(bytes.buffer);
  bytes.set([
    0x57,
    0x46,
    0x50,
    0x46,
    1,
    encoding,
    options.flags ?? (ids ? 3 : 0) | (columns.length === 3 ? 4 : 0),
    0,
  ]);
  view.setUint32(8, count, true);
  view.setUint32(12, membership, true);
  view.setBigUint64(16, sequence, true);
  view.setBigUint64(24, 77n, true);
  for (let axis = 0; axis < 3; axis++) {
    view.setFloat32(32 + axis * 4, min[axis], true);
    view.setFloat32(44 + axis * 4, max[axis], true);
  }
  view.setBigInt64(56, 12n, true);
  let at = 64;
  for (const id of ids ?? []) {
    view.setUint32(at, id, true);
    at += 4;
  }
  for (const column of columns) {
    column.forEach((value, i) => {
      if (encoding === 3) view.setUint16(at + i * 2, value, true);
      else view.setFloat32(at + i * 4, value, true);
    });
    at += size;
  }
  return bytes;
}

describe("position frames", () => {
  it("reads the header", () => {
    const header = readHeader(
      frame({
        ids: [4, 9],
        columns: [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        min: [-1, -2, -3],
        max: [1, 2, 3],
      }),
    );
    expect(header).toMatchObject({
      encoding: 2,
      keyframe: true,
      hasIds: true,
      dimensions: 3,
      region: false,
      count: 2,
      membership: 1,
      sequence: 1n,
      tick: 77n,
      min: [-1, -2, -3],
      max: [1, 2, 3],
      revision: 12n,
    });
  });

  it("reads columns of floats at any offset of a larger message", () => {
    const bytes = frame({
      ids: [4, 9],
      columns: [
        [1.5, 2.5],
        [-3, 4],
      ],
    });
    for (const shift of [0, 1, 2, 3]) {
      const message = new Uint8Array(bytes.length + 8);
      message.set(bytes, shift);
      const read = new FrameReader().read(message.subarray(shift, shift + bytes.length));
      expect([...read.ids]).toEqual([4, 9]);
      expect(read.columns.map((column) => [...column])).toEqual([
        [1.5, 2.5],
        [-3, 4],
      ]);
    }
  });

  it("reads 16-bit steps, padded to four bytes, within their stated error", () => {
    const read = new FrameReader().read(
      frame({
        encoding: 3,
        ids: [1, 2, 3],
        columns: [
          [0, 32768, 65535],
          [65535, 0, 1],
        ],
        min: [-10, 0, 0],
        max: [10, 4, 0],
      }),
    );
    const out = new Float32Array(6);
    writePositions(read, null, out, 2);
    expect(out[0]).toBeCloseTo(-10, 4);
    expect(Math.abs(out[2])).toBeLessThanOrEqual(20 / 65535);
    expect(out[4]).toBeCloseTo(10, 4);
    expect([out[1], out[3]]).toEqual([4, 0]);
  });

  it("keeps the ids of the keyframe for the frames after it", () => {
    const reader = new FrameReader();
    const first = reader.read(
      frame({
        ids: [7, 8],
        columns: [
          [1, 2],
          [3, 4],
        ],
      }),
    );
    const next = reader.read(
      frame({
        columns: [
          [5, 6],
          [7, 8],
        ],
        sequence: 4n,
      }),
    );
    expect(next.ids).toBe(first.ids);
    expect(next.idsChanged).toBe(false);
    // The same ids again are no change: what is worked out from them stays good.
    expect(
      reader.read(
        frame({
          ids: [7, 8],
          columns: [
            [1, 2],
            [3, 4],
          ],
        }),
      ).ids,
    ).toBe(first.ids);
  });

  it("refuses what is not exactly a frame", () => {
    const good = frame({ ids: [1], columns: [[1], [2]] });
    const reader = () => new FrameReader();
    expect(() => reader().read(good.subarray(0, 40))).toThrow("shorter");
    expect(() => reader().read(good.subarray(0, good.length - 1))).toThrow("length");
    expect(() => reader().read(new Uint8Array([...good, 0]))).toThrow("length");
    const wrong = good.slice();
    wrong[0] = 0;
    expect(() => reader().read(wrong)).toThrow("not a position frame");
    const version = good.slice();
    version[4] = 2;
    expect(() => reader().read(version)).toThrow("version");
    expect(() => reader().read(frame({ columns: [[1], [2]] }))).toThrow("without ids");
    const other = reader();
    other.read(good);
    expect(() => other.read(frame({ columns: [[1], [2]], membership: 2 }))).toThrow("without ids");
  });

  it("reads 34-byte records, whose high bits are marks", () => {
    const bytes = new Uint8Array(64 + 34);
    bytes.set(frame({ encoding: 1, columns: [[]], flags: 1 }).subarray(0, 64));
    const view = new DataView(bytes.buffer);
    view.setUint32(8, 1, true);
    view.setUint16(64, 0x8000 | 0x4000 | 513, true);
    [1, 2, 3].forEach((value, axis) => {
      view.setFloat32(66 + axis * 4, value, true);
    });
    const read = new FrameReader().read(bytes);
    expect([...read.ids]).toEqual([513]);
    expect(read.columns.map((column) => column[0])).toEqual([1, 2]);
  });

  it("maps ids to indices, and knows the usual case", () => {
    const ordinals = Uint32Array.from([2, 3, 5, 9, 0, 0]);
    expect(indexMap(Uint32Array.from([2, 3, 5]), ordinals, 4)).toBeNull();
    expect([...(indexMap(Uint32Array.from([3, 4, 9, 10]), ordinals, 4) ?? [])]).toEqual([
      1,
      NOWHERE,
      3,
      NOWHERE,
    ]);
  });

  it("decodes 100,000 nodes well within a frame", () => {
    const places = new Float32Array(300_000).map((_, i) => Math.sin(i));
    const ids = Uint32Array.from({ length: 100_000 }, (_, i) => i);
    const bytes = demoFrame(places, ids, 2, 1);
    const out = new Float32Array(200_000);
    const reader = new FrameReader();
    const times: number[] = [];
    for (let i = 0; i < 40; i++) {
      const started = performance.now();
      writePositions(reader.read(bytes), null, out, 2);
      times.push(performance.now() - started);
    }
    expect(out[2]).toBeCloseTo(places[3], 3);
    // A shared machine: the median says what the code costs, the bar leaves room for neighbours.
    expect(times.sort((a, b) => a - b)[20]).toBeLessThan(4);
  });
});
