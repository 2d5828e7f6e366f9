//! Whether all who look see the same layout, each at their own pace.

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use weft_compute::frames::{DIFFERENCE, FrameEncoding, IDS, KEYFRAME, REGION};
use weft_proto::weft::compute::v1::{
    AttachLayoutRequest, AttachLayoutResponse, AttachOpen, Box as Region, FrameOptions, GetLayoutRequest,
    LayoutState, NodePlacement, Point, attach_layout_request::Action, layout_event::Event,
    node_placement::Node,
};

use crate::{
    graph::TestGraph,
    mesh::{Eyes, Mesh, encoded, soon},
};

fn node(key: &str, place: Option<[f32; 2]>) -> NodePlacement {
    let position = place.map(|[x, y]| Point { x, y, z: 0.0 });
    NodePlacement { node: Some(Node::Key(key.into())), position }
}

fn action(action: Action) -> AttachLayoutRequest {
    AttachLayoutRequest { action: Some(action) }
}

/// Attaches to the layout `name`.
async fn attach(
    mesh: &Mesh,
    name: &str,
) -> (mpsc::Sender<AttachLayoutRequest>, tonic::Streaming<AttachLayoutResponse>) {
    let (hands, messages) = mpsc::channel(16);
    let open = AttachOpen { name: name.into(), options: None };
    hands.send(action(Action::Open(open))).await.unwrap();
    let answers = mesh.client.clone().attach_layout(ReceiverStream::new(messages)).await.unwrap();
    (hands, answers.into_inner())
}

#[tokio::test]
async fn two_viewers_share_one_layout() {
    let mesh = Mesh::start(TestGraph::ring(40, 0)).await;
    let layout = mesh.layout().await;
    let mut one = mesh.look(&layout.name).await;
    let mut two = mesh.look(&layout.name).await;
    for eyes in [&mut one, &mut two] {
        let header = eyes.until_frame(|_| true).await;
        assert!(header.has(KEYFRAME) && header.has(IDS), "the first frame is a keyframe");
        assert_eq!(eyes.ids, (0..40).collect::<Vec<_>>());
        eyes.until_state(LayoutState::Settled).await;
    }
    let tick = one.layout.tick;
    assert_eq!(tick, two.layout.tick, "there is one simulation");
    assert_eq!(one.layout.viewer_count, 2);
    one.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == tick).await;
    two.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == tick).await;
    assert_eq!(one.frame.unwrap().positions, two.frame.unwrap().positions);
}

#[tokio::test]
async fn who_comes_late_sees_a_settled_and_a_stopped_layout_at_once() {
    let mesh = Mesh::start(TestGraph::ring(12, 3)).await;
    let layout = mesh.layout().await;
    let mut first = mesh.look(&layout.name).await;
    first.until_state(LayoutState::Settled).await;
    let ticks = first.layout.tick;

    let mut late = mesh.look(&layout.name).await;
    let Event::Layout(told) = late.next().await.unwrap().unwrap().event.unwrap() else {
        panic!("the layout comes first")
    };
    assert_eq!(told.state(), LayoutState::Settled);
    let Event::Frame(_) = late.next().await.unwrap().unwrap().event.unwrap() else { panic!("then a frame") };
    let header = late.frame.as_ref().unwrap().header;
    assert!(header.has(KEYFRAME));
    assert_eq!((header.tick, late.ids.len()), (ticks, 12), "looking moves nothing");

    let stop = weft_proto::weft::compute::v1::StopLayoutRequest { name: layout.name.clone() };
    mesh.client.clone().stop_layout(stop).await.unwrap();
    late.until_state(LayoutState::Stopped).await;
    let mut later = mesh.look(&layout.name).await;
    later.next().await.unwrap().unwrap();
    assert_eq!(later.layout.state(), LayoutState::Stopped);
    later.next().await.unwrap().unwrap();
    assert_eq!(later.frame.unwrap().positions, late.frame.unwrap().positions);
}

