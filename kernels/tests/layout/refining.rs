//! Layouts that are refined: neighbours gather, and all other promises hold.

use weft_kernels::analytics::Network;
use weft_kernels::quality::{Quality, Sampling, Yardstick};
use weft_kernels::{Constraint, Dim, Params, Phase, Region, Rule, Simulation};

use crate::graphs::{Graph, link, preferential};
use crate::{assert_same_on_all_threads, assert_sane, bits, distance, made, settle};

const REFINED: fn() -> Params = || Params { refine: true, ..Params::default() };

fn start(dim: Dim, graph: &Graph) -> Simulation {
    let mut layout = Simulation::new(dim, REFINED(), 7).unwrap();
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    layout
}

fn quality(dim: Dim, graph: &Graph, params: Params) -> Quality {
    let network = Network::new(&graph.nodes, &graph.edges).unwrap();
    let mut layout = Simulation::new(dim, params, 7).unwrap();
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    settle(&mut layout);
    assert_sane(&layout);
    Yardstick::new(&network, &Sampling::default()).measure(dim, layout.positions()).unwrap()
}

#[test]
fn neighbours_gather_and_the_shape_of_the_whole_is_kept() {
    let graph = made::communities(50, 60, 3);
    for dim in [Dim::Two, Dim::Three] {
        let (plain, refined) = (quality(dim, &graph, Params::default()), quality(dim, &graph, REFINED()));
        let gain = refined.neighbourhood_preservation / plain.neighbourhood_preservation;
        assert!(gain > 1.1, "{dim:?}: {plain:?} {refined:?}");
        assert!(refined.stress < 1.02 * plain.stress, "{dim:?}: {plain:?} {refined:?}");
    }
}

#[test]
fn first_comes_the_shape_and_then_the_neighbours() {
    let graph = made::communities(10, 60, 3);
    let mut layout = start(Dim::Two, &graph);
    let mut phases = vec![layout.tick().phase];
    while !layout.is_settled() {
        phases.push(layout.tick().phase);
    }
    let shaping = phases.iter().take_while(|phase| **phase != Phase::Refining).count();
    assert!(shaping >= 10 && shaping < phases.len(), "{shaping} of {}", phases.len());
    assert!(phases[shaping..].iter().all(|phase| *phase == Phase::Refining));
    // A hand on a node does not undo it, another shape does.
    layout.pin(5, None).unwrap();
    assert_eq!(layout.tick().phase, Phase::Refining);
    layout.set_params(Params { repulsion: 20.0, ..REFINED() }).unwrap();
    assert_eq!(layout.tick().phase, Phase::Shaping);
    settle(&mut layout);
    layout.set_params(Params::default()).unwrap();
    while !layout.is_settled() {
        assert_eq!(layout.tick().phase, Phase::Shaping);
    }
}

#[test]
fn one_percent_more_nodes_hardly_move_the_rest() {
    let graphs = [preferential(3_000, 3, 1), made::communities(10, 300, 2), made::hub_and_dust(3_000, 3)];
    for graph in graphs {
        let before_growth = Graph {
            nodes: (0..2_970).collect(),
            edges: graph.edges.iter().copied().filter(|e| e.source < 2_970 && e.target < 2_970).collect(),
        };
        for dim in [Dim::Two, Dim::Three] {
            let mut layout = start(dim, &before_growth);
            settle(&mut layout);
            let before = layout.positions().to_vec();
            let bounds = layout.bounds();
            layout.sync(&graph.nodes, &graph.edges).unwrap();
            assert_eq!(layout.tick().phase, Phase::Refining);
            settle(&mut layout);
            let mut moved: Vec<f32> =
                before.iter().zip(layout.positions()).map(|(a, b)| distance(*a, *b)).collect();
            moved.sort_by(f32::total_cmp);
            let share = moved[moved.len() / 2] / distance(bounds.min, bounds.max);
            assert!(share < 0.02, "{dim:?}: {share}");
        }
    }
}

/// A run that changes while it is refined.
fn story(dim: Dim) -> Vec<[u32; 3]> {
    let graph = preferential(9_000, 3, 9);
    let mut layout = start(dim, &graph);
    while layout.tick().phase != Phase::Refining {}
    layout.drag(17, [100.0, -40.0, 3.0]).unwrap();
    layout.tick();
    let grown = preferential(9_100, 3, 9);
    layout.sync(&grown.nodes, &grown.edges).unwrap();
    layout.release(17).unwrap();
    for _ in 0..20 {
        layout.tick();
    }
    [bits(layout.positions()), bits(layout.velocities())].concat()
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    assert_same_on_all_threads(story);
}

#[test]
fn pins_and_constraints_hold_and_who_was_left_far_outside_comes_home() {
    let graph = made::communities(10, 60, 3);
    let mut layout = start(Dim::Two, &graph);
    layout.pin(3, Some([50.0, 60.0, 0.0])).unwrap();
    let region = Region::Ball { center: [0.0; 3], radius: 300.0 };
    let fence = Constraint { strength: 1.0, rule: Rule::Boundary { nodes: None, region } };
    settle(&mut layout);
    layout.drag(9, [9e6, -9e6, 0.0]).unwrap();
    layout.tick();
    assert_sane(&layout);
    layout.release(9).unwrap();
    settle(&mut layout);
    assert_sane(&layout);
    assert!(distance(layout.positions()[9], [0.0; 3]) < 5_000.0, "{:?}", layout.positions()[9]);
    layout.set_constraints(vec![fence]).unwrap();
    settle(&mut layout);
    assert!(layout.positions().iter().all(|place| distance(*place, [0.0; 3]) < 300.1));
    assert_eq!(bits(&layout.positions()[3..4]), bits(&[[50.0, 60.0, 0.0]]));
}

#[test]
fn hard_graphs_stay_sane() {
    let lone = Graph { nodes: vec![4], edges: vec![link(4, 4)] };
    let dust = Graph { nodes: (0..500).collect(), edges: Vec::new() };
    let star = Graph { nodes: (0..500).collect(), edges: (1..500).map(|leaf| link(0, leaf)).collect() };
    let uneven = made::uneven_path(40);
    for graph in [lone, dust, star, uneven, made::hub_and_dust(2_000, 1), made::path(300)] {
        for dim in [Dim::Two, Dim::Three] {
            let mut layout = start(dim, &graph);
            settle(&mut layout);
            assert_sane(&layout);
            // All in one place, in the middle of being refined.
            let heap: Vec<_> = graph.nodes.iter().map(|id| (*id, [7.0, 8.0, 9.0])).collect();
            layout.restore(&heap).unwrap();
            assert_eq!(layout.tick().phase, Phase::Refining);
            settle(&mut layout);
            assert_sane(&layout);
            let mut places = bits(layout.positions());
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), graph.nodes.len(), "{dim:?}: nodes left in one place");
            layout.sync(&[], &[]).unwrap();
            assert!(layout.tick().settled);
        }
    }
}
