//! The push against its definition, the sum over all pairs in double precision, in every shape
//! that a layout can have.

use super::*;
use crate::graphs::{self, Random};
use crate::{Bounds, Edge, Params, Point, Simulation, random};

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
    push.sum(&bodies, Accuracy { theta: 1.0, softening: SOFTENING }, None);

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

#[test]
fn a_settled_layout_is_within_half_a_percent_and_one() {
    let graph = graphs::preferential(NODES, 3, 4);
    for (dim, most) in [(Dim::Two, 0.005), (Dim::Three, 0.01)] {
        for strong_gravity in [true, false] {
            let params = Params { strong_gravity, cooling: 0.0, ..Params::default() };
            let (positions, masses) = laid_out(dim, &graph, params, 400);
            let verdict = judge(dim, &positions, &masses);
            assert!(verdict.error < most, "{dim:?} {strong_gravity}: {verdict:?}");
        }
    }
}

/// A dense heap, and as many nodes a hundred times as far out.
#[test]
fn an_exploded_layout_is_within_two_percent() {
    for dim in [Dim::Two, Dim::Three] {
        let (mut positions, masses) = fresh(dim);
        for position in positions.iter_mut().step_by(2) {
            *position = position.map(|c| c * 100.0);
        }
        let verdict = judge(dim, &positions, &masses);
        assert!(verdict.error < 0.02, "{dim:?}: {verdict:?}");
    }
}

#[test]
fn nodes_in_one_point_do_not_push_each_other_and_those_about_one_do() {
    for dim in [Dim::Two, Dim::Three] {
        let (positions, masses) = fresh(dim);
        let one = vec![[3.0, -4.0, 0.0]; 100_000];
        let mut push = Push::default();
        let masses_of_one = vec![1.0; one.len()];
        let bodies = Bodies { dim, bounds: Bounds::of(&one), positions: &one, masses: &masses_of_one };
        push.sum(&bodies, Accuracy { theta: 1.0, softening: SOFTENING }, None);
        assert!(push.fields().iter().all(|field| field.push.iter().all(|c| c.abs() < 1e-3)), "{dim:?}");
        let mut all = vec![true; one.len()];
        push.for_each_coincident(|node| all[node] = false);
        assert_eq!(all.iter().filter(|first| **first).count(), 1, "all but one are told to part");

        // All within ten softening lengths.
        let heap: Vec<Point> = positions.iter().map(|p| p.map(|c| c * 0.001)).collect();
        let verdict = judge(dim, &heap, &masses);
        assert!(verdict.error < 0.02, "{dim:?}: {verdict:?}");
    }
}

#[test]
fn dust_without_an_edge_is_within_one_percent() {
    let dust = graphs::Graph { nodes: (0..NODES).collect(), edges: Vec::new() };
    for dim in [Dim::Two, Dim::Three] {
        for (gravity, ticks) in [(0.0, 50), (0.05, 150)] {
            let params = Params { gravity, strong_gravity: false, cooling: 0.0, ..Params::default() };
            let (positions, masses) = laid_out(dim, &dust, params, ticks);
            let verdict = judge(dim, &positions, &masses);
            assert!(verdict.error < 0.01, "{dim:?} {gravity}: {verdict:?}");
        }
    }
}

/// Half of all mass in one node, and then in two.
#[test]
fn a_star_is_within_two_percent() {
    let mut edges: Vec<Edge> = (1..NODES).map(|leaf| Edge { source: 0, target: leaf, weight: 1.0 }).collect();
    for hubs in 1..=2 {
        let star = graphs::Graph { nodes: (0..NODES).collect(), edges: edges.clone() };
        for dim in [Dim::Two, Dim::Three] {
            for ticks in [5, 150] {
                let (positions, masses) = laid_out(dim, &star, Params::default(), ticks);
                let verdict = judge(dim, &positions, &masses);
                assert_ne!(verdict.method, Method::Tree, "{dim:?} {ticks}");
                assert!(verdict.error < 0.02, "{dim:?} {hubs} {ticks}: {verdict:?}");
            }
        }
        edges.iter_mut().step_by(2).for_each(|edge| edge.source = NODES / 500 * 40);
    }
}

/// Bodies that move a little at a time, as in a layout that comes to rest: what was far is taken over, and
/// the push stays near the exact one; when they move far, or one heavy one does, it is not.
#[test]
fn what_is_far_is_taken_over_while_the_error_allows() {
    let graph = graphs::preferential(NODES, 3, 4);
    for (dim, most) in [(Dim::Two, 0.005), (Dim::Three, 0.01)] {
        let (mut positions, masses) = laid_out(dim, &graph, Params::default(), 150);
        let mass = masses.iter().sum();
        let reach = Bounds::of(&positions).side() / 100.0;
        let accuracy = Accuracy { theta: 1.0, softening: SOFTENING };
        let mut push = Push::default();
        let mut taken_over = 0;
        for tick in 0..12_u32 {
            let step = reach * if tick < 8 { 0.01 } else { 1.0 };
            let mut moment = 0.0_f32;
            for (node, position) in positions.iter_mut().enumerate() {
                // In a few directions, so that the movements do not cancel; heavy nodes less far.
                let way = random::direction(dim, u64::from(tick), node as u32 % 7);
                let far = step / masses[node].max(10.0) * 10.0;
                for axis in 0..3 {
                    position[axis] += way[axis] * far;
                }
                moment = moment.max(far * masses[node]);
            }
            let bodies =
                Bodies { dim, bounds: Bounds::of(&positions), positions: &positions, masses: &masses };
            let drift = Drift { mean: step, longest: step, moment, mass };
            push.sum(&bodies, accuracy, (tick > 0).then_some(drift));
            let reused = push.reused();
            assert!(tick < 8 || !reused, "{dim:?} {tick}");
            taken_over += u32::from(reused);
            let error = push.error(&bodies, accuracy, 300);
            assert!(error < most, "{dim:?} {tick} {reused}: {error}");
        }
        assert!(taken_over >= 4, "{dim:?}: {taken_over}");
    }
}
