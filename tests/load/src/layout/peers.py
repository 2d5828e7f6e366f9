"""Iterations of the layouts of the Python package index on a graph from a file: milliseconds, as JSON.

peers.py EDGES NODES ROUNDS [PLACES ITERATIONS]: with PLACES, crategraph-forceatlas2 runs so many iterations as well, and
its places are written there, x and y of each node as 64-bit numbers.
"""

import json
import sys
import time

import crategraph_forceatlas2
import igraph
import numpy

edges, nodes, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
table = numpy.fromfile(edges, dtype=[("source", "u4"), ("target", "u4"), ("weight", "f4")])
pairs = numpy.stack([table["source"], table["target"]], axis=1)
pairs = pairs[pairs[:, 0] != pairs[:, 1]]
start = numpy.random.default_rng(1).random((nodes, 2)) * 10 * nodes**0.5
figures = []


def took(work):
    began = time.perf_counter()
    result = work()
    return (time.perf_counter() - began) * 1e3, result


def iteration(peer, work):
    """What one more iteration takes: both calls read the graph and give the places back."""
    work(1)
    one, _ = took(lambda: work(1))
    more, _ = took(lambda: work(1 + rounds))
    figures.append({"peer": peer, "dimensions": 2, "ms": max(more - one, 0) / rounds})


graph = igraph.Graph(n=nodes, edges=pairs, directed=False)
iteration(
    "igraph Fruchterman-Reingold, grid",
    lambda niter: graph.layout_fruchterman_reingold(niter=niter, seed=start.tolist(), grid=True),
)
settings = crategraph_forceatlas2.infer_settings(nodes)


def atlas(iterations):
    return crategraph_forceatlas2.layout(nodes, pairs.tolist(), init=start, iterations=iterations, **settings)


iteration("crategraph-forceatlas2", atlas)
if len(sys.argv) > 4:
    ms, places = took(lambda: atlas(int(sys.argv[5])))
    places.astype("f8").tofile(sys.argv[4])
    figures.append({"peer": "crategraph-forceatlas2, whole", "dimensions": 2, "ms": ms})
json.dump(figures, sys.stdout)
