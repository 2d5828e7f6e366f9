// What a line drawn by hand goes round.

export type Line = readonly (readonly [number, number])[];

/** Whether a point is inside of a line that is closed from its end to its begin (even-odd rule). */
export function encloses(line: Line, x: number, y: number): boolean {
  let inside = false;
  for (let at = 0, before = line.length - 1; at < line.length; before = at++) {
    const [ax, ay] = line[at];
    const [bx, by] = line[before];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
