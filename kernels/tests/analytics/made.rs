//! Graphs to try things on.

use proptest::prelude::*;
use weft_kernels::Edge;
use weft_kernels::analytics::Network;

/// A list of edges over nodes whose ids are not their slots.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) ids: Vec<u32>,
    pub(crate) edges: Vec<Edge>,
}

impl Made {
    /// Slots as ends, in edges of weight 1.
    pub(crate) fn of(nodes: usize, pairs: &[(usize, usize)]) -> Self {
        Self::weighted(nodes, &pairs.iter().map(|(from, to)| (*from, *to, 1.0)).collect::<Vec<_>>())
    }

    pub(crate) fn weighted(nodes: usize, entries: &[(usize, usize, f32)]) -> Self {
        let id = |slot: usize| slot as u32 * 3 + 7;
        let edge =
            |&(from, to, weight): &(usize, usize, f32)| Edge { source: id(from), target: id(to), weight };
        Self { ids: (0..nodes).map(id).collect(), edges: entries.iter().map(edge).collect() }
    }

    pub(crate) fn network(&self) -> Network {
        Network::new(&self.ids, &self.edges).expect("it is well made")
    }

    pub(crate) fn nodes(&self) -> usize {
        self.ids.len()
    }

    /// Ends as slots.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let slot = |id: u32| ((id - 7) / 3) as usize;
        self.edges.iter().map(move |edge| (slot(edge.source), slot(edge.target), f64::from(edge.weight)))
    }

    /// For each pair of slots, the weights of the edges from one to the other added up.
    pub(crate) fn matrix(&self) -> Vec<Vec<f64>> {
        let mut matrix = vec![vec![0.0; self.nodes()]; self.nodes()];
        for (from, to, weight) in self.entries() {
            matrix[from][to] += weight;
        }
        matrix
    }

    /// The same without directions and loops.
    pub(crate) fn undirected(&self) -> Vec<Vec<f64>> {
        let mut matrix = vec![vec![0.0; self.nodes()]; self.nodes()];
        for (from, to, weight) in self.entries().filter(|(from, to, _)| from != to) {
            matrix[from][to] += weight;
            matrix[to][from] += weight;
        }
        matrix
    }
}

/// Up to `most` nodes, edges with weights that are sums of halves (exact in single precision), thin and dense.
pub(crate) fn any_graph(most: usize) -> impl Strategy<Value = Made> {
    (1..=most).prop_flat_map(|nodes| {
        let edge =
            (0..nodes, 0..nodes, 1_u8..8).prop_map(|(from, to, halves)| (from, to, f32::from(halves) / 2.0));
        prop::collection::vec(edge, 0..nodes * 4).prop_map(move |entries| Made::weighted(nodes, &entries))
    })
}

/// The same with edges from smaller to larger slots only: no cycles.
pub(crate) fn any_dag(most: usize) -> impl Strategy<Value = Made> {
    any_graph(most).prop_map(|made| {
        let forward = made.entries().filter(|(from, to, _)| from != to);
        let entries: Vec<_> =
            forward.map(|(from, to, weight)| (from.min(to), from.max(to), weight as f32)).collect();
        Made::weighted(made.nodes(), &entries)
    })
}
