// Where the words of a query are in a text, as the mesh finds them: whole words of
// letters, digits and underscores, phrases, beginnings.

const WORD = /[\p{L}\p{N}_]+/gu;
const BEFORE = "(?<![\\p{L}\\p{N}_])";
const AFTER = "(?![\\p{L}\\p{N}_])";
const BETWEEN = "[^\\p{L}\\p{N}_]+";

/** Finds what a query looks for; nothing where it looks for nothing, or is not finished. */
export function finderOf(query: string): RegExp | null {
  const found: string[] = [];
  for (const [, not, phrase, star, plain] of query.matchAll(/(-?)(?:"([^"]*)"(\*?)|"[^"]*$|(\S+))/g)) {
    const text = phrase ?? plain ?? "";
    const words = text.toLowerCase().match(WORD);
    if (not || !words) continue;
    const begins = star === "*" || text.endsWith("*");
    found.push(BEFORE + words.join(BETWEEN) + (begins ? "" : AFTER));
  }
  return found.length > 0 ? new RegExp(found.join("|"), "giu") : null;
}

export interface Part {
  text: string;
  hit: boolean;
}

export function partsOf(text: string, finder: RegExp | null): Part[] {
  if (!finder) return [{ text, hit: false }];
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(finder)) {
    if (match.index > end) parts.push({ text: text.slice(end, match.index), hit: false });
    parts.push({ text: match[0], hit: true });
    end = match.index + match[0].length;
  }
  if (end < text.length || parts.length === 0) parts.push({ text: text.slice(end), hit: false });
  return parts;
}
