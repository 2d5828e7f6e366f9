// Labels as people write them in a line: `site=north role=db`.
export interface Parsed {
  labels: Record<string, string>;
  problem: string | null;
}

export function labelsOf(text: string): Parsed {
  const labels: Record<string, string> = {};
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    const at = word.indexOf("=");
    if (at < 1) return { labels: {}, problem: `${word} is not key=value` };
    const key = word.slice(0, at);
    if (key.length > 63) return { labels: {}, problem: `${key} is longer than 63 characters` };
    if (key in labels) return { labels: {}, problem: `${key} is given twice` };
    labels[key] = word.slice(at + 1);
  }
  return { labels, problem: null };
}

export function lineOf(labels: Record<string, string>): string {
  return Object.entries(labels)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}
