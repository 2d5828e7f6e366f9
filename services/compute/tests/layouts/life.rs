//! Whether layouts begin, rest, wake, change, restart and end as they should.

use weft_proto::weft::compute::v1::{
    DeleteLayoutRequest, FrameOptions, GetLayoutRequest, Layout, LayoutParameters, LayoutState,
    ListLayoutsRequest, NodePlacement, PinNodesRequest, Point, ReheatLayoutRequest, StartLayoutRequest,
    StopLayoutRequest, UnpinNodesRequest, UpdateLayoutRequest, layout_event::Event, node_placement::Node,
};

use crate::{
    graph::{GRAPH, TestGraph},
    mesh::{Mesh, create, quick, reason, soon},
};

fn pin(name: &str, key: &str, place: Option<[f32; 2]>) -> PinNodesRequest {
    let position = place.map(|[x, y]| Point { x, y, z: 0.0 });
    let node = NodePlacement { node: Some(Node::Key(key.into())), position };
    PinNodesRequest { name: name.into(), nodes: vec![node] }
}

fn update(layout: &Layout, parameters: LayoutParameters) -> UpdateLayoutRequest {
    let layout = Layout {
        name: layout.name.clone(),
        etag: layout.etag.clone(),
        parameters: Some(parameters),
        ..Layout::default()
    };
    UpdateLayoutRequest { layout: Some(layout), update_mask: None }
}

#[tokio::test]
async fn other_parameters_wake_a_settled_layout() {
    let mesh = Mesh::start(TestGraph::ring(10, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_state(LayoutState::Settled).await;
    let ticks = eyes.layout.tick;
    let width = |eyes: &crate::mesh::Eyes| {
        let (min, max) = eyes.frame.as_ref().unwrap().header.bounds;
        max[0] - min[0]
    };
    let before = width(&eyes);

    let stronger = LayoutParameters { repulsion: Some(500.0), ..LayoutParameters::default() };
    let request = update(&layout, stronger);
    let updated = mesh.client.clone().update_layout(request.clone()).await.unwrap().into_inner();
    assert_eq!(updated.parameters.unwrap().repulsion, Some(500.0));
    assert_ne!(updated.etag, layout.etag);
    eyes.until_state(LayoutState::Running).await;
    assert_eq!(eyes.layout.etag, updated.etag);
    eyes.until_state(LayoutState::Settled).await;
    assert!(eyes.layout.tick > ticks);
    eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == eyes.layout.tick).await;
    assert!(width(&eyes) > before * 1.5, "stronger repulsion makes more room");

    let status = mesh.client.clone().update_layout(request).await.unwrap_err();
    assert_eq!(reason(&status), (tonic::Code::Aborted, "ETAG_MISMATCH".into()));
}

#[tokio::test]
async fn stop_keeps_positions_and_start_goes_on() {
    let mesh = Mesh::start(TestGraph::ring(10, 0)).await;
    let layout = mesh.layout().await;
    let name = layout.name.clone();
    let mut eyes = mesh.look(&name).await;
    eyes.until_state(LayoutState::Running).await;
    let stopped = mesh.client.clone().stop_layout(StopLayoutRequest { name: name.clone() }).await.unwrap();
    assert_eq!(stopped.into_inner().state(), LayoutState::Stopped);
    eyes.until_state(LayoutState::Stopped).await;
    let ticks = eyes.layout.tick;

    // Pins move nodes of a stopped layout, and nothing else.
    mesh.client.clone().pin_nodes(pin(&name, "n3", Some([7.0, 8.0]))).await.unwrap();
    eyes.until_frame(|eyes| eyes.place(3) == Some([7.0, 8.0])).await;
    assert_eq!(eyes.frame.as_ref().unwrap().header.tick, ticks);

    let mesh = mesh.restart().await;
    let mut again = mesh.look(&name).await;
    again.until_frame(|_| true).await;
    again.until_state(LayoutState::Stopped).await;
    assert_eq!(again.frame.unwrap().positions, eyes.frame.unwrap().positions, "also across a restart");

    let started = mesh.client.clone().start_layout(StartLayoutRequest { name: name.clone() }).await.unwrap();
    assert_eq!(started.into_inner().state(), LayoutState::Running);
    let mut eyes = mesh.look(&name).await;
    eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick > ticks).await;
}

#[tokio::test]
async fn a_restart_continues_where_it_was() {
    let mesh = Mesh::start(TestGraph::ring(25, 0)).await;
    let layout = mesh.layout().await;
    mesh.client.clone().pin_nodes(pin(&layout.name, "n7", Some([50.0, 60.0]))).await.unwrap();
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_state(LayoutState::Settled).await;
    eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == eyes.layout.tick).await;
    let before = eyes.frame.unwrap();

    let mesh = mesh.restart().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_frame(|_| true).await;
    eyes.until_state(LayoutState::Settled).await;
    let after = eyes.frame.as_ref().unwrap();
    assert_eq!(after.positions, before.positions);
    assert_eq!(after.header.tick, before.header.tick, "it rests as before");
    assert_eq!(eyes.layout.uid, layout.uid);
    assert_eq!(eyes.place(7), Some([50.0, 60.0]));
    let all = UnpinNodesRequest { name: layout.name, nodes: vec![] };
    let unpinned = mesh.client.clone().unpin_nodes(all).await.unwrap().into_inner();
    assert_eq!(unpinned.pinned_count, 0);
    eyes.until_frame(|eyes| eyes.place(7) != Some([50.0, 60.0])).await;
}

