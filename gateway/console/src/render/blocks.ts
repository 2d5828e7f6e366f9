// Blocks of 128 small differences in few bits, as docs/position-frames.md says.

const BLOCK = 128;
const RICE = 0x20;
const ESCAPE = 16;

/** Reads blocks one after the other, and refuses whatever is not one. */
export class BlockReader {
  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
  ) {}

  /** Adds the next differences to a column, which wraps around at 16 bits as its writer's does. */
  addTo(column: Int16Array): void {
    for (let from = 0; from < column.length; from += BLOCK) {
      const to = Math.min(from + BLOCK, column.length);
      if (this.at >= this.bytes.length) throw broken();
      const form = this.bytes[this.at++];
      if (form === 0) continue;
      if (form <= 16) this.fixed(column, from, to, form);
      else if (form >= RICE && form < RICE + 16) this.rice(column, from, to, form - RICE);
      else throw broken();
    }
  }

  /** Checks that nothing is left over. */
  end(): void {
    if (this.at !== this.bytes.length) throw broken();
  }

  private fixed(column: Int16Array, from: number, to: number, width: number): void {
    const mask = (1 << width) - 1;
    const next = this.at + (((to - from) * width + 7) >> 3);
    if (next > this.bytes.length) throw broken();
    const { bytes } = this;
    let word = 0;
    let filled = 0;
    let at = this.at;
    for (let i = from; i < to; i++) {
      // At most 15 bits are left, so that 24 are always enough.
      while (filled < width) {
        word |= bytes[at++] << filled;
        filled += 8;
      }
      const value = word & mask;
      word >>>= width;
      filled -= width;
      column[i] += (value >>> 1) ^ -(value & 1);
    }
    if (word !== 0) throw broken();
    this.at = next;
  }

  private rice(column: Int16Array, from: number, to: number, low: number): void {
    const { bytes } = this;
    const mask = (1 << low) - 1;
    let bit = this.at * 8;
    for (let i = from; i < to; i++) {
      const at = bit >>> 3;
      const shift = bit & 7;
      // Beyond the end there is nothing, which counts as zeros here and is found out below.
      let word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
      if (shift !== 0) word = (word >>> shift) | (bytes[at + 4] << (32 - shift));
      const zeros = ~word;
      const high = zeros === 0 ? 32 : 31 - Math.clz32(zeros & -zeros);
      let value: number;
      if (high >= ESCAPE) {
        value = word >>> 16;
        bit += 32;
      } else {
        value = (high << low) | ((word >>> (high + 1)) & mask);
        bit += high + 1 + low;
        if (value > 0xffff) throw broken();
      }
      column[i] += (value >>> 1) ^ -(value & 1);
    }
    const next = (bit + 7) >>> 3;
    if (next > bytes.length || ((bit & 7) !== 0 && bytes[next - 1] >> (bit & 7) !== 0)) throw broken();
    this.at = next;
  }
}

function broken(): Error {
  return new Error("a block of a position frame cannot be read");
}
