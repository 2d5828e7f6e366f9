// What can be computed, in words, and the fields of each form.
import type { Algorithm } from "../gen/weft/compute/v1/algorithms_pb";

export type Kind = Exclude<Algorithm["kind"]["case"], undefined>;

export interface Field {
  name: string;
  label: string;
  hint: string;
  /** `key` is a node; `keys` one or several, by commas; `layout` one whose places are taken; `case` one of several messages. */
  type: "number" | "key" | "keys" | "layout" | "text" | "choice" | "case" | "check";
  initial?: number;
  low?: number;
  high?: number;
  step?: number;
  /** Whether only whole numbers are meant. */
  whole?: boolean;
  /** Whether the contract counts in 64 bits. */
  long?: boolean;
  choices?: readonly [number | string, string][];
  required?: boolean;
}

export interface Choice {
  kind: Kind;
  title: string;
  about: string;
  fields: readonly Field[];
  /** Whether its rows are pairs of nodes, which no property is written from. */
  pairs?: boolean;
}

const direction = (initial: string): Field => ({
  name: "direction",
  label: "Direction",
  hint: "Which way edges are followed",
  type: "choice",
  choices: [
    [0, initial],
    [1, "along the edges"],
    [2, "against the edges"],
    [3, "both ways"],
  ],
});
const ALONG = direction("as usual: along");
const BOTH = direction("as usual: both ways");

const FROM: Field = {
  name: "source",
  label: "From",
  hint: "Key of the node where it begins",
  type: "key",
  required: true,
};

const LAYOUT: Field = {
  name: "places",
  label: "Layout",
  hint: "Whose places are taken, as they were saved last",
  type: "layout",
  required: true,
};

const SAMPLE: readonly Field[] = [
  ALONG,
  {
    name: "sampleCount",
    label: "Sample",
    hint: "From so many nodes; 0 is all, which is exact and takes long",
    type: "number",
    initial: 64,
    low: 0,
    high: 100_000,
    whole: true,
  },
  {
    name: "seed",
    label: "Seed",
    hint: "Which nodes are chosen",
    type: "number",
    initial: 0,
    low: 0,
    high: 1e9,
    whole: true,
    long: true,
  },
];

export const CHOICES: readonly Choice[] = [
  {
    kind: "communities",
    title: "Communities",
    about: "Groups with more edges inside than chance would put there.",
    fields: [
      {
        name: "method",
        label: "Method",
        hint: "Leiden's communities are connected",
        type: "choice",
        choices: [
          [1, "Leiden"],
          [2, "Louvain"],
        ],
      },
      {
        name: "resolution",
        label: "Resolution",
        hint: "Above 1: more and smaller groups",
        type: "number",
        initial: 1,
        low: 0,
        high: 1_000_000,
        step: 0.1,
      },
    ],
  },
  {
    kind: "pageRank",
    title: "PageRank",
    about: "How often somebody is at a node who follows edges.",
    fields: [
      ALONG,
      {
        name: "damping",
        label: "Damping",
        hint: "Probability of following an edge rather than beginning anew",
        type: "number",
        initial: 0.85,
        low: 0,
        high: 0.999,
        step: 0.01,
      },
      {
        name: "sources",
        label: "Seen from",
        hint: "Keys of nodes, by commas; anywhere when empty",
        type: "keys",
      },
    ],
  },
  {
    kind: "betweenness",
    title: "Betweenness",
    about: "How many shortest ways lead over a node.",
    fields: SAMPLE,
  },
  { kind: "closeness", title: "Closeness", about: "How near a node is to all others.", fields: SAMPLE },
  {
    kind: "cores",
    title: "Cores",
    about: "How deep inside the dense part of the graph a node lies.",
    fields: [],
  },
  {
    kind: "triangles",
    title: "Triangles",
    about: "How far the neighbours of a node know each other.",
    fields: [],
  },
  {
    kind: "weakComponents",
    title: "Components",
    about: "Parts between which there is no edge.",
    fields: [],
  },
  {
    kind: "strongComponents",
    title: "Strong components",
    about: "Parts in which every node can reach every other.",
    fields: [],
  },
  {
    kind: "labelPropagation",
    title: "Label propagation",
    about: "Everybody joins those that most neighbours belong to.",
    fields: [
      BOTH,
      {
        name: "rounds",
        label: "Rounds",
        hint: "At most; ends earlier when one changes nothing",
        type: "number",
        initial: 10,
        low: 1,
        high: 1000,
        whole: true,
      },
    ],
  },
  {
    kind: "breadthFirst",
    title: "Distance in edges",
    about: "How many edges every node is from one.",
    fields: [FROM, ALONG],
  },
  {
    kind: "shortestPaths",
    title: "Distance by weight",
    about: "How far every node is from one, a weight being a length.",
    fields: [FROM, ALONG],
  },
  {
    kind: "anomalies",
    title: "Anomalies",
    about: "Nodes whose surroundings are unlike those of the others.",
    fields: [],
  },
  {
    kind: "similarity",
    title: "Similar nodes",
    about: "Pairs of nodes that know the same, or say the same.",
    pairs: true,
    fields: [
      {
        name: "measure",
        label: "Compared by",
        hint: "Shared neighbours (Jaccard), or words weighed by how rare they are (TF-IDF)",
        type: "case",
        choices: [
          ["neighbors", "whom they know"],
          ["text", "what they say"],
        ],
      },
      {
        name: "perNode",
        label: "For each node",
        hint: "So many similar ones are kept",
        type: "number",
        initial: 10,
        low: 1,
        high: 100,
        whole: true,
      },
      {
        name: "minSimilarity",
        label: "At least",
        hint: "The least similarity, up to 1",
        type: "number",
        initial: 0.2,
        low: 0.001,
        high: 1,
      },
      {
        name: "writeEdgeType",
        label: "Write as edges of type",
        hint: "In place of those of that type; nothing is written when empty",
        type: "text",
      },
    ],
  },
  {
    kind: "kMeans",
    title: "Clusters around centres",
    about: "As many groups of nodes that lie together as are asked for (k-means).",
    fields: [
      LAYOUT,
      {
        name: "groups",
        label: "Groups",
        hint: "How many",
        type: "number",
        initial: 8,
        low: 1,
        high: 1000,
        whole: true,
      },
    ],
  },
  {
    kind: "dbscan",
    title: "Dense clusters",
    about: "Groups of nodes that lie densely, of any shape, and nodes of none (DBSCAN).",
    fields: [
      LAYOUT,
      {
        name: "distance",
        label: "Distance",
        hint: "How far neighbours are from each other at most, in layout units",
        type: "number",
        initial: 5,
        low: 1e-6,
        high: 1e7,
        required: true,
      },
      {
        name: "minPoints",
        label: "Neighbours",
        hint: "So many put a node into the middle of a group",
        type: "number",
        initial: 5,
        low: 1,
        high: 1e6,
        whole: true,
      },
    ],
  },
  {
    kind: "precedence",
    title: "Order of work",
    about: "What must come before what, and the chain that decides how long it takes.",
    fields: [
      {
        name: "durationProperty",
        label: "Duration",
        hint: "Node property that says how long a node takes; 1 where it has none",
        type: "text",
      },
      { name: "withLags", label: "Edge weights are pauses", hint: "", type: "check" },
    ],
  },
];

