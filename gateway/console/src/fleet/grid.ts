// How large the cells of the map are.
const LARGEST = 16;
const SMALLEST = 3;

interface Grid {
  cell: number;
  columns: number;
}

/** The largest cells with which all fit. */
export function gridOf(agents: number, width: number, height: number): Grid {
  for (let cell = LARGEST; cell > SMALLEST; cell--) {
    const columns = Math.max(1, Math.floor(width / cell));
    if (Math.ceil(agents / columns) * cell <= height) return { cell, columns };
  }
  return { cell: SMALLEST, columns: Math.max(1, Math.floor(width / SMALLEST)) };
}
