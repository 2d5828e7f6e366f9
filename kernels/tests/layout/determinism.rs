//! The same calls give the same bits.

use crate::graphs::preferential;
use crate::{assert_same_on_all_threads, bits, made, on_threads, start};
use weft_kernels::{Dim, Simulation};

/// A run with a little of everything.
fn story(dim: Dim) -> Vec<[u32; 3]> {
    // Large enough for several subtrees and chunks.
    let graph = preferential(12_000, 3, 9);
    let mut layout = start(dim, &graph);
    for _ in 0..15 {
        layout.tick();
    }
    layout.drag(17, [100.0, -40.0, 3.0]).unwrap();
    let dust = made::hub_and_dust(12_500, 3);
    layout.tick();
    layout.sync(&dust.nodes, &dust.edges).unwrap();
    layout.release(17).unwrap();
    let mut sums = Vec::new();
    for _ in 0..15 {
        let report = layout.tick();
        sums.push([report.mean_displacement.to_bits(), report.max_displacement.to_bits(), 0]);
    }
    sums.extend(bits(layout.positions()));
    sums.extend(bits(layout.velocities()));
    sums
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    assert_same_on_all_threads(story);
}

#[test]
fn a_second_run_repeats_the_first() {
    let run = || on_threads(2, || story(Dim::Three));
    assert!(run() == run());
}

#[test]
fn the_order_of_the_edges_does_not_matter() {
    let mut graph = preferential(1_000, 3, 9);
    let run = |mut layout: Simulation| {
        for _ in 0..20 {
            layout.tick();
        }
        bits(layout.positions())
    };
    let forward = run(start(Dim::Two, &graph));
    graph.edges.reverse();
    for edge in &mut graph.edges {
        std::mem::swap(&mut edge.source, &mut edge.target);
    }
    assert!(forward == run(start(Dim::Two, &graph)));
}

#[test]
fn restored_positions_are_taken_bit_for_bit() {
    let graph = preferential(500, 3, 9);
    let mut first = start(Dim::Three, &graph);
    for _ in 0..50 {
        first.tick();
    }
    let saved: Vec<_> = first.ids().iter().copied().zip(first.positions().iter().copied()).collect();
    let mut ends = (0..2).map(|_| {
        let mut again = start(Dim::Three, &graph);
        assert_eq!(again.restore(&saved), Ok(500));
        assert_eq!(bits(again.positions()), bits(first.positions()));
        for _ in 0..20 {
            again.tick();
        }
        bits(again.positions())
    });
    assert!(ends.next() == ends.next());
}
