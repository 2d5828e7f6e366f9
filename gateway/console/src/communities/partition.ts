// Who belongs to which community, put together from what the mesh tells: all of
// them in parts first, then in parts what has changed. Columns, not objects.
import type {
  CommunityChanges,
  CommunityPartition,
  CommunitySummary,
} from "../gen/weft/compute/v1/communities_pb";

export interface Membership {
  /** Ascending. */
  ordinals: Uint32Array;
  /** Number of each one's community. */
  values: Float64Array;
}

const NOBODY: Membership = { ordinals: new Uint32Array(0), values: new Float64Array(0) };

export class Partition {
  membership = NOBODY;
  summary: CommunitySummary | undefined;
  /** Ascending over all parts, as the parts are. */
  private ordinals: number[] = [];
  private communities: number[] = [];
  private left: number[] = [];

  /** Takes a part of all; true when that was the last one. */
  begin(part: CommunityPartition): boolean {
    this.gather(part.ordinals, part.communities);
    if (!part.lastPart) return false;
    this.membership = {
      ordinals: Uint32Array.from(this.ordinals),
      values: Float64Array.from(this.communities),
    };
    return this.end(part.summary);
  }

  /** Takes a part of what has changed; true when that was the last one: not before is any of it in force. */
  change(part: CommunityChanges): boolean {
    this.gather(part.ordinals, part.communities);
    for (const ordinal of part.leftOrdinals) this.left.push(ordinal);
    if (!part.lastPart) return false;
    // Where nobody has moved it stays the same object, which tells others so.
    if (this.ordinals.length > 0 || this.left.length > 0)
      this.membership = changed(this.membership, this.ordinals, this.communities, this.left);
    return this.end(part.summary);
  }

  private gather(ordinals: readonly number[], communities: readonly number[]): void {
    for (const ordinal of ordinals) this.ordinals.push(ordinal);
    for (const community of communities) this.communities.push(community);
  }

  private end(summary: CommunitySummary | undefined): boolean {
    this.summary = summary;
    this.ordinals = [];
    this.communities = [];
    this.left = [];
    return true;
  }
}

/** One pass over both, since both ascend. */
export function changed(
  { ordinals, values }: Membership,
  joined: readonly number[],
  communities: readonly number[],
  left: readonly number[],
): Membership {
  const outOrdinals = new Uint32Array(ordinals.length + joined.length);
  const outValues = new Float64Array(ordinals.length + joined.length);
  let [old, next, gone, at] = [0, 0, 0, 0];
  while (old < ordinals.length || next < joined.length) {
    const was = old < ordinals.length ? ordinals[old] : Number.POSITIVE_INFINITY;
    const is = next < joined.length ? joined[next] : Number.POSITIVE_INFINITY;
    if (is <= was) {
      outOrdinals[at] = is;
      outValues[at++] = communities[next++];
      if (is === was) old++;
      continue;
    }
    while (gone < left.length && left[gone] < was) gone++;
    if (left[gone] !== was) {
      outOrdinals[at] = was;
      outValues[at++] = values[old];
    }
    old++;
  }
  return { ordinals: outOrdinals.slice(0, at), values: outValues.slice(0, at) };
}

/** How many nodes each community has. */
export function sizesOf({ values }: Membership): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const community of values) sizes.set(community, (sizes.get(community) ?? 0) + 1);
  return sizes;
}
