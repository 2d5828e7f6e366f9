//! Whether what cannot go on says so, ends, and can be tried again.

use std::time::Duration;

use weft_proto::weft::compute::v1::{
    FrameOptions, GetLayoutRequest, LayoutState, NodePlacement, PinNodesRequest, StartLayoutRequest,
    layout_event::Event, node_placement::Node,
};

use crate::{
    graph::{GRAPH, TestGraph},
    mesh::{Eyes, Mesh, create, quick, reason},
};

/// What the last event says before the stream ends.
async fn end(eyes: &mut Eyes) -> String {
    let mut last = None;
    while let Some(event) = eyes.next().await {
        last = event.unwrap().event;
    }
    let Some(Event::Failed(failed)) = last else { panic!("the last event is the end: {last:?}") };
    assert_eq!(failed.state(), LayoutState::Failed);
    failed.failure_message
}

#[tokio::test]
async fn a_deleted_graph_takes_its_layouts_along() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_frame(|_| true).await;
    mesh.graph.delete();
    assert_eq!(end(&mut eyes).await, "the graph was deleted");
    let status = mesh.create(create("other")).await.unwrap_err();
    assert_eq!(reason(&status), (tonic::Code::NotFound, "GRAPH_NOT_FOUND".into()));
}

#[tokio::test]
async fn a_graph_that_replaced_another_has_no_layouts_of_it() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_frame(|_| true).await;
    mesh.graph.replace();
    assert_eq!(end(&mut eyes).await, "the graph was deleted");
    let anew = mesh.layout().await;
    assert_ne!(anew.uid, layout.uid);
    mesh.look(&layout.name).await.until_frame(|_| true).await;
}

#[tokio::test]
async fn the_name_of_a_left_over_layout_can_be_used() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let layout = mesh.layout().await;
    // The graph is replaced while no process follows it.
    let lifecycle = mesh.lifecycle.clone();
    lifecycle.shut_down(Duration::from_secs(20)).await;
    mesh.graph.replace();
    let mesh = mesh.restart().await;
    assert_ne!(mesh.layout().await.uid, layout.uid);
}

#[tokio::test]
async fn a_graph_that_grows_too_large_fails_its_layout_and_can_be_started_again() {
    let options = weft_compute::Options { max_nodes: 5, ..quick() };
    let mesh = Mesh::start_with(TestGraph::ring(5, 0), options).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_frame(|_| true).await;
    mesh.graph.add_node("one too many", "n0");
    let message = "the graph has more than 5 nodes, which is as many as are laid out";
    assert_eq!(end(&mut eyes).await, message);

    let get = GetLayoutRequest { name: layout.name.clone() };
    let got = mesh.client.clone().get_layout(get).await.unwrap().into_inner();
    assert_eq!((got.state(), got.failure_message.as_str()), (LayoutState::Failed, message));
    // Whoever looks only now is told too, and the stream ends.
    let mut late = mesh.look(&layout.name).await;
    assert_eq!(end(&mut late).await, message);
    let node = NodePlacement { node: Some(Node::Key("n0".into())), position: None };
    let pin = PinNodesRequest { name: layout.name.clone(), nodes: vec![node] };
    let status = mesh.client.clone().pin_nodes(pin).await.unwrap_err();
    assert_eq!(reason(&status), (tonic::Code::FailedPrecondition, "LAYOUT_FAILED".into()));
    let status = mesh.create(create("other")).await.unwrap_err();
    assert_eq!(reason(&status), (tonic::Code::ResourceExhausted, "GRAPH_TOO_LARGE".into()));

    mesh.graph.delete_node("n3");
    mesh.client.clone().start_layout(StartLayoutRequest { name: layout.name.clone() }).await.unwrap();
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_frame(|eyes| eyes.ids == [0, 1, 2, 4, 5]).await;
}

#[tokio::test]
async fn streams_are_told_to_come_again_when_the_process_ends() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_frame(|_| true).await;
    let lifecycle = mesh.lifecycle.clone();
    let (last, ()) = tokio::join!(
        async {
            loop {
                if let Err(status) = eyes.next().await.expect("an error ends it") {
                    return status;
                }
            }
        },
        lifecycle.shut_down(Duration::from_secs(20)),
    );
    assert_eq!(reason(&last), (tonic::Code::Unavailable, "DRAINING".into()));
    let status = mesh.create(create("other")).await;
    assert!(status.is_ok(), "what needs no session still works");
    let status = mesh.watch(&format!("{GRAPH}/layouts/other"), FrameOptions::default()).await.unwrap_err();
    assert_eq!(reason(&status), (tonic::Code::Unavailable, "DRAINING".into()));
}

#[tokio::test]
async fn unreadable_saved_positions_are_only_a_worse_start() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let layout = mesh.layout().await;
    mesh.look(&layout.name).await.until_state(LayoutState::Settled).await;
    mesh.lifecycle.shut_down(Duration::from_secs(20)).await;
    let key = format!("layouts/{}", layout.uid);
    mesh.objects.put(&key, "no positions at all".into()).await.unwrap();
    let mesh = mesh.restart().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_frame(|eyes| eyes.ids.len() == 4).await;
}
