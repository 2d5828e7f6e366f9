import { readFileSync } from "node:fs";
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

/** A frame of differences in two dimensions, in Rice's form with one low bit: the same numbers along both axes. */
function steps(
  sequence: number,
  count: number,
  ids: Uint32Array | null,
  number: (node: number) => number,
): Uint8Array {
  const blocks: number[] = [];
  for (let from = 0; from < count; from += 128) {
    const bits: number[] = [];
    const put = (value: number, length: number) => {
      for (let i = 0; i < length; i++) bits.push((value >>> i) & 1);
    };
    for (let node = from; node < Math.min(from + 128, count); node++) {
      const value = number(node);
      if (value >> 1 >= 16) {
        put(0xffff, 16);
        put(value, 16);
      } else {
        put((1 << (value >> 1)) - 1, (value >> 1) + 1);
        put(value & 1, 1);
      }
    }
    blocks.push(0x21);
    for (let i = 0; i < bits.length; i += 8) {
      let byte = 0;
      for (let bit = 0; bit < 8; bit++) byte |= (bits[i + bit] ?? 0) << bit;
      blocks.push(byte);
    }
  }
  const head = 64 + (ids ? count * 4 + 16 : 8);
  const bytes = new Uint8Array(head + blocks.length * 2);
  bytes.set(
    frame({ encoding: 4, columns: [[]], flags: ids ? 3 : 16, sequence: BigInt(sequence) }).subarray(0, 64),
  );
  const view = new DataView(bytes.buffer);
  view.setUint32(8, count, true);
  if (ids) {
    bytes.set(new Uint8Array(ids.buffer), 64);
    view.setFloat32(64 + count * 4, 0.25, true);
  } else view.setBigUint64(64, BigInt(sequence - 1), true);
  bytes.set(blocks, head);
  bytes.set(blocks, head + blocks.length);
  return bytes;
}

/** Frames that the service's own encoder made, and what its own reader makes of them. */
const vectors = (
  JSON.parse(
    readFileSync(new URL("../../../tests/vectors/position-frames.json", import.meta.url), "utf8"),
  ) as { frame: string; positions: number[][] }[]
).map(({ frame, positions }) => ({ bytes: Uint8Array.from(Buffer.from(frame, "hex")), positions }));

describe("frames of differences", () => {
  it("lead to what the service's own reader sees", () => {
    let reader = new FrameReader();
    let built = 0;
    for (const { bytes, positions } of vectors) {
      if (readHeader(bytes).keyframe) reader = new FrameReader();
      const frame = reader.read(bytes);
      built += frame.header.difference ? 1 : 0;
      const stride = positions.length;
      const out = new Float32Array(frame.ids.length * stride);
      writePositions(frame, null, out, stride);
      positions.forEach((column, axis) => {
        column.forEach((place, node) => {
          expect(out[node * stride + axis]).toBeCloseTo(place, 3);
        });
      });
    }
    expect(built).toBeGreaterThan(3);
  });

  it("are refused where they do not build on what was read", () => {
    const [first, second, third] = vectors.map(({ bytes }) => bytes);
    expect(() => new FrameReader().read(second)).toThrow("without ids");
    const reader = new FrameReader();
    reader.read(first);
    expect(() => reader.read(third)).toThrow("builds on another");
    expect(() => reader.read(second)).toThrow("builds on another");
  });

  it("leave what was read before as it was, where they are damaged on their way", () => {
    const [first, second] = vectors.map(({ bytes }) => bytes);
    for (const damaged of [
      second.subarray(0, second.length - 1),
      new Uint8Array([...second.subarray(0, second.length - 1), 0xff, 0xff, 0xff]),
      new Uint8Array([...second, 0]),
    ]) {
      const reader = new FrameReader();
      const before = reader.read(first);
      const columns = before.columns.map((column) => column.slice());
      expect(() => reader.read(damaged)).toThrow("cannot be read");
      expect(before.columns.map((column) => column.slice())).toEqual(columns);
      // The mesh takes it for read: what it tells next is of nodes that are elsewhere.
      expect(() => reader.read(second)).toThrow("builds on another");
      // Where all of them are told again it goes on.
      expect(reader.read(first).ids).toBe(before.ids);
      const out = [new Float32Array(columns[0].length * 2), new Float32Array(columns[0].length * 2)];
      writePositions(reader.read(second), null, out[0], 2);
      const fresh = new FrameReader();
      fresh.read(first);
      writePositions(fresh.read(second), null, out[1], 2);
      expect(out[0]).toEqual(out[1]);
    }
  });

  it("do not build on places of other nodes", () => {
    const reader = new FrameReader();
    const ids = [Uint32Array.from([1, 2, 3, 4]), Uint32Array.from([1, 2, 3, 5])];
    reader.read(steps(1, 4, ids[0], () => 0));
    reader.read(
      frame({
        encoding: 3,
        ids: [...ids[1]],
        columns: [
          [0, 0, 0, 0],
          [0, 0, 0, 0],
        ],
        sequence: 2n,
      }),
    );
    expect(() => reader.read(steps(2, 4, null, () => 2))).toThrow("builds on another");
  });

  it("are read of 100,000 nodes in whole blocks and a part of one", () => {
    const count = 100_000;
    const ids = Uint32Array.from({ length: count }, (_, i) => i);
    const reader = new FrameReader();
    reader.read(steps(1, count, ids, () => 0));
    const out = new Float32Array(count * 2);
    const moved = steps(2, count, null, (node) => (node % 1000 === 0 ? 9_000 : node % 5));
    writePositions(reader.read(moved), null, out, 2);
    // Numbers 0, 1, 2, 3 and 4 are 0, −1, 1, −2 and 2; 9,000 is 4,500.
    const expected = [0, -0.25, 0.25, -0.5, 0.5];
    for (let node = 0; node < count; node++) {
      const place = node % 1000 === 0 ? 1_125 : expected[node % 5];
      if (out[node * 2] !== place || out[node * 2 + 1] !== place) expect(out[node * 2]).toBe(place);
    }
  });

  it("never read beyond what is there", () => {
    const faults = ["cannot be read", "length", "finite", "ids", "builds on", "position frame"];
    for (const { bytes } of vectors) {
      const known = () => {
        const reader = new FrameReader();
        for (const before of vectors) {
          if (before.bytes === bytes) break;
          reader.read(before.bytes);
        }
        return reader;
      };
      expect(() => known().read(bytes.subarray(0, bytes.length - 1))).toThrow("cannot be read");
      expect(() => known().read(new Uint8Array([...bytes, 0]))).toThrow("cannot be read");
      for (let at = 64; at < bytes.length; at += 7) {
        const hostile = bytes.slice();
        hostile[at] ^= 0xff;
        try {
          known().read(hostile);
        } catch (error) {
          expect(faults.some((fault) => String(error).includes(fault))).toBe(true);
        }
      }
    }
  });
});

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

  it("refuses flags that it does not know, and differences where there are none", () => {
    const columns = [[1], [2]];
    for (const flag of [32, 64, 128])
      expect(() => new FrameReader().read(frame({ ids: [1], columns, flags: 3 | flag }))).toThrow("flags");
    for (const encoding of [1, 2, 3])
      expect(() => new FrameReader().read(frame({ encoding, ids: [1], columns, flags: 3 | 16 }))).toThrow(
        "differences",
      );
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
