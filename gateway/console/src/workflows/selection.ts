// What is chosen on the canvas: nodes, or one edge.
export interface Selection {
  nodes: ReadonlySet<string>;
  edge?: string;
}

export const NOTHING: Selection = { nodes: new Set() };

export const only = (key: string): Selection => ({ nodes: new Set([key]) });

export function toggled(selection: Selection, key: string): Selection {
  const nodes = new Set(selection.nodes);
  if (!nodes.delete(key)) nodes.add(key);
  return { nodes };
}
