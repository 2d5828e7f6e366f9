//! The push against its definition, the sum over all pairs in double precision, in every shape
//! that a layout can have.

use super::*;
use crate::graphs::{self, Random};
use crate::{Bounds, Params, Point, Simulation};

const SOFTENING: f32 = 0.1;

/// What came out, against what is exact.
#[derive(Debug)]
struct Verdict {
    method: Method,
    /// Root mean square of the error of the push, over that of the push.
    error: f64,
    /// The smallest ratio of the stiffness to how fast the push changes with the node's place.
    stiffness: f64,
}

fn judge(dim: Dim, positions: &[Point], masses: &[f32]) -> Verdict {
    let mut push = Push::default();
    let bodies = Bodies { dim, bounds: Bounds::of(positions), positions, masses };
    push.sum(&bodies, Accuracy { theta: 1.0, softening: SOFTENING });

    let (mut error, mut total) = (0.0, 0.0);
    let mut stiffness = f64::INFINITY;
    for node in (0..positions.len()).step_by(positions.len().div_ceil(500)) {
        let (exact, bend) = exact_field(&bodies, SOFTENING, node);
        let field = push.fields()[push.rank()[node] as usize];
        for (push, exact) in field.push.into_iter().zip(exact) {
            assert!(push.is_finite());
            error += (f64::from(push) - exact).powi(2);
            total += exact.powi(2);
        }
        stiffness = stiffness.min(f64::from(field.stiffness) / bend);
    }
    Verdict { method: push.method, error: (error / total).sqrt(), stiffness }
}

const NODES: u32 = 20_000;

/// Nodes all over a square or cube, heavy and light.
fn fresh(dim: Dim) -> (Vec<Point>, Vec<f32>) {
    let mut random = Random::new(3);
    let mut c = || random.below(1 << 20) as f32 * 1e-3 - 500.0;
    let positions = (0..NODES).map(|_| dim.flatten([c(), c(), c()])).collect();
    let masses = (0..NODES).map(|node| if node % 1_000 == 0 { 500.0 } else { 1.0 + (node % 9) as f32 });
    (positions, masses.collect())
}

/// A layout of `graph` after `ticks` ticks.
fn laid_out(dim: Dim, graph: &graphs::Graph, params: Params, ticks: usize) -> (Vec<Point>, Vec<f32>) {
    let mut layout = Simulation::new(dim, params, 4).unwrap();
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    for _ in 0..ticks {
        layout.tick();
    }
    let mut masses = vec![1.0; graph.nodes.len()];
    for edge in &graph.edges {
        masses[edge.source as usize] += 1.0;
        masses[edge.target as usize] += 1.0;
    }
    (layout.positions().to_vec(), masses)
}

#[test]
fn nodes_all_over_are_a_mesh_of_hardly_any_error() {
    for dim in [Dim::Two, Dim::Three] {
        let (positions, masses) = fresh(dim);
        let verdict = judge(dim, &positions, &masses);
        assert_ne!(verdict.method, Method::Tree);
        assert!(verdict.error < 0.01, "{dim:?}: {verdict:?}");
        assert!(verdict.stiffness > 0.8, "{dim:?}: {verdict:?}");
    }
}

#[test]
fn a_settling_layout_is_within_one_percent() {
    let graph = graphs::preferential(NODES, 3, 4);
    for dim in [Dim::Two, Dim::Three] {
        for ticks in [5, 50, 150] {
            let (positions, masses) = laid_out(dim, &graph, Params::default(), ticks);
            let verdict = judge(dim, &positions, &masses);
            assert!(verdict.error < 0.01, "{dim:?} {ticks}: {verdict:?}");
        }
    }
}
