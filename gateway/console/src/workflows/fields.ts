// The settings of a node as fields, made from the schema of its kind, and what is
// written in them as values.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

export interface SettingField {
  name: string;
  help: string;
  required: boolean;
  /**
   * `cel`: an expression; `text`: a text with `${…}`; `any`: JSON, or else a text;
   * `json`: an object; `rows`: a list of small objects.
   */
  kind: "cel" | "text" | "long" | "any" | "json" | "choice" | "switch" | "integer" | "rows";
  choices: readonly string[];
  /** What holds where nothing is said. */
  otherwise: string;
  minimum?: number;
  maximum?: number;
  /** Of each of a list. */
  fields: readonly SettingField[];
}

const object = (value: unknown): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};

/** Texts that are long by their nature. */
const LONG = ["description", "text", "message"];

export function settingFields(schema: JsonObject | undefined): SettingField[] {
  const required = Array.isArray(schema?.required) ? schema.required : [];
  return Object.entries(object(schema?.properties))
    .map(([name, value]) => fieldOf(name, object(value), required.includes(name)))
    .sort((a, b) => Number(b.required) - Number(a.required));
}

function fieldOf(name: string, schema: JsonObject, required: boolean): SettingField {
  const items = object(schema.items);
  const kind = (): SettingField["kind"] => {
    if (Array.isArray(schema.enum)) return "choice";
    if (schema.format === "cel") return "cel";
    if (schema.type === "string") return LONG.includes(name) ? "long" : "text";
    if (schema.type === "boolean") return "switch";
    if (schema.type === "integer") return "integer";
    if (schema.type === "object") return "json";
    if (schema.type === "array" && items.type === "object") return "rows";
    return "any";
  };
  const { minimum, maximum } = schema;
  return {
    name,
    help: typeof schema.description === "string" ? schema.description : "",
    required,
    kind: kind(),
    choices: Array.isArray(schema.enum) ? schema.enum.map(String) : [],
    otherwise: schema.default === undefined ? "" : String(schema.default),
    minimum: typeof minimum === "number" ? minimum : undefined,
    maximum: typeof maximum === "number" ? maximum : undefined,
    fields: kind() === "rows" ? settingFields(items) : [],
  };
}

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** How a value stands in its field. */
export function textOf({ kind }: Pick<SettingField, "kind">, value: JsonValue | undefined): string {
  if (value === undefined) return "";
  if (kind === "json") return JSON.stringify(value, null, 2);
  if (typeof value !== "string") return JSON.stringify(value, null, kind === "any" ? 2 : undefined);
  // A text that would be taken for something else is written in quotes.
  return kind === "any" && parsed(value) !== undefined ? JSON.stringify(value) : value;
}

/** What is written in a field as a value; nothing where the field is empty. Throws what is wrong with it. */
export function settingOf(field: Pick<SettingField, "kind">, text: string): JsonValue | undefined {
  if (text.trim() === "") return undefined;
  switch (field.kind) {
    case "integer": {
      const value = Number(text);
      // What is no number the mesh refuses in its own words.
      return Number.isFinite(value) ? value : text;
    }
    case "switch":
      return text === "true" ? true : undefined;
    case "any":
      return parsed(text) ?? (text.trim() === "null" ? null : text);
    case "json": {
      const value = parsed(text);
      if (value === undefined) throw new Error("This is not JSON yet; it is not saved.");
      return value;
    }
    default:
      return text;
  }
}
