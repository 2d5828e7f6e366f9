// Attributes as filters: `key=value`, as the contracts take them.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** So many a search may have, and bytes of each. */
export const MOST_PAIRS = 16;
const LONGEST = 2_048;

/** The filter for an attribute; nothing where it is not one that can be looked for. */
export function pairOf(key: string, value: JsonValue): string | undefined {
  // The first sign of equality ends the key.
  if (!key || key.includes("=") || value === null || typeof value === "object") return undefined;
  const pair = `${key}=${value}`;
  return new TextEncoder().encode(pair).length <= LONGEST ? pair : undefined;
}

/** What somebody typed, as a filter. */
export function typedPair(text: string): string | undefined {
  const at = text.indexOf("=");
  return at > 0 ? pairOf(text.slice(0, at).trim(), text.slice(at + 1).trim()) : undefined;
}

/** What of an address are such filters. */
export function readPairs(value: unknown): string[] | undefined {
  const pairs = (Array.isArray(value) ? value : [value])
    .filter((one): one is string => typeof one === "string")
    .filter((one) => typedPair(one) !== undefined);
  return pairs.length > 0 ? [...new Set(pairs)].slice(0, MOST_PAIRS) : undefined;
}

export function withPair(pairs: readonly string[] | undefined, pair: string): string[] {
  return [...new Set([...(pairs ?? []), pair])].slice(0, MOST_PAIRS);
}

export function withoutPair(pairs: readonly string[] | undefined, pair: string): string[] | undefined {
  const left = (pairs ?? []).filter((one) => one !== pair);
  return left.length > 0 ? left : undefined;
}

export function isTraceId(text: string): boolean {
  return /^[0-9a-f]{32}$/i.test(text) && !/^0+$/.test(text);
}

/** A value in one line. */
export function valueText(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Attributes in one line, by their names. */
export function lineOf(attributes: JsonObject | undefined): string {
  return entriesOf(attributes)
    .map(([key, value]) => `${key}=${valueText(value)}`)
    .join(" ");
}

export function entriesOf(attributes: JsonObject | undefined): [string, JsonValue][] {
  return Object.entries(attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
