"""igraph and networkit on a graph from a file: medians in milliseconds, as JSON."""

import json
import statistics
import sys
import time

import igraph
import networkit
import numpy

edges, nodes, source, rounds, sweeps, sources, which = sys.argv[1:]
nodes, source, rounds, sweeps = int(nodes), int(source), int(rounds), int(sweeps)
sources = sorted({int(each) for each in sources.split(",")})
table = numpy.fromfile(edges, dtype=[("source", "u4"), ("target", "u4"), ("weight", "f4")])
pairs = numpy.stack([table["source"], table["target"]], axis=1)
weights = table["weight"].astype(float)
figures = {}


def took(peer, what, work, value=lambda result: 0.0):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = work()
        times.append((time.perf_counter() - began) * 1e3)
    figures.setdefault(peer, []).append({"what": what, "ms": statistics.median(times), "value": value(result)})


directed = igraph.Graph(n=nodes, edges=pairs, directed=True)
# As ours: without directions, parallel edges and loops.
merged = directed.as_undirected(mode="collapse").simplify()
weighted = igraph.Graph(n=nodes, edges=pairs, directed=False)
weighted.es["weight"] = weights.tolist()
took("igraph", "PageRank", lambda: directed.pagerank(damping=0.85))
took("igraph", "components", lambda: directed.connected_components(mode="weak"))
took("igraph", "BFS", lambda: merged.distances(source=[source]))
took("igraph", "SSSP", lambda: weighted.distances(source=[source], weights="weight"))
took(
    "igraph",
    "Leiden",
    lambda: merged.community_leiden(objective_function="modularity", n_iterations=2),
    lambda found: merged.modularity(found.membership),
)
if which == "all":
    took("igraph", "label propagation", lambda: merged.community_label_propagation())
    took("igraph", "betweenness of 64", lambda: merged.betweenness(directed=False, sources=sources))
    took("igraph", "cores", lambda: merged.coreness())


def built(directed, weighted):
    values = weights if weighted else numpy.ones(len(table))
    columns = (table["source"].astype("u8"), table["target"].astype("u8"))
    return networkit.GraphFromCoo((values, columns), n=nodes, directed=directed, weighted=weighted)


ways = built(True, False)
both = built(False, False)
both.removeMultiEdges()
both.removeSelfLoops()
lengths = built(False, True)
took("networkit", "PageRank", lambda: networkit.centrality.PageRank(ways, damp=0.85, tol=1e-6).run())
took("networkit", "components", lambda: networkit.components.ParallelConnectedComponents(both).run())
took("networkit", "BFS", lambda: networkit.distance.BFS(both, source, storePaths=False).run())
took("networkit", "SSSP", lambda: networkit.distance.Dijkstra(lengths, source, storePaths=False).run())


def modularity(found):
    return networkit.community.Modularity().getQuality(found.getPartition(), both)


took("networkit", "Leiden", lambda: networkit.community.ParallelLeiden(both, iterations=2).run(), modularity)
if which == "all":
    took("networkit", "label propagation", lambda: networkit.community.PLP(both, maxIterations=sweeps).run())
    took(
        "networkit",
        "betweenness of 64",
        lambda: networkit.centrality.EstimateBetweenness(both, len(sources), parallel=True).run(),
    )
    took("networkit", "cores", lambda: networkit.centrality.CoreDecomposition(both).run())
json.dump(figures, sys.stdout)