export function titleOf(kind: string | undefined): string {
  return CHOICES.find((choice) => choice.kind === kind)?.title ?? "Analysis";
}

export type Form = Record<string, string | boolean>;

/** A form as it is before anybody has touched it. */
export function blank(choice: Choice, selectedKey: string): Form {
  return Object.fromEntries(
    choice.fields.map((field) => {
      if (field.type === "check") return [field.name, false];
      if (field.type === "key") return [field.name, selectedKey];
      if (field.type === "layout") return [field.name, "main"];
      if (field.type === "choice" || field.type === "case")
        return [field.name, String(field.choices?.[0][0] ?? 0)];
      return [field.name, field.initial === undefined ? "" : String(field.initial)];
    }),
  );
}

/** What is wrong with a field; undefined if nothing is. */
export function problemOf(field: Field, value: string | boolean | undefined): string | undefined {
  const text = String(value ?? "").trim();
  if (field.required && text === "") return "is missing";
  if (field.type !== "number" || text === "") return undefined;
  const number = Number(text);
  if (!Number.isFinite(number)) return "is not a number";
  if (field.whole && !Number.isInteger(number)) return "is not a whole number";
  if (field.low !== undefined && number < field.low) return `is below ${field.low}`;
  if (field.high !== undefined && number > field.high) return `is above ${field.high}`;
  return undefined;
}

/** The algorithm that a form asks for, as the contract writes it. */
export function algorithmOf(choice: Choice, form: Form): Algorithm["kind"] {
  const value: Record<string, unknown> = {};
  for (const field of choice.fields) {
    const given = form[field.name];
    const text = String(given ?? "").trim();
    if (field.type === "check") value[field.name] = given === true;
    else if (field.type === "layout") value[field.name] = { origin: { case: "layout", value: text } };
    else if (field.type === "case") value[field.name] = { case: text, value: {} };
    else if (field.type === "keys") {
      value[field.name] = text
        .split(",")
        .map((key) => key.trim())
        .filter(Boolean);
    } else if (field.type === "number" || field.type === "choice") {
      if (text !== "") value[field.name] = field.long ? BigInt(text) : Number(text);
    } else value[field.name] = text;
  }
  return { case: choice.kind, value } as Algorithm["kind"];
}