#[tokio::test]
async fn a_drag_by_one_is_seen_by_the_other_and_ends_with_the_stream() {
    let mesh = Mesh::start(TestGraph::ring(10, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_state(LayoutState::Settled).await;

    let (hands, answers) = attach(&mesh, &layout.name).await;
    let there = [321.0, -123.0];
    hands.send(action(Action::Drag(node("n4", Some(there))))).await.unwrap();
    eyes.until_frame(|eyes| eyes.place(4) == Some(there)).await;
    eyes.until_state(LayoutState::Running).await;
    eyes.until_state(LayoutState::Settled).await;
    assert_eq!(eyes.place(4), Some(there), "it is held");

    // The hand vanishes without letting go.
    drop(answers);
    drop(hands);
    eyes.until_frame(|eyes| eyes.place(4) != Some(there)).await;
}

#[tokio::test]
async fn a_released_node_goes_back() {
    let mesh = Mesh::start(TestGraph::ring(10, 0)).await;
    let layout = mesh.layout().await;
    let (hands, mut answers) = attach(&mesh, &layout.name).await;
    let there = [321.0, -123.0];
    hands.send(action(Action::Drag(node("n4", Some(there))))).await.unwrap();
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_frame(|eyes| eyes.place(4) == Some(there)).await;
    hands.send(action(Action::Release(node("n4", None)))).await.unwrap();
    eyes.until_frame(|eyes| eyes.place(4) != Some(there)).await;
    // The stream that drags sees frames too, also those of another wish.
    hands.send(action(Action::Options(encoded(FrameEncoding::ColumnsQ16)))).await.unwrap();
    soon(async {
        loop {
            let event = answers.next().await.unwrap().unwrap().event.unwrap().event.unwrap();
            if let Event::Frame(bytes) = event
                && bytes[5] == FrameEncoding::ColumnsQ16 as u8
            {
                assert_eq!(bytes[6] & KEYFRAME, KEYFRAME, "another encoding begins with a keyframe");
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_region_cuts_all_but_the_first_frame() {
    let mesh = Mesh::start(TestGraph::ring(30, 0)).await;
    let layout = mesh.layout().await;
    let far = 1.0e6;
    let region =
        Region { min: Some(Point { x: 0.0, y: -far, z: 0.0 }), max: Some(Point { x: far, y: far, z: 0.0 }) };
    let options =
        FrameOptions { region: Some(region), max_frames_per_second: 120.0, ..FrameOptions::default() };
    let mut eyes = mesh.look_with(&layout.name, options).await;
    let first = eyes.until_frame(|_| true).await;
    assert!(first.has(KEYFRAME));
    assert_eq!(first.count, 30);
    let cut = eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.has(REGION)).await;
    assert!(cut.has(IDS));
    assert!(cut.count < 30, "a ring round the centre is not all on its right side");
    let frame = eyes.frame.unwrap();
    assert!(frame.positions[0].iter().all(|x| *x >= 0.0));
    assert!(frame.header.bounds.0[0] < 0.0, "the bounds are those of all nodes");
}

#[tokio::test]
async fn every_encoding_can_be_had_in_both_dimensions() {
    use FrameEncoding::{ColumnsF32, ColumnsQ16, Delta, Record34};
    use weft_proto::weft::compute::v1::{Dimensions, Layout};
    let mesh = Mesh::start(TestGraph::ring(9, 0)).await;
    for (id, dimensions) in [("two", Dimensions::Two), ("three", Dimensions::Three)] {
        let mut request = crate::mesh::create(id);
        request.layout = Some(Layout { dimensions: dimensions.into(), ..Layout::default() });
        let layout = mesh.create(request).await.unwrap();
        assert_eq!(layout.dimensions(), dimensions);
        for encoding in [Record34, ColumnsF32, ColumnsQ16, Delta] {
            let mut eyes = mesh.look_with(&layout.name, encoded(encoding)).await;
            let header = eyes.until_frame(|_| true).await;
            assert_eq!((header.encoding, header.dimensions()), (encoding, dimensions as usize + 1));
            let flat = eyes.frame.unwrap().positions[2].is_empty();
            assert_eq!(flat, dimensions == Dimensions::Two);
        }
    }
}

/// By counts, not by time: a viewer that never reads beyond its first frame costs the others
/// nothing, and holds no frames back for later.
#[tokio::test]
async fn a_slow_viewer_slows_nobody_and_skips_to_the_newest() {
    let mesh = Mesh::start(TestGraph::ring(60, 0)).await;
    let layout = mesh.layout().await;
    let mut slow = mesh.look(&layout.name).await;
    let first = slow.until_frame(|_| true).await.sequence;

    let mut quick = mesh.look(&layout.name).await;
    let mut seen = 0;
    while quick.layout.state() != LayoutState::Settled {
        let event = quick.next().await.unwrap().unwrap();
        seen += usize::from(matches!(event.event, Some(Event::Frame(_))));
    }
    assert!(seen > 5, "the quick viewer saw {seen} frames while the slow one read none");
    let last =
        quick.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == eyes.layout.tick).await.sequence;
    assert!(last > first + 20);

    // What the slow one reads now is the end, but for the one frame that was on its way.
    let mut frames = 0;
    while slow.frame.as_ref().unwrap().header.sequence < last {
        let event = slow.next().await.unwrap().unwrap();
        frames += usize::from(matches!(event.event, Some(Event::Frame(_))));
    }
    assert!(frames <= 2, "{frames} frames were kept for the slow viewer");
    let counted = mesh.metrics.encode();
    for line in
        ["weft_compute_viewers 2", "weft_compute_layouts_loaded 1", "weft_compute_layouts_failed_total 0"]
    {
        assert!(counted.contains(line), "{line} is not in {counted}");
    }
    let got = GetLayoutRequest { name: layout.name };
    assert_eq!(mesh.client.clone().get_layout(got).await.unwrap().into_inner().viewer_count, 2);
}

#[tokio::test]
async fn a_viewer_gets_no_more_frames_than_it_asked_for() {
    let mesh = Mesh::start(TestGraph::ring(60, 0)).await;
    let layout = mesh.layout().await;
    // One frame a day.
    let rare = FrameOptions { max_frames_per_second: 0.000_001, ..FrameOptions::default() };
    let mut eyes = mesh.look_with(&layout.name, rare).await;
    eyes.until_frame(|_| true).await;
    let sequence = eyes.frame.as_ref().unwrap().header.sequence;
    eyes.until_state(LayoutState::Settled).await;
    assert_eq!(eyes.frame.unwrap().header.sequence, sequence);
}

/// Options that ask for differences as fast as they come.
fn differences() -> FrameOptions {
    FrameOptions { max_frames_per_second: 120.0, ..encoded(FrameEncoding::Delta) }
}

/// Whether two viewers see the nodes at the same places, one of them exactly.
fn same_places(exact: &Eyes, steps: &Eyes) {
    let (exact, steps) = (exact.frame.as_ref().unwrap(), steps.frame.as_ref().unwrap());
    assert_eq!(exact.header.sequence, steps.header.sequence);
    let (min, max) = exact.header.bounds;
    let extent = (0..3).map(|axis| max[axis] - min[axis]).fold(0.0, f32::max);
    for (exact, steps) in exact.positions.iter().flatten().zip(steps.positions.iter().flatten()) {
        assert!((exact - steps).abs() <= extent / 3_840.0 / 4.0, "{exact} was shown at {steps}");
    }
}

/// A viewer of differences who keeps up, one who comes late, one who reads none for a long time, and
/// new nodes: in the end all see what a viewer of exact positions sees.
#[tokio::test]
async fn differences_lead_everybody_to_the_same_places() {
    let mesh = Mesh::start(TestGraph::ring(300, 0)).await;
    let layout = mesh.layout().await;
    let mut slow = mesh.look_with(&layout.name, differences()).await;
    let first = slow.until_frame(|_| true).await;
    assert!(first.has(KEYFRAME) && first.has(IDS) && !first.has(DIFFERENCE));

    let mut quick = mesh.look_with(&layout.name, differences()).await;
    let mut built = 0;
    while quick.layout.state() != LayoutState::Settled {
        let event = quick.next().await.unwrap().unwrap();
        let is_frame = matches!(event.event, Some(Event::Frame(_)));
        let frame = quick.frame.as_ref();
        built += usize::from(is_frame && frame.is_some_and(|frame| frame.header.has(DIFFERENCE)));
    }
    assert!(built > 0, "no frame said what had changed");
    let at_rest = |eyes: &Eyes, tick| eyes.frame.as_ref().unwrap().header.tick == tick;
    let tick = quick.layout.tick;
    quick.until_frame(|eyes| at_rest(eyes, tick)).await;
    let mut exact = mesh.look(&layout.name).await;
    exact.until_frame(|eyes| at_rest(eyes, tick)).await;
    same_places(&exact, &quick);

    let mut late = mesh.look_with(&layout.name, differences()).await;
    assert!(late.until_frame(|_| true).await.has(KEYFRAME), "who comes late begins with a keyframe");
    same_places(&exact, &late);

    // The slow one has one frame on its way; what comes then is the newest, built on that or whole.
    let mut frames = 0;
    while !at_rest(&slow, tick) {
        let event = slow.next().await.unwrap().unwrap();
        frames += usize::from(matches!(event.event, Some(Event::Frame(_))));
    }
    assert!(frames <= 2, "{frames} frames were kept for the slow viewer");
    same_places(&exact, &slow);
}

#[tokio::test]
async fn a_viewer_gets_no_more_nodes_than_it_asked_for_and_those_with_the_most_neighbours() {
    let graph = TestGraph::ring(30, 100);
    for leaf in 0..3 {
        graph.add_node(&format!("a{leaf}"), "n7");
        graph.add_node(&format!("b{leaf}"), "n20");
    }
    graph.add_node("c", "n9");
    let mesh = Mesh::start(graph).await;
    let layout = mesh.layout().await;
    for encoding in [FrameEncoding::ColumnsF32, FrameEncoding::ColumnsQ16, FrameEncoding::Delta] {
        let few = FrameOptions { max_nodes: 3, max_frames_per_second: 120.0, ..encoded(encoding) };
        let mut eyes = mesh.look_with(&layout.name, few).await;
        let header = eyes.until_frame(|_| true).await;
        assert!(header.has(IDS) && header.has(REGION) && !header.has(KEYFRAME), "{encoding:?}");
        assert_eq!(eyes.ids, [107, 109, 120], "{encoding:?}");
        let all = FrameOptions { max_nodes: 37, ..encoded(encoding) };
        let mut eyes = mesh.look_with(&layout.name, all).await;
        assert!(eyes.until_frame(|_| true).await.has(KEYFRAME), "no more than that are there: {encoding:?}");
    }
    // A new hub comes into its place.
    let few = FrameOptions { max_nodes: 1, max_frames_per_second: 120.0, ..FrameOptions::default() };
    let mut eyes = mesh.look_with(&layout.name, few).await;
    eyes.until_frame(|eyes| eyes.ids == [107]).await;
    for leaf in 0..5 {
        mesh.graph.add_node(&format!("d{leaf}"), "n2");
    }
    eyes.until_frame(|eyes| eyes.ids == [102]).await;
}

/// A stream that changes what it wants, and whose nodes change: every frame can be read.
#[tokio::test]
async fn differences_go_on_after_other_nodes_other_encodings_and_other_regions() {
    let mesh = Mesh::start(TestGraph::ring(30, 0)).await;
    let layout = mesh.layout().await;
    let (hands, messages) = mpsc::channel(16);
    let open = AttachOpen { name: layout.name.clone(), options: Some(differences()) };
    hands.send(action(Action::Open(open))).await.unwrap();
    let answers = mesh.client.clone().attach_layout(ReceiverStream::new(messages)).await.unwrap();
    let mut eyes = Eyes::attached(answers.into_inner());
    assert!(eyes.until_frame(|_| true).await.has(KEYFRAME));

    let new = mesh.graph.add_node("new", "n3");
    let header = eyes.until_frame(|eyes| eyes.ids.contains(&new)).await;
    assert!(header.has(KEYFRAME) && header.encoding == FrameEncoding::Delta);

    let wish = |options: FrameOptions| action(Action::Options(options));
    let columns = FrameOptions { max_frames_per_second: 120.0, ..encoded(FrameEncoding::ColumnsF32) };
    hands.send(wish(columns)).await.unwrap();
    let is = |encoding| move |eyes: &Eyes| eyes.frame.as_ref().unwrap().header.encoding == encoding;
    assert!(eyes.until_frame(is(FrameEncoding::ColumnsF32)).await.has(KEYFRAME));
    hands.send(wish(differences())).await.unwrap();
    assert!(eyes.until_frame(is(FrameEncoding::Delta)).await.has(KEYFRAME));

    let far = 1.0e6;
    let right =
        Region { min: Some(Point { x: 0.0, y: -far, z: 0.0 }), max: Some(Point { x: far, y: far, z: 0.0 }) };
    hands.send(wish(FrameOptions { region: Some(right), ..differences() })).await.unwrap();
    mesh.graph.add_node("newer", "n4");
    eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.has(REGION)).await;
    hands.send(wish(differences())).await.unwrap();
    let last = mesh.graph.add_node("last", "n5");
    eyes.until_frame(|eyes| eyes.ids.contains(&last) && eyes.ids.len() == 33).await;
    eyes.until_state(LayoutState::Settled).await;
    let tick = eyes.layout.tick;
    eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == tick).await;
    let mut exact = mesh.look(&layout.name).await;
    exact.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == tick).await;
    same_places(&exact, &eyes);
}

#[tokio::test]
async fn a_region_of_differences_is_cut_on_a_grid_of_its_own() {
    let mesh = Mesh::start(TestGraph::ring(30, 0)).await;
    let layout = mesh.layout().await;
    let far = 1.0e6;
    let region =
        Region { min: Some(Point { x: 0.0, y: -far, z: 0.0 }), max: Some(Point { x: far, y: far, z: 0.0 }) };
    let mut eyes = mesh.look_with(&layout.name, FrameOptions { region: Some(region), ..differences() }).await;
    assert_eq!(eyes.until_frame(|_| true).await.count, 30);
    let cut = eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.has(REGION)).await;
    assert!(cut.has(IDS) && !cut.has(DIFFERENCE));
    assert!(cut.count < 30, "a ring round the centre is not all on its right side");
}
