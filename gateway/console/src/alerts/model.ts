// Alerts, rules and silences in words.
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { type AlertMatcher, AlertSeverity, AlertState } from "../gen/weft/telemetry/v1/alert_pb";
import { millisOf } from "../telemetry/model";

export const SEVERITIES: readonly [AlertSeverity, string][] = [
  [AlertSeverity.CRITICAL, "critical"],
  [AlertSeverity.WARNING, "warning"],
  [AlertSeverity.INFO, "info"],
];

export function severityOf(severity: AlertSeverity): string {
  return SEVERITIES.find(([one]) => one === severity)?.[1] ?? "warning";
}

export function stateOf(state: AlertState): string {
  return AlertState[state].toLowerCase();
}

const SIGNS: readonly [string, { regex: boolean; negated: boolean }][] = [
  ["=~", { regex: true, negated: false }],
  ["!~", { regex: true, negated: true }],
  ["!=", { regex: false, negated: true }],
  ["=", { regex: false, negated: false }],
];

export type Matcher = Pick<AlertMatcher, "label" | "value" | "regex" | "negated">;

/** As PromQL writes it: `host=~"n.*"`. */
export function matcherText({ label, value, regex, negated }: Matcher): string {
  const sign = SIGNS.find(([, one]) => one.regex === regex && one.negated === negated)?.[0];
  return `${label}${sign}${JSON.stringify(value)}`;
}

/** What was typed, as matchers; nothing if it is none. */
export function matchersOf(text: string): Matcher[] | undefined {
  const matchers: Matcher[] = [];
  let rest = text.trim();
  while (rest) {
    const found = /^([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*,?\s*/.exec(rest);
    if (!found) return undefined;
    const sign = SIGNS.find(([one]) => one === found[2])?.[1];
    if (!sign) return undefined;
    const value = found[4] ?? found[3].replace(/\\(.)/g, "$1");
    matchers.push({ label: found[1], value, ...sign });
    rest = rest.slice(found[0].length);
  }
  return matchers.length > 0 ? matchers : undefined;
}

/** `a=b c=d`, as labels; nothing if it is none. */
export function pairsOf(text: string): Record<string, string> | undefined {
  const pairs: Record<string, string> = {};
  for (const word of text.trim().split(/\s+/).filter(Boolean)) {
    const at = word.indexOf("=");
    if (!/^[a-zA-Z_]\w*$/.test(word.slice(0, at))) return undefined;
    pairs[word.slice(0, at)] = word.slice(at + 1);
  }
  return pairs;
}

/** `5m` as a duration; nothing of nothing, and `null` of what is none. */
export function durationOf(text: string): ReturnType<typeof durationFromMs> | undefined | null {
  if (!text.trim()) return undefined;
  const millis = millisOf(text.trim());
  return millis === undefined ? null : durationFromMs(millis);
}

/** As it is typed. */
export function durationText(duration: Parameters<typeof durationMs>[0] | undefined): string {
  const seconds = duration ? Math.round(durationMs(duration) / 1_000) : 0;
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ] as const) {
    if (seconds > 0 && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return seconds > 0 ? `${seconds}s` : "";
}

/** A secret of which nobody knows anything. */
export function freshSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}
