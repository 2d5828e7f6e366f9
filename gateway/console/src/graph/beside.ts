// Where a bar goes that belongs to some points: above them, or below where there
// is no room above, and never out of the view.

/** Between the bar and the outermost point: more than a disc's radius. */
const GAP = 22;
const EDGE = 12;
/** At the bottom of the view stand the controls. */
const FOOT = 64;

interface Size {
  width: number;
  height: number;
}

/** The bar's left upper corner. Without a point in view it stands in the middle of the top. */
export function besides(
  points: readonly (readonly [number, number])[],
  view: Size,
  bar: Size,
): [number, number] {
  const seen = points.filter(([x, y]) => x >= 0 && y >= 0 && x <= view.width && y <= view.height);
  const within = (value: number, low: number, high: number) => Math.max(low, Math.min(value, high));
  const right = view.width - EDGE - bar.width;
  if (seen.length === 0) return [within((view.width - bar.width) / 2, EDGE, right), EDGE];
  let [left, far, top, bottom] = [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ];
  for (const [x, y] of seen) {
    left = Math.min(left, x);
    far = Math.max(far, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const above = top - GAP - bar.height;
  const below = bottom + GAP;
  const lowest = view.height - FOOT - bar.height;
  const y = above >= EDGE ? above : below <= lowest ? below : EDGE;
  return [within((left + far - bar.width) / 2, EDGE, right), Math.min(y, Math.max(EDGE, lowest))];
}
