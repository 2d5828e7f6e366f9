// PromQL as the buttons write it, and what can come next where the caret is.

const WINDOW = "1m";
const SELECTOR = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(\{[^{}]*\})?\s*$/;

/** Whether it is a selector and nothing around it. */
export function isSelector(query: string): boolean {
  return query.trim() !== "" && SELECTOR.test(query);
}

/** The metric of a selector; of anything else the first name that is one. */
export function metricOf(query: string): string {
  const bare = query
    .replace(/"[^"]*"/g, "")
    .replace(/\{[^{}]*\}|\[[^[\]]*\]/g, " ")
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)/g, " ");
  for (const [, name, called] of bare.matchAll(/(?<![\w:])([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\()?/g)) {
    const isWord = AGGREGATIONS.includes(name) || ["and", "or", "unless", "offset", "bool"].includes(name);
    if (!called && !isWord) return name;
  }
  return "";
}

/** What can have a range: a selector as it is, all else as a subquery. */
function ranged(query: string, window: string): string {
  return isSelector(query) ? `${query.trim()}[${window}]` : `(${query.trim()})[${window}:]`;
}

export function rate(query: string, window = WINDOW): string {
  return `rate(${ranged(query, window)})`;
}

export function aggregate(query: string, how: string, labels: readonly string[]): string {
  const by = labels.length > 0 ? ` by (${labels.join(", ")}) ` : " ";
  return `${how}${by}(${query.trim()})`.replace(" (", labels.length > 0 ? " (" : "(");
}

/** Of a histogram's buckets its own; of anything else over its series. */
export function percentile(query: string, of: number): string {
  const metric = metricOf(query);
  if (metric.endsWith("_bucket")) {
    const rated = isSelector(query) ? rate(query, "5m") : query.trim();
    return `histogram_quantile(${of}, sum by (le) (${rated}))`;
  }
  return `quantile(${of}, ${query.trim()})`;
}

export const AGGREGATIONS: readonly string[] = [
  "sum",
  "avg",
  "min",
  "max",
  "count",
  "topk",
  "bottomk",
  "quantile",
  "stddev",
  "count_values",
];

export const FUNCTIONS: readonly string[] = [
  "rate",
  "increase",
  "irate",
  "delta",
  "deriv",
  "predict_linear",
  "histogram_quantile",
  "avg_over_time",
  "max_over_time",
  "min_over_time",
  "sum_over_time",
  "quantile_over_time",
  "last_over_time",
  "changes",
  "resets",
  "abs",
  "ceil",
  "floor",
  "round",
  "clamp_min",
  "clamp_max",
  "absent",
  "label_replace",
  "sort",
  "sort_desc",
  "time",
  "timestamp",
  "vector",
];

/** What is being written where the caret is. */
export interface Place {
  kind: "name" | "label" | "value";
  /** What of it is there, and where it begins. */
  typed: string;
  from: number;
  /** The metric whose labels these are. */
  metric: string;
  /** The label whose value it is. */
  label: string;
}

export function placeOf(query: string, caret: number): Place {
  const before = query.slice(0, caret);
  const open = before.lastIndexOf("{");
  const inside = open > before.lastIndexOf("}");
  if (inside) {
    const metric = /([a-zA-Z_:][a-zA-Z0-9_:]*)\s*$/.exec(before.slice(0, open))?.[1] ?? "";
    const matchers = before.slice(open + 1);
    const value = /([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/.exec(matchers);
    if (value) {
      return { kind: "value", typed: value[2], from: caret - value[2].length, metric, label: value[1] };
    }
    const label = /[a-zA-Z0-9_]*$/.exec(matchers)?.[0] ?? "";
    return { kind: "label", typed: label, from: caret - label.length, metric, label: "" };
  }
  const name = /[a-zA-Z_:][a-zA-Z0-9_:]*$/.exec(before)?.[0] ?? "";
  const grouped = /\b(?:by|without|on|ignoring)\s*\([^()]*$/.test(before);
  return {
    kind: grouped ? "label" : "name",
    typed: name,
    from: caret - name.length,
    metric: grouped ? metricOf(query.slice(caret)) : "",
    label: "",
  };
}

/** The query with what was chosen in its place, and where the caret is then. */
export function complete(query: string, caret: number, place: Place, chosen: string): [string, number] {
  const isFunction = place.kind === "name" && FUNCTIONS.includes(chosen);
  const grouped = place.kind === "label" && query.lastIndexOf("{", caret) <= query.lastIndexOf("(", caret);
  const added = isFunction ? `${chosen}(` : place.kind === "label" && !grouped ? `${chosen}="` : chosen;
  let end = caret;
  while (end < query.length && /[a-zA-Z0-9_:]/.test(query[end])) end++;
  const closed = place.kind === "value" && query[end] !== '"' ? `${added}"` : added;
  return [query.slice(0, place.from) + closed + query.slice(end), place.from + closed.length];
}

/** Candidates that have the letters, those that begin with them first. */
export function matching(candidates: readonly string[], typed: string, most: number): string[] {
  const wanted = typed.toLowerCase();
  const begins: string[] = [];
  const has: string[] = [];
  for (const one of candidates) {
    const at = one.toLowerCase().indexOf(wanted);
    if (at === 0) begins.push(one);
    else if (at > 0) has.push(one);
  }
  return [...begins, ...has].slice(0, most);
}
