// The settings of a source as a form has them: text in, contract out.
import { create } from "@bufbuild/protobuf";
import { GraphFormat, type PropertyLink, PropertyLinkSchema } from "../gen/weft/graph/v1/graph_pb";
import { type FolderLocation, type Source, SourceSchema } from "../gen/weft/graph/v1/source_pb";

export interface Link {
  property: string;
  nodeType: string;
  edgeType: string;
}

export interface Settings {
  displayName: string;
  folder: string;
  path: string;
  /** One pattern a line: commas belong to patterns such as `*.{md,txt}`. */
  include: string;
  exclude: string;
  format: GraphFormat;
  defaultNodeType: string;
  defaultEdgeType: string;
  links: Link[];
}

/** The link that most notebooks want. */
export const AUTHORS: Link = { property: "author", nodeType: "creator", edgeType: "author" };

export const MAX_LINKS = 16;

/** What UpdateSource may write, and this form does. */
export const MASK = [
  "display_name",
  "folder",
  "format",
  "default_node_type",
  "default_edge_type",
  "property_links",
] as const;

export function locationOf(source: Source): FolderLocation | undefined {
  return source.location.case === "folder" ? source.location.value : undefined;
}

export function settingsOf(source: Source | null): Settings {
  const location = source ? locationOf(source) : undefined;
  return {
    displayName: source?.displayName ?? "",
    folder: location?.folder ?? "",
    path: location?.path ?? "",
    include: (location?.include ?? []).join("\n"),
    exclude: (location?.exclude ?? []).join("\n"),
    format: source?.format ?? GraphFormat.UNSPECIFIED,
    defaultNodeType: source?.defaultNodeType ?? "",
    defaultEdgeType: source?.defaultEdgeType ?? "",
    links: (source?.propertyLinks ?? []).map(({ property, nodeType, edgeType }) => ({
      property,
      nodeType,
      edgeType,
    })),
  };
}

export function sourceFrom(settings: Settings): Source {
  return create(SourceSchema, {
    displayName: settings.displayName.trim(),
    location: {
      case: "folder",
      value: {
        folder: settings.folder,
        path: settings.path.trim().replace(/\/+$/, ""),
        include: patterns(settings.include),
        exclude: patterns(settings.exclude),
      },
    },
    format: settings.format,
    defaultNodeType: settings.defaultNodeType.trim(),
    defaultEdgeType: settings.defaultEdgeType.trim(),
    propertyLinks: settings.links.map(trimmed).filter((link) => link.property !== ""),
  });
}

export function patterns(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Why a path cannot be one, before the mesh is asked; empty if it can. */
export function pathProblem(path: string): string {
  const text = path.trim();
  if (text.startsWith("/")) return "A path in the folder: it does not begin with a slash.";
  if (text.split("/").includes("..")) return "A path in the folder: “..” leads out of it.";
  return "";
}

function trimmed({ property, nodeType, edgeType }: Link): PropertyLink {
  return create(PropertyLinkSchema, {
    property: property.trim(),
    nodeType: nodeType.trim(),
    edgeType: edgeType.trim(),
  });
}

/** `author → creator`, as people write it. */
export function linkInWords(link: Link | PropertyLink): string {
  const type = link.nodeType || link.property;
  return type === link.property ? link.property : `${link.property} → ${type}`;
}
