//! A graph that changes moves only what must move.

use crate::graphs::{Graph, link, preferential};
use crate::{bits, distance, made, settle, start};
use weft_kernels::{Dim, Error};

/// The graph without the nodes from `first` on.
fn cut(graph: &Graph, first: u32) -> Graph {
    Graph {
        nodes: graph.nodes.iter().copied().filter(|node| *node < first).collect(),
        edges: graph.edges.iter().copied().filter(|e| e.source < first && e.target < first).collect(),
    }
}

#[test]
fn one_percent_more_nodes_hardly_move_the_rest() {
    let graphs = [preferential(3_000, 3, 1), made::communities(10, 300, 2), made::hub_and_dust(3_000, 3)];
    for graph in graphs {
        for dim in [Dim::Two, Dim::Three] {
            let mut layout = start(dim, &cut(&graph, 2_970));
            settle(&mut layout);
            let before = layout.positions().to_vec();
            let bounds = layout.bounds();
            let report = layout.sync(&graph.nodes, &graph.edges).unwrap();
            assert_eq!((report.kept, report.added, report.removed), (2_970, 30, 0));
            settle(&mut layout);

            let mut moved: Vec<f32> =
                before.iter().zip(layout.positions()).map(|(a, b)| distance(*a, *b)).collect();
            moved.sort_by(f32::total_cmp);
            let share = moved[moved.len() / 2] / distance(bounds.min, bounds.max);
            assert!(share < 0.02, "{dim:?}: {share}");
        }
    }
}

#[test]
fn a_newcomer_starts_beside_its_neighbour() {
    let graph = preferential(1_000, 2, 1);
    let mut layout = start(Dim::Two, &graph);
    settle(&mut layout);
    let mut grown = graph;
    grown.nodes.extend([5_000, 5_001]);
    // A chain: the second newcomer's only neighbour is a newcomer too.
    grown.edges.extend([link(700, 5_000), link(5_000, 5_001)]);
    layout.sync(&grown.nodes, &grown.edges).unwrap();
    let [anchor, first, second] = [700, 1_000, 1_001].map(|slot| layout.positions()[slot]);
    assert!(distance(anchor, first) < 10.0);
    assert!(distance(first, second) < 10.0);
}

#[test]
fn a_loose_newcomer_starts_at_the_rim() {
    let graph = preferential(1_000, 2, 1);
    let mut layout = start(Dim::Two, &graph);
    settle(&mut layout);
    let mut grown = graph;
    grown.nodes.push(5_000);
    layout.sync(&grown.nodes, &grown.edges).unwrap();
    let radius = |slot: usize| distance(layout.positions()[slot], [0.0; 3]);
    let beyond = (0..1_000).filter(|slot| radius(*slot) < radius(1_000)).count();
    assert!(beyond > 800, "further out than {beyond} of 1000");
}

#[test]
fn those_who_stay_keep_place_way_and_pin() {
    let graph = preferential(400, 2, 1);
    let mut layout = start(Dim::Two, &graph);
    layout.pin(30, Some([9.0, 9.0, 0.0])).unwrap();
    for _ in 0..30 {
        layout.tick();
    }
    let (positions, velocities) = (layout.positions().to_vec(), layout.velocities().to_vec());
    // All but every third node, and some new ones between them.
    let nodes: Vec<u32> = (0..600).filter(|node| node % 3 != 1).collect();
    let report = layout.sync(&nodes, &[link(0, 2)]).unwrap();
    assert_eq!((report.kept, report.added, report.removed, report.edges), (267, 133, 133, 1));
    for (slot, id) in nodes.iter().map(|id| *id as usize).enumerate().filter(|(_, id)| *id < 400) {
        assert_eq!(bits(&positions[id..=id]), bits(&layout.positions()[slot..=slot]));
        assert_eq!(bits(&velocities[id..=id]), bits(&layout.velocities()[slot..=slot]));
    }
    assert_eq!(layout.is_pinned(30), Ok(true));
}

#[test]
fn a_refused_sync_changes_nothing() {
    let mut layout = start(Dim::Two, &preferential(50, 2, 1));
    let before = bits(layout.positions());
    assert_eq!(layout.sync(&[1, 2], &[link(1, 3)]), Err(Error::UnknownEndpoint { index: 0, id: 3 }));
    assert_eq!(layout.sync(&[2, 1], &[]), Err(Error::NodeOrder { index: 1 }));
    assert_eq!(before, bits(layout.positions()));
    assert_eq!(layout.ids().len(), 50);
}

#[test]
fn nodes_missing_from_a_snapshot_join_their_restored_neighbours() {
    let mut layout = start(Dim::Two, &made::path(3));
    let restored = layout.restore(&[(0, [500.0, 500.0, 0.0]), (77, [0.0; 3])]);
    assert_eq!(restored, Ok(1));
    assert!(distance(layout.positions()[1], [500.0, 500.0, 0.0]) < 10.0);
    assert!(distance(layout.positions()[2], layout.positions()[1]) < 10.0);
}
