//! Whether bad input is refused by name.

use tonic::Code;
use tonic_types::StatusExt;
use weft_compute::{Options, frames::FrameEncoding};
use weft_proto::weft::compute::v1::{
    AttachLayoutRequest, AttachOpen, Box as Region, FrameOptions, GetLayoutRequest, Layout, LayoutParameters,
    NodePlacement, PinNodesRequest, Point, UpdateLayoutRequest, attach_layout_request::Action,
    node_placement::Node,
};

use crate::{
    graph::{GRAPH, TestGraph},
    mesh::{Mesh, create, encoded, quick, reason, soon},
};

fn fields(status: &tonic::Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|request| request.field_violations.clone());
    violations.unwrap_or_default().into_iter().map(|violation| violation.field).collect()
}

#[tokio::test]
async fn records_are_refused_for_large_ordinals() {
    let mesh = Mesh::start(TestGraph::ring(3, 16_382)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look_with(&layout.name, encoded(FrameEncoding::Record34)).await;
    let status = loop {
        if let Err(status) = eyes.next().await.unwrap() {
            break status;
        }
    };
    assert_eq!(reason(&status), (Code::FailedPrecondition, "ENCODING_TOO_NARROW".into()));
    assert!(eyes.next().await.is_none(), "the stream ends");

    let mut both = encoded(FrameEncoding::Record34);
    both.encodings.push(FrameEncoding::ColumnsQ16.into());
    let mut eyes = mesh.look_with(&layout.name, both).await;
    assert_eq!(eyes.until_frame(|_| true).await.encoding, FrameEncoding::ColumnsQ16);
}

#[tokio::test]
async fn what_is_not_finite_or_out_of_range_is_refused_by_its_field() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let layout = mesh.layout().await;
    let place = |key: &str, x: f32| NodePlacement {
        node: Some(Node::Key(key.into())),
        position: Some(Point { x, y: 0.0, z: 0.0 }),
    };
    for (x, field) in [
        (f32::NAN, "nodes[1].position.x"),
        (f32::INFINITY, "nodes[1].position.x"),
        (2e7, "nodes[1].position"),
    ] {
        let nodes = vec![place("n0", 1.0), place("n1", x)];
        let request = PinNodesRequest { name: layout.name.clone(), nodes };
        let status = mesh.client.clone().pin_nodes(request).await.unwrap_err();
        assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec![field.to_owned()]));
    }
    let request =
        PinNodesRequest { name: layout.name.clone(), nodes: vec![place("n0", 1.0), place("nobody", 1.0)] };
    let status = mesh.client.clone().pin_nodes(request).await.unwrap_err();
    assert_eq!(reason(&status), (Code::NotFound, "NODE_NOT_FOUND".into()));
    assert_eq!(fields(&status), ["nodes[1].node"]);
    let nodes = vec![NodePlacement { node: Some(Node::Ordinal(99)), position: None }];
    let request = PinNodesRequest { name: layout.name.clone(), nodes };
    let status = mesh.client.clone().pin_nodes(request).await.unwrap_err();
    assert_eq!(fields(&status), ["nodes[0].node"]);

    let parameters = Some(LayoutParameters { gravity: Some(f64::NAN), ..LayoutParameters::default() });
    let update = |layout: Layout, paths: &[&str]| UpdateLayoutRequest {
        layout: Some(layout),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() }),
    };
    let named = Layout { name: layout.name.clone(), ..Layout::default() };
    let bad = update(Layout { parameters, ..named.clone() }, &[]);
    let status = mesh.client.clone().update_layout(bad).await.unwrap_err();
    assert_eq!(fields(&status), ["layout.parameters.gravity"]);
    let status = mesh.client.clone().update_layout(update(named, &["seed"])).await.unwrap_err();
    assert_eq!(fields(&status), ["update_mask"]);
    let status = mesh.client.clone().update_layout(update(Layout::default(), &[])).await.unwrap_err();
    assert_eq!(fields(&status), ["layout.name"]);

    let corner = |x| Some(Point { x, y: 0.0, z: 0.0 });
    let region = Some(Region { min: corner(1.0), max: corner(0.0) });
    let status =
        mesh.watch(&layout.name, FrameOptions { region, ..FrameOptions::default() }).await.unwrap_err();
    assert_eq!(fields(&status), ["options.region"]);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let name = format!("{GRAPH}/layouts/none");
    let status = mesh.client.clone().get_layout(GetLayoutRequest { name }).await.unwrap_err();
    assert_eq!(reason(&status), (Code::NotFound, "LAYOUT_NOT_FOUND".into()));
    mesh.layout().await;
    let status = mesh.create(create("l")).await.unwrap_err();
    assert_eq!(reason(&status), (Code::AlreadyExists, "LAYOUT_ALREADY_EXISTS".into()));
    mesh.graph.set_away(true);
    let status = mesh.create(create("other")).await.unwrap_err();
    assert_eq!(reason(&status), (Code::Unavailable, "GRAPH_SERVICE_UNAVAILABLE".into()));
}

