//! Whatever goes in, nothing that is not finite comes out.

use std::time::Instant;

use proptest::prelude::*;
use weft_kernels::{Dim, Edge, Model, Params, Simulation, WORLD_LIMIT};

use crate::graphs::link;
use crate::{assert_sane, distance, made, settle, start};

fn dim() -> impl Strategy<Value = Dim> {
    prop_oneof![Just(Dim::Two), Just(Dim::Three)]
}

fn model() -> impl Strategy<Value = Model> {
    prop_oneof![Just(Model::ForceAtlas2), Just(Model::FruchtermanReingold), Just(Model::D3)]
}

/// Valid parameters, mostly at the ends of their ranges.
fn params() -> impl Strategy<Value = Params> {
    let end = |min: f32, max: f32| prop_oneof![Just(min), Just(max), min..=max];
    (
        (end(1e-3, 1e3), end(0.0, 1e3), end(0.0, 100.0), any::<bool>(), any::<bool>(), model()),
        (end(0.3, 1.5), end(0.02, 1.0), end(0.01, 1.5), end(1e-4, 1.0), end(0.0, 0.5)),
    )
        .prop_map(|(forces, motion)| Params {
            repulsion: forces.0,
            attraction: forces.1,
            gravity: forces.2,
            strong_gravity: forces.3,
            lin_log: forces.4,
            model: forces.5,
            theta: motion.0,
            damping: motion.1,
            step: motion.2,
            max_speed: motion.3,
            cooling: motion.4,
            ..Params::default()
        })
}

fn edges() -> impl Strategy<Value = Vec<Edge>> {
    let weight = prop_oneof![Just(0.0_f32), Just(f32::MAX), Just(f32::MIN_POSITIVE), Just(1.0), 0.0..1e3_f32];
    prop::collection::vec((0..60_u32, 0..60_u32, weight), 0..150).prop_map(|list| {
        list.into_iter().map(|(source, target, weight)| Edge { source, target, weight }).collect()
    })
}

/// Places of which many are the same, or at the end of the world.
fn places() -> impl Strategy<Value = Vec<(u32, [f32; 3])>> {
    let coordinate =
        prop_oneof![Just(0.0), Just(1e-30), Just(WORLD_LIMIT), Just(-WORLD_LIMIT), -100.0..100.0_f32];
    prop::collection::vec((0..60_u32, prop::array::uniform3(coordinate)), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn nothing_infinite_leaves(
        dim in dim(), params in params(), next_params in params(),
        edges in edges(), places in places(), hand in 0..60_u32,
    ) {
        let nodes: Vec<u32> = (0..60).collect();
        let mut layout = Simulation::new(dim, params, 1).unwrap();
        layout.sync(&nodes, &edges).unwrap();
        layout.restore(&places).unwrap();
        layout.drag(hand, [WORLD_LIMIT, -WORLD_LIMIT, WORLD_LIMIT]).unwrap();
        for _ in 0..20 {
            let report = layout.tick();
            prop_assert!(report.mean_displacement.is_finite() && report.max_displacement.is_finite());
            assert_sane(&layout);
        }
        layout.set_params(next_params).unwrap();
        layout.sync(&nodes[..40], &[]).unwrap();
        layout.reheat();
        for _ in 0..20 {
            layout.tick();
            assert_sane(&layout);
        }
    }
}

#[test]
fn a_pile_of_nodes_in_one_place_comes_apart_in_bounded_time() {
    for dim in [Dim::Two, Dim::Three] {
        for place in [[0.0; 3], [9.9e6, 1.0, 0.0]] {
            let nodes: Vec<u32> = (0..30_000).collect();
            let mut layout = Simulation::new(dim, Params::default(), 1).unwrap();
            layout.sync(&nodes, &[]).unwrap();
            let pile: Vec<_> = nodes.iter().map(|id| (*id, place)).collect();
            layout.restore(&pile).unwrap();
            layout.reheat();
            let start = Instant::now();
            for _ in 0..120 {
                layout.tick();
            }
            let elapsed = start.elapsed();
            assert_sane(&layout);
            let mut places: Vec<_> = layout.positions().iter().map(|p| p.map(f32::to_bits)).collect();
            places.sort_unstable();
            places.dedup();
            assert!(places.len() > 29_000, "{dim:?}: {}", places.len());
            // Generous: what must not happen is all pairs, ten times as much.
            assert!(elapsed.as_secs() < 30, "{dim:?}: {elapsed:?}");
        }
    }
}

#[test]
fn one_node_dragged_to_the_end_of_the_world_does_not_flatten_the_rest() {
    for dim in [Dim::Two, Dim::Three] {
        let mut layout = start(dim, &made::hub_and_dust(3_000, 1));
        settle(&mut layout);
        layout.drag(2_999, [WORLD_LIMIT, 0.0, 0.0]).unwrap();
        for _ in 0..50 {
            layout.tick();
        }
        assert_sane(&layout);
        let apart = distance(layout.positions()[10], layout.positions()[11]);
        assert!(apart > 0.1, "{dim:?}: {apart}");
        layout.release(2_999).unwrap();
        settle(&mut layout);
        let back = distance(layout.positions()[2_999], [0.0; 3]);
        assert!(back < 1e4, "{dim:?}: {back}");
    }
}

#[test]
fn a_hub_of_a_third_of_all_nodes_neither_shakes_nor_explodes() {
    let graph = made::hub_and_dust(5_000, 4);
    let mut layout = start(Dim::Two, &graph);
    settle(&mut layout);
    assert_sane(&layout);
    // The hub lies among its own, not at the rim.
    let bounds = layout.bounds();
    let hub = distance(layout.positions()[0], [0.0; 3]);
    assert!(hub < 0.25 * (bounds.max[0] - bounds.min[0]), "{hub} in {bounds:?}");
}

#[test]
fn weights_beyond_reason_are_tamed() {
    let mut layout = Simulation::new(Dim::Two, Params::default(), 1).unwrap();
    let mut edges = vec![Edge { weight: f32::MAX, ..link(0, 1) }; 5];
    edges.push(link(1, 2));
    layout.sync(&[0, 1, 2], &edges).unwrap();
    settle(&mut layout);
    assert_sane(&layout);
    let [near, far] = [1, 2].map(|slot| distance(layout.positions()[0], layout.positions()[slot]));
    assert!(near < far, "{near} {far}");
}
