//! The test vectors: layouts made the same way each time.

use crate::adjacency::{Adjacency, Edge};
use crate::cpu::gravity::Gravity;
use crate::graphs::{self, Random};
use crate::membership::Lookup;
use crate::scene::{Change, Scene};
use crate::{Dim, Params, Point, Simulation};

/// A layout in the middle of its way.
pub(super) struct Vector {
    pub(super) name: &'static str,
    pub(super) dim: Dim,
    pub(super) params: Params,
    pub(super) ids: Vec<u32>,
    pub(super) adjacency: Adjacency,
    pub(super) masses: Vec<f32>,
    pub(super) fixed: Vec<bool>,
    pub(super) warmth: Vec<f32>,
    pub(super) heat: f32,
    pub(super) positions: Vec<Point>,
    pub(super) velocities: Vec<Point>,
}

impl Vector {
    /// A scale-free graph of `nodes` nodes after some ticks on the processor.
    pub(super) fn new(name: &'static str, dim: Dim, nodes: u32, params: Params, weighted: bool) -> Self {
        let graph = graphs::preferential(nodes, 3, 7);
        let mut random = Random::new(11);
        let edges: Vec<Edge> = graph
            .edges
            .iter()
            .map(|edge| Edge {
                weight: if weighted { 0.25 * (1 + random.below(8)) as f32 } else { 1.0 },
                ..*edge
            })
            .collect();
        Self::of(name, dim, &graph.nodes, &edges, params)
    }

    /// Another graph after some ticks on the processor.
    pub(super) fn of(name: &'static str, dim: Dim, nodes: &[u32], edges: &[Edge], params: Params) -> Self {
        let mut layout = Simulation::new(dim, params, 5).unwrap();
        layout.sync(nodes, edges).unwrap();
        for _ in 0..30 {
            layout.tick();
        }
        let adjacency = Adjacency::new(&Lookup::new(nodes), edges).unwrap();
        let count = nodes.len();
        Self {
            name,
            dim,
            params,
            masses: (0..count).map(|slot| 1.0 + adjacency.degree(slot) as f32).collect(),
            ids: nodes.to_vec(),
            adjacency,
            fixed: vec![false; count],
            warmth: vec![0.0; count],
            heat: 0.6,
            positions: layout.positions().to_vec(),
            velocities: layout.velocities().to_vec(),
        }
    }

    /// What a tick is given.
    pub(super) fn scene(&self, change: Change) -> Scene<'_> {
        Scene {
            dim: self.dim,
            seed: 5,
            params: &self.params,
            ids: &self.ids,
            adjacency: &self.adjacency,
            masses: &self.masses,
            total_mass: self.masses.iter().map(|mass| f64::from(*mass)).sum::<f64>() as f32,
            mean_mass: self.masses.iter().sum::<f32>() / self.masses.len() as f32,
            fixed: &self.fixed,
            heat: self.heat,
            warmth: &self.warmth,
            warm: self.warmth.iter().any(|warmth| *warmth > 0.0),
            refining: false,
            change,
        }
    }
}

/// All vectors: both numbers of dimensions, all laws, and what is rare.
pub(super) fn all() -> Vec<Vector> {
    let plain = Params::default();
    let mut vectors = vec![
        Vector::new("plane", Dim::Two, 4_500, plain, false),
        Vector::new("space", Dim::Three, 4_500, plain, false),
        Vector::new("weights and LinLog", Dim::Two, 5_000, Params { lin_log: true, ..plain }, true),
        Vector::new(
            "weak gravity",
            Dim::Three,
            5_000,
            Params { strong_gravity: false, gravity: 2.0, repulsion: 3.0, ..plain },
            true,
        ),
    ];
    let mut rare = Vector::new("pins, warmth, heaps, and one far out", Dim::Two, 4_800, plain, false);
    for slot in 0..rare.ids.len() {
        rare.fixed[slot] = slot % 17 == 3;
        rare.warmth[slot] = if slot % 5 == 0 { 1.0 } else { 0.0 };
    }
    // Nodes in one and the same place; one of them is fixed.
    let heap = rare.positions[100];
    for slot in 101..105 {
        rare.positions[slot] = heap;
    }
    rare.fixed[101] = true;
    rare.positions[200] = rare.positions[900];
    rare.positions[300] = [1_500.0, 100.0, 0.0];
    vectors.push(rare);
    // So wide that most nodes lie where only the containment holds them, and movements are measured against less
    // than the whole; and nearly cold, so that it is the way home which limits them.
    let mut wide = Vector::new("far too wide", Dim::Three, 4_500, plain, false);
    let side = crate::Bounds::of(&wide.positions).side();
    let outermost = Gravity::new(&wide.params, wide.scene(Change::Nothing).total_mass).outermost();
    for position in &mut wide.positions {
        *position = position.map(|c| c * 4.0 * outermost / side);
    }
    wide.heat = 1e-3;
    vectors.push(wide);
    vectors
}
