//! Layouts come to rest, in a picture that shows the graph, of bounded size.

use crate::graphs::{Graph, link, preferential};
use crate::{assert_sane, distance, made, settle, start};
use weft_kernels::{Dim, Params, Simulation};

#[test]
fn two_linked_nodes_rest_at_the_rest_length() {
    for dim in [Dim::Two, Dim::Three] {
        let params = Params { gravity: 0.0, ..Params::default() };
        let mut layout = Simulation::new(dim, params, 7).unwrap();
        layout.sync(&[1, 2], &[link(1, 2)]).unwrap();
        settle(&mut layout);
        let apart = distance(layout.positions()[0], layout.positions()[1]);
        let expected = 2.0 * 10.0_f32.sqrt();
        assert!((apart - expected).abs() < 0.02 * expected, "{dim:?}: {apart}");
    }
}

#[test]
fn layouts_settle_and_then_sleep() {
    for graph in [preferential(2_000, 3, 1), made::hub_and_dust(2_000, 1), made::path(300)] {
        for dim in [Dim::Two, Dim::Three] {
            let mut layout = start(dim, &graph);
            let last = settle(&mut layout);
            assert!(last.tick < 1_000, "{last:?}");
            assert!(layout.is_settled());
            assert!(layout.velocities().iter().flatten().all(|c| *c == 0.0));
            let before = crate::bits(layout.positions());
            let next = layout.tick();
            assert_eq!((next.tick, next.settled), (last.tick, true));
            assert_eq!(before, crate::bits(layout.positions()));
            assert_sane(&layout);
        }
    }
}

#[test]
fn everything_that_changes_the_outcome_wakes_a_sleeper() {
    let mut layout = start(Dim::Two, &made::path(20));
    let asleep = |layout: &mut Simulation| {
        settle(layout);
        assert!(layout.is_settled());
    };
    asleep(&mut layout);
    layout.reheat();
    assert!(!layout.is_settled());
    asleep(&mut layout);
    layout.set_params(Params { repulsion: 20.0, ..Params::default() }).unwrap();
    assert!(!layout.is_settled());
    asleep(&mut layout);
    layout.pin(3, None).unwrap();
    assert!(!layout.is_settled());
    asleep(&mut layout);
    layout.unpin(3).unwrap();
    assert!(!layout.is_settled());
    asleep(&mut layout);
    layout.drag(3, [1.0, 2.0, 0.0]).unwrap();
    assert!(!layout.is_settled());
    asleep(&mut layout);
    layout.release(3).unwrap();
    assert!(!layout.is_settled());
    asleep(&mut layout);
    let graph = made::path(21);
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    assert!(!layout.is_settled());
    asleep(&mut layout);
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    assert!(layout.is_settled(), "the same graph again changes nothing");
}

#[test]
fn bigger_repulsion_makes_a_bigger_picture() {
    let mut layout = start(Dim::Two, &preferential(500, 2, 1));
    settle(&mut layout);
    let side = |layout: &Simulation| layout.bounds().max[0] - layout.bounds().min[0];
    let before = side(&layout);
    layout.set_params(Params { repulsion: 40.0, ..Params::default() }).unwrap();
    settle(&mut layout);
    let ratio = side(&layout) / before;
    assert!((1.8..2.2).contains(&ratio), "lengths go with the square root: {ratio}");
}

#[test]
fn planted_communities_stand_apart() {
    let (count, size) = (8, 60);
    let graph = made::communities(count, size, 3);
    for dim in [Dim::Two, Dim::Three] {
        for lin_log in [false, true] {
            let mut layout = Simulation::new(dim, Params { lin_log, ..Params::default() }, 7).unwrap();
            layout.sync(&graph.nodes, &graph.edges).unwrap();
            settle(&mut layout);
            let (inside, across) = mean_distances(layout.positions(), size as usize);
            assert!(inside < 0.6 * across, "{dim:?} lin_log {lin_log}: {inside} {across}");
        }
    }
}

/// Mean distance of pairs in one community, and of pairs in two.
pub(crate) fn mean_distances(positions: &[[f32; 3]], size: usize) -> (f64, f64) {
    let (mut inside, mut across) = ((0.0, 0.0), (0.0, 0.0));
    for (a, here) in positions.iter().enumerate() {
        for (b, there) in positions.iter().enumerate().skip(a + 1) {
            let sum = if a / size == b / size { &mut inside } else { &mut across };
            sum.0 += f64::from(distance(*here, *there));
            sum.1 += 1.0;
        }
    }
    (inside.0 / inside.1, across.0 / across.1)
}

#[test]
fn loose_parts_stay_near_under_any_gravity() {
    let graph = made::hub_and_dust(3_000, 2);
    // Ordinary gravity of either kind, next to none, and none at all.
    for (gravity, strong_gravity, limit) in
        [(0.05, true, 3.0), (0.05, false, 40.0), (1e-5, true, 40.0), (0.0, false, 40.0)]
    {
        let params = Params { gravity, strong_gravity, ..Params::default() };
        let mut layout = Simulation::new(Dim::Two, params, 7).unwrap();
        layout.sync(&graph.nodes, &graph.edges).unwrap();
        settle(&mut layout);
        let mut radii: Vec<f32> = layout.positions().iter().map(|p| distance(*p, [0.0; 3])).collect();
        radii.sort_by(f32::total_cmp);
        let (median, last) = (radii[radii.len() / 2], radii[radii.len() - 1]);
        assert!(last < limit * median, "gravity {gravity} {strong_gravity}: {last} {median}");
    }
}

#[test]
fn empty_and_single_node_graphs_are_fine() {
    for dim in [Dim::Two, Dim::Three] {
        let mut layout = start(dim, &Graph { nodes: vec![], edges: vec![] });
        assert!(layout.tick().settled);
        assert!(layout.positions().is_empty());
        assert_eq!(layout.memory_per_node(), 0);
        layout.sync(&[9], &[link(9, 9)]).unwrap();
        assert!(!layout.is_settled());
        settle(&mut layout);
        assert_sane(&layout);
        layout.sync(&[], &[]).unwrap();
        assert!(layout.tick().settled);
    }
}
