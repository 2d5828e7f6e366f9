// Which communities have a colour of their own, and which. There are few colours
// that people can tell apart, so the largest have one; and since a colour that
// jumps tells of a change where there is none, who has one keeps it for long.

/** A community that has a colour gives it up when so many times as many as there are colours are larger. */
const PATIENCE = 2;

/**
 * Gives colours, by their index, to the largest communities. One that had a colour
 * keeps it while it is among the larger ones at all; a new one gets the colour that
 * its number points at, if that is free, so that whoever looks at the same
 * communities sees them alike.
 */
export function chooseSlots(
  sizes: ReadonlyMap<number, number>,
  before: ReadonlyMap<number, number>,
  colours: number,
): Map<number, number> {
  const bySize = [...sizes].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([community]) => community);
  const slots = new Map<number, number>();
  const free = new Set(Array.from({ length: colours }, (_, slot) => slot));
  for (const community of bySize.slice(0, colours * PATIENCE)) {
    const slot = before.get(community);
    if (slot !== undefined && free.delete(slot)) slots.set(community, slot);
  }
  for (const community of bySize) {
    if (free.size === 0) break;
    if (slots.has(community)) continue;
    let slot = community % colours;
    while (!free.has(slot)) slot = (slot + 1) % colours;
    free.delete(slot);
    slots.set(community, slot);
  }
  return slots;
}
