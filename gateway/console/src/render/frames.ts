// Position frames, as docs/position-frames.md says: bytes in, typed arrays out.
// Nothing here makes an object per node.

import { BlockReader } from "./blocks";

export const Encoding = { Record34: 1, ColumnsF32: 2, ColumnsQ16: 3, Delta: 4 } as const;

const HEADER_BYTES = 64;
const RECORD_BYTES = 34;
const FLAG_KEYFRAME = 1;
const FLAG_IDS = 2;
const FLAG_3D = 4;
const FLAG_REGION = 8;
const FLAG_DIFFERENCE = 16;
const KNOWN_FLAGS = FLAG_KEYFRAME | FLAG_IDS | FLAG_3D | FLAG_REGION | FLAG_DIFFERENCE;
const GRID_BYTES = 16;

/** In an index map: a node that is in the frame but not known here (yet). */
export const NOWHERE = 0xffff_ffff;
/** Coordinate of a node that has not been placed: far outside every view, and exact in 32 bits. */
export const UNPLACED = Math.fround(1e30);

export interface FrameHeader {
  encoding: number;
  keyframe: boolean;
  hasIds: boolean;
  dimensions: 2 | 3;
  region: boolean;
  /** It says what has changed since another frame. */
  difference: boolean;
  count: number;
  membership: number;
  sequence: bigint;
  tick: bigint;
  min: [number, number, number];
  max: [number, number, number];
  revision: bigint;
}

export interface Frame {
  header: FrameHeader;
  /** Ordinals of this frame's nodes; the same array as long as they stay. */
  ids: Uint32Array;
  /** Whether `ids` is not what the frame before had. */
  idsChanged: boolean;
  /** Columns x, y(, z), still in the frame's encoding; good until the next frame is read. */
  columns: (Uint16Array | Int16Array | Float32Array)[];
  /** What a value v of each column stands for: `base + step * v`. */
  scale: Scale[];
}

export interface Scale {
  base: number;
  step: number;
}

/** What a frame of differences builds on. */
interface State {
  sequence: bigint;
  ids: Uint32Array;
  columns: Int16Array[];
  scale: Scale[];
}

