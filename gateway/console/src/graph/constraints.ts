// What the shown layout keeps to: reading it, and the rules that the map offers.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Constraint, ConstraintSchema } from "../gen/weft/compute/v1/constraint_pb";
import { layouts } from "../rpc/layouts";

export type Rule = NonNullable<MessageInitShape<typeof ConstraintSchema>["rule"]>;

const nodeSet = (keys: string[]) => ({ nodes: { case: "keys" as const, value: { keys } } });

/** Nodes on one height. */
export const row = (keys: string[]): Rule => ({
  case: "alignment",
  value: { nodes: nodeSet(keys), direction: { x: 1 } },
});

/** Nodes one above the other. */
export const column = (keys: string[]): Rule => ({
  case: "alignment",
  value: { nodes: nodeSet(keys), direction: { y: 1 } },
});

/** Nodes in a circle of their own. */
export const group = (keys: string[]): Rule => ({
  case: "cluster",
  value: { members: { case: "nodes", value: nodeSet(keys) }, exclusive: true },
});

/** Nodes with the same value of a property, each group in a circle of its own. */
export const groups = (property: string): Rule => ({
  case: "cluster",
  value: { members: { case: "groupByProperty", value: property }, exclusive: true },
});

/** Edges that point down. */
export const downwards: Rule = { case: "hierarchy", value: { direction: { y: -1 }, gap: 20 } };

/** Nodes that do not overlap. */
export const apart: Rule = { case: "collision", value: { radius: 3 } };

const KINDS = {
  distance: "Distance",
  hierarchy: "Hierarchy",
  alignment: "Alignment",
  cluster: "Group",
  collision: "No overlaps",
  boundary: "Boundary",
} as const;

/** What a constraint is called where nobody has named it. */
export function titleOf(constraint: Constraint): string {
  if (constraint.displayName) return constraint.displayName;
  const { rule } = constraint;
  if (rule.case === "cluster" && rule.value.members.case === "groupByProperty")
    return `Groups by ${rule.value.members.value}`;
  return rule.case ? KINDS[rule.case] : "Constraint";
}

export async function listOf(layout: string, signal: AbortSignal): Promise<Constraint[]> {
  const all: Constraint[] = [];
  let pageToken = "";
  do {
    const page = await layouts.listConstraints({ parent: layout, pageSize: 1000, pageToken }, { signal });
    all.push(...page.constraints);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return all;
}

export const add = (layout: string, rule: Rule, displayName = "") =>
  layouts.createConstraint({
    parent: layout,
    constraint: { displayName, rule },
    requestId: crypto.randomUUID(),
  });
