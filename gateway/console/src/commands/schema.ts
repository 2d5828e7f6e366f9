// From a JSON Schema to a form, as far as a form can be simple: an object of
// texts, numbers, choices, switches and lists of texts. Anything else is JSON.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

export interface Field {
  key: string;
  title: string;
  help: string;
  required: boolean;
  /** Never shown again. */
  secret: boolean;
  kind: "text" | "long" | "number" | "integer" | "switch" | "choice" | "words" | "json";
  choices: readonly JsonValue[];
  minimum?: number;
  maximum?: number;
  longest?: number;
  initial: string;
}

const object = (value: unknown): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** The fields of the form; null where only JSON will do. */
export function fieldsOf(schema: JsonObject | undefined): Field[] | null {
  if (!schema || Object.keys(schema).length === 0) return null;
  const isObject = schema.type === "object" || schema.properties !== undefined;
  if (!isObject || ["oneOf", "anyOf", "allOf", "$ref", "if"].some((word) => word in schema)) return null;
  const properties = object(schema.properties);
  if (Object.keys(properties).length === 0 && schema.additionalProperties !== false) return null;
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(properties).map(([key, value]) =>
    fieldOf(key, object(value), required.includes(key)),
  );
}

/** Texts that may be longer than this get a box of several lines. */
const ONE_LINE = 300;

function fieldOf(key: string, schema: JsonObject, required: boolean): Field {
  const longest = number(schema.maxLength);
  const choices = Array.isArray(schema.enum) ? schema.enum : [];
  const kind = (): Field["kind"] => {
    if (choices.length > 0) return "choice";
    switch (schema.type) {
      case "string":
        return longest !== undefined && longest > ONE_LINE && !schema.writeOnly ? "long" : "text";
      case "integer":
        return "integer";
      case "number":
        return "number";
      case "boolean":
        return "switch";
      case "array":
        return object(schema.items).type === "string" ? "words" : "json";
      default:
        return "json";
    }
  };
  const initial = schema.default;
  return {
    key,
    title: text(schema.title) || key,
    help: text(schema.description),
    required,
    secret: schema.writeOnly === true,
    kind: kind(),
    choices,
    minimum: number(schema.minimum),
    maximum: number(schema.maximum),
    longest,
    initial: initial === undefined ? "" : typeof initial === "string" ? initial : JSON.stringify(initial),
  };
}

export type Values = Readonly<Record<string, string>>;

/** What was filled in, as the arguments of the command; fields that were left empty are left out. */
export function argumentsOf(fields: readonly Field[], values: Values): JsonObject {
  const found: JsonObject = {};
  for (const field of fields) {
    const value = values[field.key] ?? field.initial;
    if (value === "" && !(field.required && (field.kind === "text" || field.kind === "long"))) continue;
    found[field.key] = argumentOf(field, value);
  }
  return found;
}

function argumentOf(field: Field, value: string): JsonValue {
  switch (field.kind) {
    case "number":
    case "integer": {
      const parsed = Number(value);
      if (!Number.isFinite(parsed)) throw new Error(`${field.title}: ${value} is not a number`);
      return parsed;
    }
    case "switch":
      return value === "true";
    case "choice":
      return field.choices.find((choice) => choiceText(choice) === value) ?? value;
    case "words":
      return value.split("\n").filter((line) => line !== "");
    case "json":
      return parse(value, field.title);
    default:
      return value;
  }
}

export function choiceText(choice: JsonValue): string {
  return typeof choice === "string" ? choice : JSON.stringify(choice);
}

/** An object as somebody wrote it. */
export function objectOf(value: string, title = "Arguments"): JsonObject {
  if (value.trim() === "") return {};
  const parsed = parse(value, title);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new Error(`${title}: an object is needed, { … }`);
  }
  return parsed;
}

/** A value as somebody wrote it. */
export function parse(value: string, title: string): JsonValue {
  try {
    return JSON.parse(value) as JsonValue;
  } catch (error) {
    throw new Error(`${title}: this is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
}