export function readHeader(bytes: Uint8Array): FrameHeader {
  if (bytes.length < HEADER_BYTES) throw new Error("position frame is shorter than its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== 0x46504657) throw new Error("not a position frame");
  if (view.getUint8(4) !== 1) throw new Error(`position frame of unknown version ${view.getUint8(4)}`);
  const encoding = view.getUint8(5);
  const flags = view.getUint8(6);
  // What they change about the body cannot be known.
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new Error(`position frame with unknown flags ${flags}`);
  if ((flags & FLAG_DIFFERENCE) !== 0 && encoding !== Encoding.Delta)
    throw new Error("position frame of differences in an encoding that has none");
  const corner = (at: number): [number, number, number] => [
    view.getFloat32(at, true),
    view.getFloat32(at + 4, true),
    view.getFloat32(at + 8, true),
  ];
  return {
    encoding,
    keyframe: (flags & FLAG_KEYFRAME) !== 0,
    hasIds: (flags & FLAG_IDS) !== 0,
    dimensions: flags & FLAG_3D ? 3 : 2,
    region: (flags & FLAG_REGION) !== 0,
    difference: (flags & FLAG_DIFFERENCE) !== 0,
    count: view.getUint32(8, true),
    membership: view.getUint32(12, true),
    sequence: view.getBigUint64(16, true),
    tick: view.getBigUint64(24, true),
    min: corner(32),
    max: corner(44),
    revision: view.getBigInt64(56, true),
  };
}

/**
 * Reads the frames of one stream; remembers between them who the nodes are and where. Of a
 * frame that is refused nothing remains: what was read before stays as it was.
 */
export class FrameReader {
  private ids: Uint32Array | null = null;
  private membership = -1;
  private state: State | null = null;
  /** Columns that are in no frame any more. */
  private spare: Int16Array[] = [];

  read(bytes: Uint8Array): Frame {
    const header = readHeader(bytes);
    const frame = this.decode(bytes, header);
    this.ids = frame.ids;
    this.membership = header.membership;
    return frame;
  }

  private decode(bytes: Uint8Array, header: FrameHeader): Frame {
    if (header.encoding === Encoding.Delta) return this.readSteps(bytes, header);
    if (header.encoding === Encoding.Record34) return this.readRecords(bytes, header);
    const wide = header.encoding === Encoding.ColumnsF32;
    if (!wide && header.encoding !== Encoding.ColumnsQ16) {
      throw new Error(`position frame in unknown encoding ${header.encoding}`);
    }
    const { count, dimensions } = header;
    const idBytes = header.hasIds ? count * 4 : 0;
    const columnBytes = wide ? count * 4 : (count * 2 + 3) & ~3;
    if (bytes.length !== HEADER_BYTES + idBytes + columnBytes * dimensions) {
      throw new Error("position frame has the wrong length");
    }
    // Typed arrays need alignment, which a field inside a message rarely has:
    // one copy of the whole is cheaper than reading value by value.
    const start = bytes.byteOffset + HEADER_BYTES;
    const aligned = start % 4 === 0;
    const buffer = aligned ? bytes.buffer : bytes.slice().buffer;
    let at = aligned ? start : HEADER_BYTES;

    const { ids, idsChanged } = this.idsOf(header, buffer, at);
    at += idBytes;
    const columns: Frame["columns"] = [];
    for (let axis = 0; axis < dimensions; axis++) {
      columns.push(wide ? new Float32Array(buffer, at, count) : new Uint16Array(buffer, at, count));
      at += columnBytes;
    }
    const scale = columns.map((_, axis) =>
      wide
        ? { base: 0, step: 1 }
        : { base: header.min[axis], step: (header.max[axis] - header.min[axis]) / 65535 },
    );
    return { header, ids, idsChanged, columns, scale };
  }

  /** The ids of a frame, which are those of the frame before where it has none of its own. */
  private idsOf(header: FrameHeader, buffer: ArrayBufferLike, at: number) {
    if (header.hasIds) {
      const ids = new Uint32Array(buffer, at, header.count);
      return this.ids && same(this.ids, ids)
        ? { ids: this.ids, idsChanged: false }
        : { ids: ids.slice(), idsChanged: true };
    }
    if (!this.ids || this.membership !== header.membership || this.ids.length !== header.count) {
      throw new Error("position frame without ids, and none came before");
    }
    return { ids: this.ids, idsChanged: false };
  }

  /** Steps of a grid: where all nodes are, or what has changed since the frame before. */
  private readSteps(bytes: Uint8Array, header: FrameHeader): Frame {
    const { count, dimensions } = header;
    const idBytes = header.hasIds ? count * 4 : 0;
    const head = HEADER_BYTES + idBytes + (header.difference ? 8 : GRID_BYTES);
    if (bytes.length < head) throw new Error("position frame has the wrong length");
    const before = this.state;
    // A frame that cannot be read was sent all the same: the next ones build on what is not here.
    this.state = null;
    const start = HEADER_BYTES;
    const own = header.hasIds ? bytes.slice(start, start + idBytes).buffer : bytes.buffer;
    const { ids, idsChanged } = this.idsOf(header, own, 0);
    const view = new DataView(bytes.buffer, bytes.byteOffset + HEADER_BYTES + idBytes);
    let scale: Scale[];
    let columns: Int16Array[];
    if (header.difference) {
      const fits =
        before?.sequence === view.getBigUint64(0, true) &&
        before.ids === ids &&
        !header.hasIds &&
        before.columns.length === dimensions &&
        before.columns[0].length === count;
      if (!before || !fits) throw new Error("position frame builds on another one than was read last");
      scale = before.scale;
      // Aside: the columns of the frame before stay what they are until this one is read to its end.
      columns = before.columns.map((column, axis) => {
        const spare = this.spare[axis];
        const copy = spare?.length === count ? spare : new Int16Array(count);
        copy.set(column);
        return copy;
      });
    } else {
      const step = view.getFloat32(0, true);
      scale = [];
      columns = [];
      for (let axis = 0; axis < dimensions; axis++) {
        const base = view.getFloat32(4 + axis * 4, true);
        if (!(step > 0 && Number.isFinite(Math.abs(base) + step * 32768)))
          throw new Error("position frame with a grid that is not finite");
        scale.push({ base, step });
        columns.push(new Int16Array(count));
      }
    }
    const blocks = new BlockReader(bytes, head);
    for (const column of columns) blocks.addTo(column);
    blocks.end();
    this.spare = before?.columns ?? [];
    this.state = { sequence: header.sequence, ids, columns, scale };
    return { header, ids, idsChanged, columns, scale };
  }

  private readRecords(bytes: Uint8Array, header: FrameHeader): Frame {
    const { count } = header;
    if (bytes.length !== HEADER_BYTES + count * RECORD_BYTES)
      throw new Error("position frame has the wrong length");
    const view = new DataView(bytes.buffer, bytes.byteOffset + HEADER_BYTES);
    const ids = new Uint32Array(count);
    const columns = [new Float32Array(count), new Float32Array(count), new Float32Array(count)];
    for (let i = 0, at = 0; i < count; i++, at += RECORD_BYTES) {
      ids[i] = view.getUint16(at, true) & 0x3fff;
      columns[0][i] = view.getFloat32(at + 2, true);
      columns[1][i] = view.getFloat32(at + 6, true);
      columns[2][i] = view.getFloat32(at + 10, true);
    }
    const before = this.ids;
    const known = before !== null && same(before, ids);
    const scale = columns.map(() => ({ base: 0, step: 1 }));
    const shown = columns.slice(0, header.dimensions);
    return { header, ids: known ? before : ids, idsChanged: !known, columns: shown, scale };
  }
}

function same(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * For each id its index in `ordinals` (ascending, as ids are), or null where
 * both are the same list, which is the usual case and the fast one.
 */
export function indexMap(ids: Uint32Array, ordinals: Uint32Array, count: number): Uint32Array | null {
  let identical = ids.length <= count;
  const map = new Uint32Array(ids.length);
  for (let i = 0, j = 0; i < ids.length; i++) {
    while (j < count && ordinals[j] < ids[i]) j++;
    map[i] = j < count && ordinals[j] === ids[i] ? j : NOWHERE;
    if (map[i] !== i) identical = false;
  }
  return identical ? null : map;
}

/** Writes a frame's positions into interleaved coordinates of `stride` floats. */
export function writePositions(
  frame: Frame,
  map: Uint32Array | null,
  out: Float32Array,
  stride: number,
): void {
  const { columns, scale } = frame;
  for (let axis = 0; axis < columns.length; axis++) {
    const column = columns[axis];
    const { base, step } = scale[axis];
    if (map === null) {
      for (let i = 0, at = axis; i < column.length; i++, at += stride) out[at] = base + step * column[i];
    } else {
      for (let i = 0; i < column.length; i++) {
        const index = map[i];
        if (index !== NOWHERE) out[index * stride + axis] = base + step * column[i];
      }
    }
  }
}
