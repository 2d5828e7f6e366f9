// How far nearly all values reach: the outermost few on each side left out, by
// one pass over them and without sorting them.

/**
 * The smallest and the largest value of `values[start]`, `values[start + step]`,
 * … once `cut` on each side are left out; null if that leaves none. `skip` is not
 * a value.
 */
export function trimmedExtent(
  values: Float32Array,
  start: number,
  end: number,
  step: number,
  cut: number,
  skip: number,
): [number, number] | null {
  // The cut + 1 smallest, ascending, and the cut + 1 largest, descending.
  const low = new Float64Array(cut + 1).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(cut + 1).fill(Number.NEGATIVE_INFINITY);
  let seen = 0;
  for (let at = start; at < end; at += step) {
    const value = values[at];
    if (value === skip) continue;
    seen++;
    if (value < low[cut]) {
      let i = cut;
      for (; i > 0 && low[i - 1] > value; i--) low[i] = low[i - 1];
      low[i] = value;
    }
    if (value > high[cut]) {
      let i = cut;
      for (; i > 0 && high[i - 1] < value; i--) high[i] = high[i - 1];
      high[i] = value;
    }
  }
  return seen > cut * 2 ? [low[cut], high[cut]] : null;
}
