// Where the nodes are: the place that was shown when the last frame came
// (`from`), the place that frame gave (`to`), and how far between them we are.
// The GPU does the mixing; this keeps the two ends.
import { type Frame, indexMap, UNPLACED, writePositions } from "./frames";

export class Positions {
  /** Interleaved x, y in two dimensions; x, y, z, 0 in three. */
  from = new Float32Array(0);
  to = new Float32Array(0);
  stride: 2 | 4 = 2;
  count = 0;
  /**
   * Which content each array has: equal numbers are equal content, so that what
   * the GPU was sent as `to` need not be sent again as `from`.
   */
  fromVersion = 0;
  toVersion = 0;
  private versions = 0;
  /** Box of all nodes in the newest frame. */
  min: [number, number, number] = [-1, -1, 0];
  max: [number, number, number] = [1, 1, 0];
  placed = false;
  /** Mean time between frames, which is how long a mix takes. */
  intervalMs = 33;
  private arrivedAt = 0;
  private map: Uint32Array | null = null;
  private mapIds: Uint32Array | null = null;
  private unplaced = 0;
  private held = -1;
  private readonly heldAt: [number, number, number] = [0, 0, 0];

  get dimensions(): 2 | 3 {
    return this.stride === 2 ? 2 : 3;
  }

  /** Makes room for `count` nodes; the new ones are nowhere. */
  resize(count: number, ordinalsChanged = true): void {
    if (count * this.stride > this.to.length) {
      const capacity = Math.ceil(count * 1.25) * this.stride;
      this.from = grow(this.from, capacity);
      this.to = grow(this.to, capacity);
    }
    this.unplaced += Math.max(0, count - this.count);
    this.count = count;
    if (ordinalsChanged) this.mapIds = null;
    this.touch();
  }

  /** Starts anew, for another layout or another number of dimensions. */
  reset(dimensions: 2 | 3): void {
    this.stride = dimensions === 2 ? 2 : 4;
    this.from = new Float32Array(this.count * this.stride).fill(UNPLACED);
    this.to = this.from.slice();
    this.mapIds = null;
    this.unplaced = this.count;
    this.placed = false;
    this.held = -1;
    this.touch();
  }

  /** Both arrays have content that nobody has seen. */
  private touch(): void {
    this.fromVersion = ++this.versions;
    this.toVersion = ++this.versions;
  }

  /** How far the mix is at a time, 0 to 1. */
  progress(now: number): number {
    return Math.min(1, Math.max(0, (now - this.arrivedAt) / this.intervalMs));
  }

  accept(frame: Frame, ordinals: Uint32Array, now: number): void {
    if (frame.header.dimensions !== this.dimensions) this.reset(frame.header.dimensions);
    if (this.mapIds !== frame.ids) {
      this.map = indexMap(frame.ids, ordinals, this.count);
      this.mapIds = frame.ids;
    }
    this.begin(now);
    writePositions(frame, this.map, this.to, this.stride);
    this.toVersion = ++this.versions;
    if (this.unplaced > 0) this.placeNew();
    if (this.held >= 0) this.write(this.held, this.heldAt);
    this.min = frame.header.min;
    this.max = frame.header.max;
    this.placed = frame.header.count > 0;
  }

  /** What is shown now becomes the start of the next mix. */
  private begin(now: number): void {
    const t = this.progress(now);
    const { from, to } = this;
    if (t >= 1) {
      from.set(to);
      this.fromVersion = this.toVersion;
    } else {
      const end = this.count * this.stride;
      for (let i = 0; i < end; i++) from[i] += (to[i] - from[i]) * t;
      this.fromVersion = ++this.versions;
    }
    const gap = now - this.arrivedAt;
    // A pause is not a slow frame rate: leave it out of the mean.
    if (gap < 500) this.intervalMs += (Math.min(gap, 250) - this.intervalMs) * 0.2;
    this.arrivedAt = now;
  }

  /** Nodes that appear do so in place, they do not fly in from nowhere. */
  private placeNew(): void {
    let left = 0;
    const { from, to, stride } = this;
    for (let i = 0; i < this.count; i++) {
      const at = i * stride;
      if (to[at] === UNPLACED) left++;
      else if (from[at] === UNPLACED)
        for (let axis = 0; axis < stride; axis++) from[at + axis] = to[at + axis];
    }
    if (stride === 4) for (let i = 3; i < to.length; i += 4) to[i] = from[i] = 0;
    this.unplaced = left;
    this.touch();
  }

  /** Keeps a node under the hand until it is let go, whatever frames say. */
  hold(index: number, x: number, y: number, z: number): void {
    this.held = index;
    this.heldAt[0] = x;
    this.heldAt[1] = y;
    this.heldAt[2] = z;
    this.write(index, this.heldAt);
  }

  letGo(): void {
    this.held = -1;
  }

  private write(index: number, [x, y, z]: readonly [number, number, number]): void {
    const at = index * this.stride;
    this.from[at] = this.to[at] = x;
    this.from[at + 1] = this.to[at + 1] = y;
    if (this.stride === 4) this.from[at + 2] = this.to[at + 2] = z;
    this.touch();
  }

  /** Fills `out` with where a node is shown; false if it has no place yet. */
  at(index: number, t: number, out: Float32Array): boolean {
    const at = index * this.stride;
    if (this.to[at] === UNPLACED || index >= this.count) return false;
    for (let axis = 0; axis < 3; axis++) {
      const flat = this.stride === 2 && axis === 2;
      out[axis] = flat ? 0 : this.from[at + axis] + (this.to[at + axis] - this.from[at + axis]) * t;
    }
    return true;
  }
}

function grow(old: Float32Array<ArrayBuffer>, length: number): Float32Array<ArrayBuffer> {
  const next = new Float32Array(length).fill(UNPLACED);
  next.set(old);
  return next;
}