#[tokio::test]
async fn limits_are_told() {
    let options = Options {
        max_layouts_per_graph: 1,
        max_viewers_per_layout: 2,
        max_pins: 1,
        max_nodes: 10,
        ..quick()
    };
    let mesh = Mesh::start_with(TestGraph::ring(4, 0), options).await;
    let layout = mesh.layout().await;
    let exhausted = |reason: &str| (Code::ResourceExhausted, reason.to_owned());
    let status = mesh.create(create("second")).await.unwrap_err();
    assert_eq!(reason(&status), exhausted("TOO_MANY_LAYOUTS"));

    let one = mesh.look(&layout.name).await;
    let _two = mesh.look(&layout.name).await;
    let status = mesh.watch(&layout.name, FrameOptions::default()).await.unwrap_err();
    assert_eq!(reason(&status), exhausted("TOO_MANY_VIEWERS"));
    drop(one);
    soon(async {
        while mesh.watch(&layout.name, FrameOptions::default()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;

    let nodes = [0, 1].map(|ordinal| NodePlacement { node: Some(Node::Ordinal(ordinal)), position: None });
    let request = PinNodesRequest { name: layout.name, nodes: nodes.into() };
    let status = mesh.client.clone().pin_nodes(request).await.unwrap_err();
    assert_eq!(reason(&status), exhausted("TOO_MANY_PINS"));

    mesh.graph.claim_nodes(1_000_000_000);
    let options = Options { max_nodes: 10, ..quick() };
    let mesh = Mesh::start_with(mesh.graph.clone(), options).await;
    let status = mesh.create(create("l")).await.unwrap_err();
    assert_eq!(reason(&status), exhausted("GRAPH_TOO_LARGE"));
}

#[tokio::test]
async fn an_attached_stream_says_what_was_wrong() {
    let mesh = Mesh::start(TestGraph::ring(4, 0)).await;
    let layout = mesh.layout().await;
    let open = || Action::Open(AttachOpen { name: layout.name.clone(), options: None });
    let drag = |key: &str, x: f32| {
        let position = Some(Point { x, y: 0.0, z: 0.0 });
        Action::Drag(NodePlacement { node: Some(Node::Key(key.into())), position })
    };
    let cases = [
        (vec![drag("n0", 1.0)], Code::InvalidArgument, "MESSAGE_OUT_OF_TURN"),
        (vec![], Code::InvalidArgument, "MESSAGE_OUT_OF_TURN"),
        (vec![open(), open()], Code::InvalidArgument, "MESSAGE_OUT_OF_TURN"),
        (vec![open(), drag("nobody", 1.0)], Code::NotFound, "NODE_NOT_FOUND"),
        (vec![open(), drag("n0", 1e9)], Code::InvalidArgument, "INVALID_FIELD"),
        (vec![open(), drag("n0", f32::NAN)], Code::InvalidArgument, "INVALID_FIELD"),
    ];
    for (actions, code, expected) in cases {
        let messages: Vec<_> =
            actions.into_iter().map(|action| AttachLayoutRequest { action: Some(action) }).collect();
        let answer = mesh.client.clone().attach_layout(futures::stream::iter(messages)).await;
        let status = match answer {
            Err(status) => status,
            Ok(answers) => {
                let mut answers = answers.into_inner();
                soon(async {
                    loop {
                        if let Err(status) = answers.message().await {
                            return status;
                        }
                    }
                })
                .await
            }
        };
        assert_eq!(reason(&status), (code, expected.to_owned()));
    }
}
