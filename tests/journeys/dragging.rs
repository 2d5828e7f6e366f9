//! A layout runs; one viewer drags a node, another one sees it move.

use futures::channel::mpsc;
use serde_json::json;
use weft_proto::weft::compute::v1::{
    AttachLayoutRequest, AttachOpen, NodePlacement, Point, attach_layout_request::Action, node_placement,
};
use weft_tests::{
    client::Client,
    graphs::{self, node},
    layouts::{self, Eyes, Viewer},
};

/// Where the node is dragged to: far from everything else.
const THERE: [f32; 2] = [5_000.0, -4_000.0];

/// Makes a layout and looks at it: nodes move, and a node that is new in the graph appears.
pub(crate) async fn lay_out(client: &Client, graph: &str) -> String {
    let layout = layouts::create(client, graph).await;
    let mut viewer = Viewer::open(&client.apart(), &layout).await.expect("it is there");
    let moved = |eyes: &Eyes| eyes.header().is_some_and(|header| header.tick > 5 && header.count > 0);
    viewer.until(moved).await.expect("it runs");
    let before = viewer.eyes.frame.clone().expect("it was seen");
    let tick = before.header.tick;
    viewer.until(|eyes| eyes.header().is_some_and(|header| header.tick > tick)).await.expect("it runs");
    let after = viewer.eyes.frame.as_ref().expect("it was seen");
    assert_ne!(before.positions, after.positions, "nothing has moved");
    assert!(after.positions.iter().flatten().all(|coordinate| coordinate.is_finite()));
    let count = after.header.count;
    graphs::apply(client, graph, vec![node("newcomer")]).await;
    viewer
        .until(|eyes| eyes.header().is_some_and(|header| header.count == count + 1))
        .await
        .expect("it follows");
    layout
}

/// One drags over gRPC; another one, who only looks, sees the node there.
pub(crate) async fn drag(client: &Client, layout: &str) {
    let mut other = Viewer::open(&client.apart(), layout).await.expect("it is there");
    other.until(|eyes| eyes.frame.is_some()).await.expect("a keyframe comes at once");
    let ordinal = other.eyes.ids[0];
    let (say, said) = mpsc::unbounded();
    let action = |action| AttachLayoutRequest { action: Some(action) };
    let open = Action::Open(AttachOpen { name: layout.into(), options: None });
    let place = NodePlacement {
        position: Some(Point { x: THERE[0], y: THERE[1], z: 0.0 }),
        node: Some(node_placement::Node::Ordinal(ordinal)),
    };
    say.unbounded_send(action(open)).expect("it is open");
    say.unbounded_send(action(Action::Drag(place.clone()))).expect("it is open");
    let mut dragger = client.apart().layouts().attach_layout(said).await.expect("it is there").into_inner();
    other.until(|eyes| is_there(eyes, ordinal)).await.expect("it runs");
    // Whoever drags sees it too, and lets go.
    let mut eyes = Eyes::default();
    while !is_there(&eyes, ordinal) {
        let message = dragger.message().await.expect("it lives").expect("it goes on");
        eyes.see(message.event.expect("it tells something"));
    }
    say.unbounded_send(action(Action::Release(NodePlacement { position: None, ..place })))
        .expect("it is open");
    other.until(|eyes| !is_there(eyes, ordinal)).await.expect("it runs");
}

/// The same over a WebSocket, as a browser does it.
pub(crate) async fn drag_in_browser(client: &Client, layout: &str) {
    let mut other = Viewer::open(&client.apart(), layout).await.expect("it is there");
    other.until(|eyes| eyes.frame.is_some()).await.expect("a keyframe comes at once");
    let ordinal = *other.eyes.ids.last().expect("there are nodes");
    let mut socket = client.socket().await;
    let call = socket.begin("compute.v1.LayoutService/AttachLayout").await;
    socket.message(call, &json!({ "open": { "name": layout } })).await;
    let first = socket.hear().await.expect("it lives");
    assert_eq!(first["message"]["event"]["layout"]["name"], layout, "{first}");
    let place = json!({ "ordinal": ordinal, "position": { "x": THERE[0], "y": THERE[1] } });
    socket.message(call, &json!({ "drag": place })).await;
    other.until(|eyes| is_there(eyes, ordinal)).await.expect("it runs");
    // Whoever goes away holds nothing any more.
    drop(socket);
    other.until(|eyes| !is_there(eyes, ordinal)).await.expect("it runs");
}

fn is_there(eyes: &Eyes, ordinal: u32) -> bool {
    eyes.place(ordinal)
        .is_some_and(|place| (place[0] - THERE[0]).abs() < 1.0 && (place[1] - THERE[1]).abs() < 1.0)
}
