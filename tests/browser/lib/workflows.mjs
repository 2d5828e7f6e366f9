// Workflows and their runs, made from outside the browser.
import { call } from "./api.mjs";

export const node = (key, type, properties = {}) => ({ upsertNode: { node: { key, type, properties } } });
export const way = (source, target, type = "") => ({ upsertEdge: { edge: { source, target, type } } });

export async function makeWorkflow(id, changes, project = "default") {
  const path = `/v1/projects/${project}/graphs`;
  await call("POST", `${path}?graphId=${id}`, { kind: "GRAPH_KIND_WORKFLOW", displayName: `Story ${id}` });
  await call("POST", `${path}/${id}:applyChanges`, { changes });
  return id;
}

/** Starts a run, and gives its id. */
export async function start(workflow, input, { project = "default", displayName } = {}) {
  const execution = { graph: `projects/${project}/graphs/${workflow}`, input, displayName };
  const { name } = await call("POST", `/v1/projects/${project}/executions`, execution);
  return name.slice(name.lastIndexOf("/") + 1);
}

/** Prices are taxed one by one; of more than two a person is asked, who says how they are shipped. */
export const ORDERS = [
  node("start", "input", {
    schema: {
      type: "object",
      required: ["prices"],
      properties: { prices: { type: "array", description: "What each costs." } },
    },
  }),
  node("each", "map", { items: "input.prices" }),
  node("price", "input", { parent: "each" }),
  node("taxed", "set", { parent: "each", value: "${item * 119 / 100}" }),
  node("give", "output", { parent: "each" }),
  node("many", "if", { condition: "size(input) > 2" }),
  node("ask", "approval", {
    title: "Ship ${size(input)} of them?",
    description: "The first costs ${input[0]}.",
    form: { type: "object", required: ["carrier"], properties: { carrier: { enum: ["boat", "train"] } } },
  }),
  node("either", "merge", { mode: "any" }),
  node("end", "output"),
  way("start", "each"),
  way("price", "taxed"),
  way("taxed", "give"),
  way("each", "many"),
  way("many", "ask", "true"),
  way("many", "either", "false"),
  way("ask", "either", "approved"),
  way("either", "end"),
];
