// Iterations of the layouts of the npm registry on a graph from a file: medians in milliseconds, as JSON.
// node layout.mjs EDGES NODES ROUNDS
import { readFileSync } from "node:fs";

import { forceLink, forceManyBody, forceSimulation, forceX, forceY } from "d3-force";
import * as space from "d3-force-3d";
import Graphology from "graphology";
import forceAtlas2 from "graphology-layout-forceatlas2";
import createNgraphLayout from "ngraph.forcelayout";
import createNgraph from "ngraph.graph";

const [file, nodeText, roundText] = process.argv.slice(2);
const nodes = Number(nodeText);
const rounds = Number(roundText);
const bytes = readFileSync(file);
const columns = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const edges = [];
for (let at = 0; at < columns.length; at += 3) edges.push([columns[at], columns[at + 1]]);

const figures = [];

/** The median of `rounds` steps after a first one, which sets things up. */
function timed(peer, dimensions, step) {
  step();
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    step();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  figures.push({ peer, dimensions, ms: times[Math.floor(times.length / 2)] });
}

// The same start for all that let one choose: a square or cube of random places.
let state = 1;
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const side = 10 * Math.sqrt(nodes);
const placed = () =>
  Array.from({ length: nodes }, () => ({ x: side * random(), y: side * random(), z: side * random() }));

{
  const simulation = forceSimulation(placed())
    .force("charge", forceManyBody())
    .force("link", forceLink(edges.map(([source, target]) => ({ source, target }))))
    .force("x", forceX())
    .force("y", forceY())
    .stop();
  timed("d3-force", 2, () => simulation.tick());
}
{
  const simulation = space
    .forceSimulation(placed(), 3)
    .force("charge", space.forceManyBody())
    .force("link", space.forceLink(edges.map(([source, target]) => ({ source, target }))))
    .force("x", space.forceX())
    .force("y", space.forceY())
    .force("z", space.forceZ())
    .stop();
  timed("d3-force-3d", 3, () => simulation.tick());
}
for (const dimensions of [2, 3]) {
  const graph = createNgraph();
  for (let node = 0; node < nodes; node++) graph.addNode(node);
  for (const [source, target] of edges) graph.addLink(source, target);
  const layout = createNgraphLayout(graph, { dimensions });
  timed("ngraph.forcelayout", dimensions, () => layout.step());
}
{
  const graph = new Graphology({ multi: true });
  for (const [node, { x, y }] of placed().entries()) graph.addNode(node, { x, y });
  for (const [source, target] of edges) graph.addEdge(source, target);
  const settings = { ...forceAtlas2.inferSettings(graph), barnesHutOptimize: true };
  const took = (iterations) => {
    const began = performance.now();
    forceAtlas2(graph, { iterations, settings });
    return performance.now() - began;
  };
  // Each call copies the graph into tables and back: the difference of two is what iterations take.
  took(1);
  const ms = Math.max(took(1 + rounds) - took(1), 0) / rounds;
  figures.push({ peer: "graphology-layout-forceatlas2", dimensions: 2, ms });
}
process.stdout.write(JSON.stringify(figures));
