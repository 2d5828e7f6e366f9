//! A graph that is made coarser: the one that is laid out, or one that is coarser already.

use crate::adjacency::Adjacency;
use crate::{Model, Params};

/// What is made coarser.
pub(super) struct Fine<'a> {
    pub(super) adjacency: &'a Adjacency,
    pub(super) masses: &'a [f32],
    /// A number for every node that stays the same whatever the slots.
    pub(super) names: &'a [u32],
    /// d3's edges: so strong, over the smaller number of neighbours.
    pub(super) by_degree: Option<f32>,
}

impl<'a> Fine<'a> {
    /// The graph itself.
    pub(super) fn ground(
        adjacency: &'a Adjacency,
        masses: &'a [f32],
        ids: &'a [u32],
        params: &Params,
    ) -> Self {
        // There all masses are the same.
        let mass = masses.first().copied().filter(|_| params.model == Model::D3);
        Self { adjacency, masses, names: ids, by_degree: mass }
    }

    /// Hands every neighbour of a node to `visit`, and how strongly the edge pulls.
    pub(super) fn each_edge(&self, node: usize, mut visit: impl FnMut(u32, f32)) {
        let adjacency = self.adjacency;
        for (at, other) in adjacency.range(node).zip(adjacency.neighbours(node)) {
            let weight = adjacency.weights().at(at);
            let strength = self.by_degree.map_or(1.0, |mass| {
                mass / adjacency.degree(node).min(adjacency.degree(*other as usize)) as f32
            });
            visit(*other, weight * strength);
        }
    }
}
