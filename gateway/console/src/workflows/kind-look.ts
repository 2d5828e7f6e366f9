// How kinds look: an icon each, and where they stand among others.
import type { IconName } from "../ui/icon";

const ICONS: Record<string, IconName> = {
  input: "right",
  output: "out",
  set: "pencil",
  if: "path",
  switch: "path",
  merge: "link",
  map: "table",
  while: "refresh",
  try: "alert",
  graph: "flow",
  delay: "pause",
  signal: "bell",
  approval: "person",
  http: "upload",
  grpc: "target",
  mcp: "bolt",
  command: "terminal",
  sql: "hosts",
  analysis: "chart",
  code: "sliders",
  task: "hosts",
  object: "folder",
  publish: "inbox",
  fail: "close",
  noop: "minus",
  note: "help",
};

export function iconOf(kind: string): IconName {
  return ICONS[kind] ?? "graph";
}

/** What people reach for most comes first. */
const ORDER = [
  "http",
  "set",
  "if",
  "map",
  "approval",
  "command",
  "sql",
  "code",
  "task",
  "analysis",
  "object",
  "delay",
  "switch",
  "merge",
  "graph",
  "signal",
  "publish",
  "grpc",
  "mcp",
];

export function byUse(a: string, b: string): number {
  const place = (kind: string) => {
    const at = ORDER.indexOf(kind);
    return at < 0 ? ORDER.length : at;
  };
  return place(a) - place(b) || a.localeCompare(b);
}
