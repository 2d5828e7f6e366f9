// What the keys do in a waterfall.
import type { SpanNode } from "./tree";

export interface Move {
  choose?: SpanNode;
  /** Folded or unfolded. */
  toggle?: SpanNode;
}

/** Rows are what is in sight; nothing for a key that does nothing here. */
export function moveOf(
  key: string,
  rows: readonly SpanNode[],
  chosen: SpanNode | undefined,
  folded: ReadonlySet<string>,
  page: number,
): Move | undefined {
  const last = rows.length - 1;
  if (last < 0) return undefined;
  const at = chosen ? rows.indexOf(chosen) : -1;
  const to = (place: number): Move => ({ choose: rows[Math.max(0, Math.min(last, place))] });
  switch (key) {
    case "ArrowDown":
      return to(at + 1);
    case "ArrowUp":
      return to(at < 0 ? last : at - 1);
    case "PageDown":
      return to(at + page);
    case "PageUp":
      return to(at - page);
    case "Home":
      return to(0);
    case "End":
      return to(last);
    case "ArrowRight":
      if (!chosen || chosen.children.length === 0) return {};
      return folded.has(chosen.id) ? { toggle: chosen } : { choose: chosen.children[0] };
    case "ArrowLeft":
      if (!chosen) return {};
      if (chosen.children.length > 0 && !folded.has(chosen.id)) return { toggle: chosen };
      return chosen.parent ? { choose: chosen.parent } : {};
    default:
      return undefined;
  }
}
