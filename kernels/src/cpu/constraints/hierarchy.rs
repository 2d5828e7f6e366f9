//! Edges that point along a direction.
//!
//! Written along the direction, an edge asks `target ≥ source + gap`. Edges inside a strongly connected
//! component ask for what cannot be and are left out; what is left has no cycle and is swept through by
//! level (the longest way on the condensation): forwards every target is pushed as far as its sources
//! ask, backwards every source is pulled as far as its targets ask. Both ends of the sweeps keep all
//! edges, and so does the middle between them, because what edges ask for is convex: one pass is exact
//! however long the chains are, moves no more than either sweep, and drifts nowhere.

use super::{World, dot};
use crate::analytics::{Network, levels};
use crate::membership::Lookup;
use crate::{Edge, Point};

/// Edges between the nodes of a hierarchy.
#[derive(Debug)]
pub(super) struct Hierarchy {
    /// Slots, ascending; edges count in this list.
    nodes: Vec<u32>,
    /// By level of the target.
    forwards: Vec<(u32, u32)>,
    /// By level of the source, the last first.
    backwards: Vec<(u32, u32)>,
    /// Of length 1.
    along: Point,
    gap: f32,
    /// How far along each node is, after either sweep.
    pushed: Vec<f32>,
    pulled: Vec<f32>,
}

impl Hierarchy {
    pub(super) fn new(edges: &[(u32, u32)], along: Point, gap: f32, lookup: &Lookup<'_>) -> Self {
        let find = |edge: &(u32, u32)| Some((lookup.slot(edge.0)?, lookup.slot(edge.1)?));
        let mut edges: Vec<(u32, u32)> = edges.iter().filter_map(find).collect();
        edges.sort_unstable();
        edges.dedup();
        let mut nodes: Vec<u32> = edges.iter().flat_map(|(source, target)| [*source, *target]).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let links: Vec<Edge> =
            edges.iter().map(|&(source, target)| Edge { source, target, weight: 1.0 }).collect();
        let network = Network::new(&nodes, &links).expect("nodes are ascending, and edges between them");
        let levels = levels(&network);
        let own = Lookup::new(&nodes);
        let number = |slot| own.slot(slot).expect("it is one of them");
        let mut forwards: Vec<(u32, u32)> = edges
            .iter()
            .map(|(source, target)| (number(*source), number(*target)))
            // A longest way goes up along every edge but those within a component.
            .filter(|(source, target)| levels[*source as usize] < levels[*target as usize])
            .collect();
        let level = |node: u32| levels[node as usize];
        let mut backwards = forwards.clone();
        forwards.sort_by_key(|(source, target)| (level(*target), *target, *source));
        backwards.sort_by_key(|(source, target)| (std::cmp::Reverse(level(*source)), *source, *target));
        let count = nodes.len();
        Self { nodes, forwards, backwards, along, gap, pushed: vec![0.0; count], pulled: vec![0.0; count] }
    }

    pub(super) fn project(&mut self, world: &World<'_>, share: f32, positions: &mut [Point]) {
        let fixed = |node: u32| world.fixed[self.nodes[node as usize] as usize];
        for (node, slot) in self.nodes.iter().enumerate() {
            self.pushed[node] = dot(positions[*slot as usize], self.along);
            self.pulled[node] = self.pushed[node];
        }
        for &(source, target) in &self.forwards {
            if !fixed(target) {
                let least = self.pushed[source as usize] + self.gap;
                self.pushed[target as usize] = self.pushed[target as usize].max(least);
            }
        }
        for &(source, target) in &self.backwards {
            if !fixed(source) {
                let most = self.pulled[target as usize] - self.gap;
                self.pulled[source as usize] = self.pulled[source as usize].min(most);
            }
        }
        for (node, slot) in self.nodes.iter().enumerate() {
            let position = &mut positions[*slot as usize];
            if !world.fixed[*slot as usize] {
                let way = f32::midpoint(self.pushed[node], self.pulled[node]) - dot(*position, self.along);
                for (c, along) in position.iter_mut().zip(self.along) {
                    *c += along * way * share;
                }
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.nodes.capacity() * size_of::<u32>()
            + (self.forwards.capacity() + self.backwards.capacity()) * size_of::<(u32, u32)>()
            + (self.pushed.capacity() + self.pulled.capacity()) * size_of::<f32>()
    }
}
