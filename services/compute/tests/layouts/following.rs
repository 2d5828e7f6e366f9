//! Whether a layout follows its graph, whatever happens to the connection.

use weft_compute::frames::KEYFRAME;
use weft_proto::weft::compute::v1::LayoutState;

use crate::{
    graph::TestGraph,
    mesh::{Eyes, Mesh},
};

/// Looks until the ids are those.
async fn until_ids(eyes: &mut Eyes, ids: &[u32]) {
    eyes.until_frame(|eyes| eyes.ids == ids).await;
}

#[tokio::test]
async fn changes_of_the_graph_appear_in_the_running_layout() {
    let mesh = Mesh::start(TestGraph::ring(5, 10)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_state(LayoutState::Settled).await;
    until_ids(&mut eyes, &[10, 11, 12, 13, 14]).await;
    let before = eyes.place(12).unwrap();

    let ordinal = mesh.graph.add_node("new", "n2");
    until_ids(&mut eyes, &[10, 11, 12, 13, 14, ordinal]).await;
    let header = eyes.frame.as_ref().unwrap().header;
    assert!(header.has(KEYFRAME));
    assert_eq!(header.revision, mesh.graph.revision());
    let [x, y] = eyes.place(12).unwrap();
    assert!((x - before[0]).hypot(y - before[1]) < 50.0, "those that were there stay near where they were");

    mesh.graph.delete_node("n1");
    until_ids(&mut eyes, &[10, 12, 13, 14, ordinal]).await;
    eyes.until_state(LayoutState::Settled).await;
    assert_eq!((eyes.layout.node_count, eyes.layout.edge_count), (5, 4));
    assert_eq!(eyes.layout.graph_revision, 3);
}

#[tokio::test]
async fn a_dropped_connection_loses_nothing() {
    let mesh = Mesh::start(TestGraph::ring(3, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    until_ids(&mut eyes, &[0, 1, 2]).await;
    for round in 0..4 {
        mesh.graph.cut();
        mesh.graph.add_node(&format!("new{round}"), "n0");
    }
    until_ids(&mut eyes, &[0, 1, 2, 3, 4, 5, 6]).await;
    assert_eq!(mesh.graph.snapshots(), 1, "it resumed");
}

#[tokio::test]
async fn a_journal_that_does_not_reach_back_means_a_new_snapshot() {
    let mesh = Mesh::start(TestGraph::ring(3, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    until_ids(&mut eyes, &[0, 1, 2]).await;
    mesh.graph.set_away(true);
    mesh.graph.add_node("new", "n0");
    mesh.graph.delete_node("n2");
    mesh.graph.compact();
    mesh.graph.set_away(false);
    until_ids(&mut eyes, &[0, 1, 3]).await;
    assert_eq!(mesh.graph.snapshots(), 2);
}

#[tokio::test]
async fn a_graph_service_that_is_away_is_waited_for() {
    let mesh = Mesh::start(TestGraph::ring(3, 0)).await;
    let layout = mesh.layout().await;
    mesh.graph.set_away(true);
    let mesh = mesh.restart().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.next().await.unwrap().unwrap();
    assert_eq!(eyes.layout.state(), LayoutState::Loading);
    mesh.graph.set_away(false);
    until_ids(&mut eyes, &[0, 1, 2]).await;
}

#[tokio::test]
async fn an_empty_graph_is_laid_out_until_there_is_something() {
    let graph = TestGraph::ring(1, 0);
    graph.delete_node("n0");
    let mesh = Mesh::start(graph).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    until_ids(&mut eyes, &[]).await;
    eyes.until_state(LayoutState::Settled).await;
}
