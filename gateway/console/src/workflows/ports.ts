// Where values go into a node and come out of it.
import type { JsonObject } from "@bufbuild/protobuf";
import type { NodeKind } from "../gen/weft/execution/v1/execution_pb";
import type { WorkflowNode } from "./document";

export interface PortInfo {
  name: string;
  type: string;
  description: string;
}

export type Kinds = ReadonlyMap<string, NodeKind>;

export const ERROR = "error";

export function inputsOf(node: WorkflowNode, kinds: Kinds): PortInfo[] {
  const ports = kinds.get(node.type)?.inputPorts ?? [];
  return ports.map(({ name, valueType, description }) => ({ name, type: valueType, description }));
}

/** Those of its kind, after those that its settings make: a `switch` has one for each case. */
export function outputsOf(node: WorkflowNode, kinds: Kinds): PortInfo[] {
  const ports = kinds.get(node.type)?.outputPorts ?? [];
  const known = ports.map(({ name, valueType, description }) => ({ name, type: valueType, description }));
  const made = Object.values(node.properties).flatMap((value) =>
    Array.isArray(value)
      ? value.flatMap((one) => {
          const port = (one as JsonObject | null)?.port;
          return typeof port === "string" && port !== "" ? [port] : [];
        })
      : [],
  );
  const more = [...new Set(made)].filter((name) => known.every((port) => port.name !== name));
  return [
    ...more.map((name) => ({ name, type: "any", description: "what came in, if its condition holds" })),
    ...known,
  ];
}

export const hasBody = (node: WorkflowNode, kinds: Kinds): boolean => kinds.get(node.type)?.hasBody ?? false;

/** Whether a value of one type may go where another is taken. */
export function fits(from: string, to: string): boolean {
  return from === "any" || to === "any" || from === to;
}
