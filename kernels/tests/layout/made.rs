//! Graphs made to be hard, or to have a known right picture.

use crate::graphs::{Graph, Random, link};

/// `count` communities of `size` nodes: inside, each node links to 6 others; outside, every
/// tenth to one.
pub(crate) fn communities(count: u32, size: u32, seed: u64) -> Graph {
    let mut random = Random::new(seed);
    let nodes = count * size;
    let mut edges = Vec::new();
    for node in 0..nodes {
        let first = node / size * size;
        for _ in 0..6 {
            edges.push(link(node, first + random.below(size)));
        }
        if node % 10 == 0 {
            edges.push(link(node, random.below(nodes)));
        }
    }
    Graph { nodes: (0..nodes).collect(), edges }
}

/// A hub that links to 34 % of all nodes, a thin random graph under the rest, 5 % isolated nodes
/// and 5 % in pairs: the shape of a real dependency graph.
pub(crate) fn hub_and_dust(nodes: u32, seed: u64) -> Graph {
    let mut random = Random::new(seed);
    let mut edges: Vec<_> = (1..nodes * 34 / 100).map(|node| link(node, 0)).collect();
    for node in 1..nodes * 90 / 100 {
        edges.push(link(node, random.below(node)));
    }
    edges.extend((nodes * 90 / 100..nodes * 95 / 100).step_by(2).map(|node| link(node, node + 1)));
    Graph { nodes: (0..nodes).collect(), edges }
}

/// A square grid of so many nodes a side.
pub(crate) fn grid(side: u32) -> Graph {
    let at = |x: u32, y: u32| x * side + y;
    let along = (0..side).flat_map(|x| (1..side).map(move |y| link(at(x, y - 1), at(x, y))));
    let across = (1..side).flat_map(|x| (0..side).map(move |y| link(at(x - 1, y), at(x, y))));
    Graph { nodes: (0..side * side).collect(), edges: along.chain(across).collect() }
}

/// A chain.
pub(crate) fn path(nodes: u32) -> Graph {
    Graph { nodes: (0..nodes).collect(), edges: (1..nodes).map(|node| link(node - 1, node)).collect() }
}

/// A chain of edges of weight 1,000,000, hardly any, and 1, again and again.
pub(crate) fn uneven_path(nodes: u32) -> Graph {
    let mut graph = path(nodes);
    for (edge, weight) in graph.edges.iter_mut().zip([1e6, 1e-30, 1.0].into_iter().cycle()) {
        edge.weight = weight;
    }
    graph
}
