// What an expression of a node can name, and what can come next where somebody types.
import type { JsonObject } from "@bufbuild/protobuf";
import { type Document, parentOf, type WorkflowNode } from "./document";
import { memberOf } from "./member";
import { type Kinds, outputsOf } from "./ports";

export interface Offer {
  text: string;
  /** What it is. */
  about: string;
}

const RUN = ["id", "name", "uid", "project", "graph", "creator"];
/** What every expression can call, wherever it stands. */
export const FUNCTIONS: readonly Offer[] = [
  { text: "size(", about: "how many, or how long" },
  { text: "has(", about: "whether a field is there" },
  { text: "int(", about: "a whole number of it" },
  { text: "double(", about: "a fraction of it" },
  { text: "string(", about: "a text of it" },
  { text: "bool(", about: "true or false of it" },
  { text: "type(", about: "its type" },
  { text: "true", about: "bool" },
  { text: "false", about: "bool" },
  { text: "null", about: "nothing" },
];
const METHODS: readonly (readonly [string, string])[] = [
  ["map(x, x)", "a list of what it gives for each"],
  ["filter(x, true)", "those for which it holds"],
  ["exists(x, true)", "whether it holds for one"],
  ["all(x, true)", "whether it holds for each"],
  ["size()", "how many, or how long"],
  ["contains()", "whether a text is in it"],
  ["startsWith()", "whether it begins so"],
  ["endsWith()", "whether it ends so"],
  ["matches()", "whether a pattern is in it"],
];

/** The nodes around one: those whose bodies it is in. */
function around(document: Document, node: WorkflowNode): WorkflowNode[] {
  const found: WorkflowNode[] = [];
  let at = document.nodes.get(parentOf(node));
  while (at && !found.includes(at)) {
    found.push(at);
    at = document.nodes.get(parentOf(at));
  }
  return found;
}

/** Fields that the words about a node say it gives: those in backticks. */
export function fieldsOf(node: WorkflowNode, kinds: Kinds): string[] {
  const ports = outputsOf(node, kinds).filter((port) => port.name !== "error" && port.type === "object");
  const words = (text: string) => [...text.matchAll(/`([a-z_]\w*)`/g)].map((match) => match[1]);
  const ofPorts = ports.flatMap((port) => words(port.description));
  if (ofPorts.length > 0 || ports.length === 0) return [...new Set(ofPorts)];
  const gives = /Gives ([^.]*)/.exec(kinds.get(node.type)?.description ?? "");
  return gives ? [...new Set(words(gives[1]))] : [];
}

/** What a node is given, as far as it is known: the fields of the workflow's input, or of the one node before it. */
function inputFields(document: Document, node: WorkflowNode, kinds: Kinds, depth = 0): string[] {
  const schema = node.properties.schema as JsonObject | undefined;
  const properties = schema?.properties;
  if (node.type === "input") return Object.keys((properties as JsonObject | undefined) ?? {});
  const before = [...document.edges.values()].filter((edge) => edge.target === node.key);
  const from = before.length === 1 ? document.nodes.get(before[0].source) : undefined;
  if (!from || depth > 20) return [];
  if (from.type === "input") return inputFields(document, from, kinds, depth + 1);
  const own = fieldsOf(from, kinds);
  if (own.length > 0) return own;
  // Those that only choose a way give on what came in.
  return from.type === "if" || from.type === "switch" || from.type === "delay"
    ? inputFields(document, from, kinds, depth + 1)
    : [];
}

/** Everything that an expression of this node can name; secrets only where what they are in is sent and not kept. */
export function offersFor(
  document: Document,
  key: string,
  kinds: Kinds,
  secrets: readonly string[] = [],
): Offer[] {
  const node = document.nodes.get(key);
  if (!node) return [];
  const outer = around(document, node);
  const parents = new Set(["", ...outer.map((one) => one.key)]);
  const offers: Offer[] = [{ text: "input", about: "what comes in" }];
  for (const field of inputFields(document, node, kinds))
    offers.push({ text: `input.${field}`, about: "of what comes in" });
  if (outer.some((one) => one.type === "map")) {
    offers.push({ text: "item", about: "the element" }, { text: "index", about: "its place" });
  } else if (outer.some((one) => one.type === "while") || node.type === "while") {
    offers.push({ text: "index", about: "how many rounds there were" });
  }
  for (const other of document.nodes.values()) {
    if (other.key === key || !parents.has(parentOf(other)) || outer.includes(other) || other.type === "note")
      continue;
    const name = memberOf("steps", other.key);
    offers.push({ text: name, about: `what ${other.displayName || other.key} gave` });
    for (const field of fieldsOf(other, kinds))
      offers.push({ text: `${name}.${field}`, about: `of ${other.key}` });
  }
  if (mayNameSecrets(node.type))
    for (const secret of secrets)
      offers.push({ text: memberOf("secrets", secret), about: "put in place when it is sent" });
  for (const field of RUN) offers.push({ text: `run.${field}`, about: "of the run" });
  offers.push(...FUNCTIONS);
  return offers;
}

/** Whether settings of nodes of this kind can name secrets. */
export const mayNameSecrets = (type: string): boolean => ["http", "mcp", "sql"].includes(type);

export interface Place {
  /** Where what is typed begins. */
  from: number;
  typed: string;
}

/** What is being typed at the caret, if it is an expression: everywhere, or only within `${…}`. */
export function placeOf(text: string, caret: number, everywhere: boolean): Place | undefined {
  const before = text.slice(0, caret);
  if (!everywhere) {
    const open = before.lastIndexOf("${");
    if (open < 0 || before.slice(open + 2).includes("}")) return undefined;
    if (before[open - 1] === "$") return undefined;
  }
  const typed = /(?:[A-Za-z_][\w]*(?:\.[\w]*|\["[^"]*"?\]?)*)$/.exec(before)?.[0] ?? "";
  return { from: caret - typed.length, typed };
}

/** What can come next, the nearest first. */
export function complete(offers: readonly Offer[], { typed }: Place, most = 12): Offer[] {
  const wanted = typed.toLowerCase();
  const begins = offers.filter(({ text }) => text.toLowerCase().startsWith(wanted) && text !== typed);
  const cut = typed.lastIndexOf(".");
  const method = cut >= 0 ? typed.slice(cut + 1).toLowerCase() : undefined;
  const methods =
    method === undefined
      ? []
      : METHODS.filter(([text]) => text.toLowerCase().startsWith(method)).map(([text, about]) => ({
          text: typed.slice(0, cut + 1) + text,
          about,
        }));
  const has =
    wanted.length > 1
      ? offers.filter(
          ({ text }) => !begins.some((one) => one.text === text) && text.toLowerCase().includes(wanted),
        )
      : [];
  return [...begins, ...methods, ...has.filter(({ text }) => text !== typed)].slice(0, most);
}