#[tokio::test]
async fn reheating_wakes_and_may_place_anew() {
    let mesh = Mesh::start(TestGraph::ring(10, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_state(LayoutState::Settled).await;
    let ticks = eyes.layout.tick;
    let request = ReheatLayoutRequest {
        name: layout.name.clone(),
        reset_positions: true,
        request_id: "7d7f5cc4-2a4c-4b39-9e4b-3f0f6d2f1a11".into(),
    };
    let first = mesh.client.clone().reheat_layout(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.state(), LayoutState::Running);
    eyes.until_state(LayoutState::Running).await;
    eyes.until_state(LayoutState::Settled).await;
    let settled = eyes.layout.tick;
    assert!(settled > ticks);

    let again = mesh.client.clone().reheat_layout(request.clone()).await.unwrap().into_inner();
    assert_eq!(again, first, "a repeat gets the first answer");
    let get = GetLayoutRequest { name: layout.name };
    let now = mesh.client.clone().get_layout(get).await.unwrap().into_inner();
    assert_eq!((now.state(), now.tick), (LayoutState::Settled, settled), "and heats nothing");
    let other = ReheatLayoutRequest { reset_positions: false, ..request };
    let status = mesh.client.clone().reheat_layout(other).await.unwrap_err();
    assert_eq!(reason(&status), (tonic::Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
}

#[tokio::test]
async fn creating_twice_with_one_id_creates_once() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let mut request = create("");
    request.request_id = "7d7f5cc4-2a4c-4b39-9e4b-3f0f6d2f1a12".into();
    let first = mesh.create(request.clone()).await.unwrap();
    let second = mesh.create(request).await.unwrap();
    assert_eq!(first, second);
    let list = ListLayoutsRequest { parent: GRAPH.into(), ..ListLayoutsRequest::default() };
    let listed = mesh.client.clone().list_layouts(list).await.unwrap().into_inner().layouts;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].uid, first.uid);
}

#[tokio::test]
async fn lists_go_on_page_by_page() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    for id in ["c", "a", "d", "b", "e"] {
        mesh.create(create(id)).await.unwrap();
    }
    for parent in [GRAPH, "projects/p/graphs/-"] {
        let mut request = ListLayoutsRequest { parent: parent.into(), page_size: 2, ..Default::default() };
        let mut names = Vec::new();
        loop {
            let page = mesh.client.clone().list_layouts(request.clone()).await.unwrap().into_inner();
            names.extend(page.layouts.into_iter().map(|layout| layout.name));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(names, ["a", "b", "c", "d", "e"].map(|id| format!("{GRAPH}/layouts/{id}")));
        request.page_token = "bm90IGEgdG9rZW4".into();
        let status = mesh.client.clone().list_layouts(request).await.unwrap_err();
        assert_eq!(status.message(), "page_token: is not one that this list gave");
    }
}

#[tokio::test]
async fn deleting_ends_streams_and_forgets_positions() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_state(LayoutState::Settled).await;
    let wrong = DeleteLayoutRequest { name: layout.name.clone(), etag: "9-00000000".into() };
    let status = mesh.client.clone().delete_layout(wrong).await.unwrap_err();
    assert_eq!(reason(&status), (tonic::Code::Aborted, "ETAG_MISMATCH".into()));

    let request = DeleteLayoutRequest { name: layout.name.clone(), etag: layout.etag.clone() };
    mesh.client.clone().delete_layout(request.clone()).await.unwrap();
    let mut last = None;
    while let Some(event) = eyes.next().await {
        last = event.unwrap().event;
    }
    let Some(Event::Failed(failed)) = last else { panic!("the last event is the end: {last:?}") };
    assert_eq!(failed.failure_message, "the layout was deleted");
    let status = mesh.client.clone().delete_layout(request).await.unwrap_err();
    assert_eq!(reason(&status), (tonic::Code::NotFound, "LAYOUT_NOT_FOUND".into()));
    let anew = mesh.layout().await;
    assert_ne!((anew.uid, anew.etag), (layout.uid, layout.etag));
    let mut eyes = mesh.look(&layout.name).await;
    assert!(eyes.until_frame(|_| true).await.tick < 5, "it begins anew");
}

#[tokio::test]
async fn a_layout_that_nobody_needs_leaves_the_memory_and_comes_back() {
    let options = weft_compute::Options { unload_after_seconds: 0, max_loaded: 1, ..quick() };
    let mesh = Mesh::start_with(TestGraph::ring(4, 0), options).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_state(LayoutState::Settled).await;
    eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == eyes.layout.tick).await;
    let frame = eyes.frame.take().unwrap();

    mesh.create(create("second")).await.unwrap();
    let other = format!("{GRAPH}/layouts/second");
    let status = mesh.watch(&other, FrameOptions::default()).await.unwrap_err();
    let expected = (tonic::Code::ResourceExhausted, "TOO_MANY_LOADED_LAYOUTS".to_owned());
    assert_eq!(reason(&status), expected, "the first one is looked at");
    drop(eyes);
    // It leaves when its stream is gone, and the other one has room then.
    let mut stream = soon(async {
        loop {
            match mesh.watch(&other, FrameOptions::default()).await {
                Ok(stream) => return stream,
                Err(status) => assert_eq!(reason(&status), expected),
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    soon(stream.message()).await.unwrap();
    drop(stream);
    let mut eyes = soon(async {
        loop {
            match mesh.watch(&layout.name, FrameOptions::default()).await {
                Ok(stream) => return crate::mesh::Eyes::new(stream),
                Err(status) => assert_eq!(reason(&status), expected),
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    eyes.until_frame(|_| true).await;
    let back = eyes.frame.unwrap();
    assert_eq!((back.header.tick, back.positions), (frame.header.tick, frame.positions));
}
