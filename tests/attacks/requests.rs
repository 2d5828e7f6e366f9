//! Requests that are well formed and wrong: page tokens, masks, filters, etags, names, numbers.

use prost_types::FieldMask;
use tonic::Code;
use weft_proto::weft::{
    compute::v1::{
        AttachLayoutRequest, CreateLayoutRequest, FrameOptions, Layout, LayoutParameters, NodePlacement,
        PinNodesRequest, Point, UpdateLayoutRequest, WatchPositionsRequest, attach_layout_request::Action,
        node_placement,
    },
    graph::v1::{
        ApplyChangesRequest, Change, CreateGraphRequest, DeleteGraphRequest, Edge, EdgeUpsert,
        FindShortestPathRequest, GetNeighborhoodRequest, Graph, ListEdgesRequest, ListGraphsRequest,
        ListNodesRequest, Node, NodeUpsert, SearchNodesRequest, UpdateGraphRequest, WatchGraphRequest,
        change,
    },
};
use weft_tests::{
    client::Client,
    graphs::{self, node},
    layouts,
    mesh::Mesh,
    refused::{Refused, refused},
};

const INVALID: &str = "INVALID_FIELD";

async fn world() -> (Mesh, Client, String) {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    let graph = graphs::create(&client, "g").await;
    graphs::apply(&client, &graph, (0..30).map(|index| node(&format!("n{index}"))).collect()).await;
    (mesh, client, graph)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_tokens_are_good_for_their_own_list_only() {
    let (mesh, client, graph) = world().await;
    let mut service = client.graphs();
    let list = |page_token: &str| ListNodesRequest {
        graph: graph.clone(),
        page_size: 5,
        page_token: page_token.into(),
        ..ListNodesRequest::default()
    };
    let token = service.list_nodes(list("")).await.expect("a page").into_inner().next_page_token;
    service.list_nodes(list(&token)).await.expect("the token is good");
    let mut flipped = token.clone().into_bytes();
    flipped[token.len() / 2] = if flipped[token.len() / 2] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).expect("ASCII");
    for wrong in ["x", "AAAA", "%%%", "\u{0}", "🦀", &token[..token.len() - 3], &flipped, &"A".repeat(1_024)]
    {
        refused(service.list_nodes(list(wrong)).await).is(Code::InvalidArgument, INVALID, "page_token");
    }
    refused(service.list_nodes(list(&"A".repeat(1_025))).await).is(
        Code::InvalidArgument,
        INVALID,
        "page_token",
    );
    // The token of one list in another.
    let other = ListNodesRequest { filter: "key = \"n*\"".into(), ..list(&token) };
    refused(service.list_nodes(other).await).is(Code::InvalidArgument, INVALID, "page_token");
    let other = ListNodesRequest { order_by: "key desc".into(), ..list(&token) };
    refused(service.list_nodes(other).await).is(Code::InvalidArgument, INVALID, "page_token");
    let edges =
        ListEdgesRequest { graph: graph.clone(), page_token: token.clone(), ..ListEdgesRequest::default() };
    refused(service.list_edges(edges).await).is(Code::InvalidArgument, INVALID, "page_token");
    let lists = ListGraphsRequest {
        parent: "projects/p".into(),
        page_token: token.clone(),
        ..ListGraphsRequest::default()
    };
    refused(service.list_graphs(lists).await).is(Code::InvalidArgument, INVALID, "page_token");
    let search = SearchNodesRequest {
        graph: graph.clone(),
        query: "n".into(),
        page_token: token,
        ..SearchNodesRequest::default()
    };
    refused(service.search_nodes(search).await).is(Code::InvalidArgument, INVALID, "page_token");
    for page_size in [-1, i32::MIN] {
        let request = ListNodesRequest { page_size, ..list("") };
        refused(service.list_nodes(request).await).is(Code::InvalidArgument, INVALID, "page_size");
    }
    service
        .list_nodes(ListNodesRequest { page_size: i32::MAX, ..list("") })
        .await
        .expect("more than the most is the most");
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_and_orders_are_checked_and_bounded() {
    let (mesh, client, graph) = world().await;
    let mut service = client.graphs();
    let list = |filter: &str| ListNodesRequest {
        graph: graph.clone(),
        filter: filter.into(),
        ..ListNodesRequest::default()
    };
    let deep = format!("{}key = a{}", "(".repeat(1_500), ")".repeat(1_500));
    let nots = format!("{} key = a", "NOT ".repeat(900));
    let minus = format!("{}key = a", "-".repeat(3_900));
    let mut taken = Vec::new();
    for wrong in [
        "key =",
        "= a",
        "key = \"a",
        "key == a",
        "nothing = 1",
        "key = a AND",
        "(key = a",
        "key = a)",
        "degree > x",
        "key = a b = c",
        "properties. = 1",
        deep.as_str(),
        nots.as_str(),
        minus.as_str(),
        "AND",
        "key:(",
        "'",
    ] {
        match service.list_nodes(list(wrong)).await {
            Err(status) => Refused::from(status).is(Code::InvalidArgument, "FILTER_INVALID", "filter"),
            Ok(_) => taken.push(wrong),
        }
    }
    assert_eq!(taken, Vec::<&str>::new());
    let long = "key = a OR ".repeat(400) + "key = b";
    refused(service.list_nodes(list(&long)).await).is(Code::InvalidArgument, INVALID, "filter");
    // As long as may be: slow would be an attack.
    let many = "key = a OR ".repeat(300) + "key = n1";
    let found = service.list_nodes(list(&many)).await.expect("it is good").into_inner();
    assert_eq!(found.nodes.len(), 1);
    for order_by in ["nothing", "key up", "key desc desc", ",", "key,,type", "key; DROP TABLE graphs"] {
        let request = ListNodesRequest { order_by: order_by.into(), ..list("") };
        refused(service.list_nodes(request).await).is(Code::InvalidArgument, INVALID, "order_by");
    }
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masks_and_etags_are_checked() {
    let (mesh, client, graph) = world().await;
    let mut service = client.graphs();
    let update = |paths: &[&str], etag: &str| UpdateGraphRequest {
        graph: Some(Graph {
            name: graph.clone(),
            display_name: "new".into(),
            etag: etag.into(),
            ..Graph::default()
        }),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
    };
    for path in ["nothing", "uid", "revision", "displayName", "display_name.x", "", ".", "labels..x", "*.*"] {
        let refusal = refused(service.update_graph(update(&[path], "")).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::InvalidArgument, INVALID),
            "{path}: {refusal:?}"
        );
        assert!(refusal.fields[0].starts_with("update_mask"), "{path}: {refusal:?}");
    }
    let etag =
        service.update_graph(update(&["display_name"], "")).await.expect("it is good").into_inner().etag;
    service.update_graph(update(&["display_name"], &etag)).await.expect("it is fresh");
    for stale in [etag.as_str(), "x", "\"1\"", "W/\"1\"", "999999999999999999999999"] {
        refused(service.update_graph(update(&["display_name"], stale)).await).is(
            Code::Aborted,
            "ETAG_MISMATCH",
            "",
        );
        let delete = DeleteGraphRequest { name: graph.clone(), etag: stale.into() };
        refused(service.delete_graph(delete).await).is(Code::Aborted, "ETAG_MISMATCH", "");
    }
    refused(service.update_graph(update(&["display_name"], &"x".repeat(65))).await).is(
        Code::InvalidArgument,
        INVALID,
        "graph.etag",
    );

    let masked = |path: &str| {
        let upsert = NodeUpsert {
            node: Some(Node { key: "n1".into(), ..Node::default() }),
            update_mask: Some(FieldMask { paths: vec![path.into()] }),
        };
        graphs::changes(&graph, vec![Change { change: Some(change::Change::UpsertNode(upsert)) }])
    };
    for path in ["nothing", "ordinal", "revision", "properties..x", ""] {
        let refusal = refused(service.apply_changes(masked(path)).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::InvalidArgument, INVALID),
            "{path}: {refusal:?}"
        );
        assert!(refusal.fields[0].starts_with("changes[0]"), "{path}: {refusal:?}");
    }
    let layout = layouts::create(&client, &graph).await;
    let mut layouts = client.layouts();
    let update = |path: &str, etag: &str| UpdateLayoutRequest {
        layout: Some(Layout { name: layout.clone(), etag: etag.into(), ..Layout::default() }),
        update_mask: Some(FieldMask { paths: vec![path.into()] }),
    };
    for path in ["nothing", "seed", "parameters.nothing", "state"] {
        let refusal = refused(layouts.update_layout(update(path, "")).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::InvalidArgument, INVALID),
            "{path}: {refusal:?}"
        );
    }
    refused(layouts.update_layout(update("parameters.gravity", "x")).await).is(
        Code::Aborted,
        "ETAG_MISMATCH",
        "",
    );
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_numbers_and_changes_out_of_their_bounds_are_named() {
    let (mesh, client, graph) = world().await;
    let mut service = client.graphs();
    for id in ["G", "-g", "g-", "a b", "ü", "../g", "g/h", &"g".repeat(64)] {
        let request = CreateGraphRequest {
            parent: "projects/p".into(),
            graph_id: id.into(),
            graph: Some(Graph::default()),
            ..CreateGraphRequest::default()
        };
        refused(service.create_graph(request).await).is(Code::InvalidArgument, INVALID, "graph_id");
    }
    let apply = |change: change::Change| graphs::changes(&graph, vec![Change { change: Some(change) }]);
    let put =
        |node: Node| apply(change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None }));
    for key in [String::new(), "k".repeat(513), "a\u{0}b".into(), "a\nb".into(), "\u{7f}".into()] {
        let refusal = refused(service.apply_changes(put(Node { key, ..Node::default() })).await);
        refusal.is(Code::InvalidArgument, INVALID, "changes[0].upsert_node.node.key");
    }
    for weight in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-300] {
        let edge = Edge { source: "n1".into(), target: "n2".into(), weight: Some(weight), ..Edge::default() };
        let request = apply(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None }));
        refused(service.apply_changes(request).await).is(
            Code::InvalidArgument,
            INVALID,
            "changes[0].upsert_edge.edge.weight",
        );
    }
    let none = ApplyChangesRequest { graph: graph.clone(), ..ApplyChangesRequest::default() };
    refused(service.apply_changes(none).await).is(Code::InvalidArgument, INVALID, "changes");
    let many = graphs::changes(&graph, (0..10_001).map(|index| node(&index.to_string())).collect());
    refused(service.apply_changes(many).await).is(Code::InvalidArgument, INVALID, "changes");
    let unset = graphs::changes(&graph, vec![Change { change: None }]);
    refused(service.apply_changes(unset).await).is(Code::InvalidArgument, INVALID, "changes[0].change");
    let id =
        ApplyChangesRequest { request_id: "not-a-uuid".into(), ..graphs::changes(&graph, vec![node("x")]) };
    refused(service.apply_changes(id).await).is(Code::InvalidArgument, INVALID, "request_id");
    let around = GetNeighborhoodRequest {
        graph: graph.clone(),
        keys: vec!["n1".into()],
        depth: 17,
        ..Default::default()
    };
    refused(service.get_neighborhood(around).await).is(Code::InvalidArgument, INVALID, "depth");
    let path = FindShortestPathRequest {
        graph: graph.clone(),
        source: "n1".into(),
        target: "none".into(),
        ..Default::default()
    };
    refused(service.find_shortest_path(path).await).is(Code::NotFound, "NODE_NOT_FOUND", "");
    let future =
        WatchGraphRequest { graph: graph.clone(), after_revision: Some(i64::MAX), ..Default::default() };
    refused(service.watch_graph(future).await).is(Code::OutOfRange, "REVISION_IN_FUTURE", "");
    assert_eq!(graphs::get(&client, &graph).await.revision, 2, "nothing of it was applied");
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layouts_take_nothing_that_is_not_finite_or_in_turn() {
    let (mesh, client, graph) = world().await;
    let layout = layouts::create(&client, &graph).await;
    let mut service = client.layouts();
    for gravity in [f64::NAN, f64::INFINITY, -1.0, 1e9] {
        let parameters = LayoutParameters { gravity: Some(gravity), ..LayoutParameters::default() };
        let request = CreateLayoutRequest {
            parent: graph.clone(),
            layout: Some(Layout { parameters: Some(parameters), ..Layout::default() }),
            ..CreateLayoutRequest::default()
        };
        refused(service.create_layout(request).await).is(
            Code::InvalidArgument,
            INVALID,
            "layout.parameters.gravity",
        );
    }
    let at = |x: f32| NodePlacement {
        node: Some(node_placement::Node::Key("n1".into())),
        position: Some(Point { x, y: 0.0, z: 0.0 }),
    };
    for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let request = PinNodesRequest { name: layout.clone(), nodes: vec![at(x)] };
        refused(service.pin_nodes(request).await).is(Code::InvalidArgument, INVALID, "nodes[0].position.x");
    }
    let ghost = NodePlacement { node: Some(node_placement::Node::Ordinal(u32::MAX)), position: None };
    let request = PinNodesRequest { name: layout.clone(), nodes: vec![ghost] };
    assert_eq!(refused(service.pin_nodes(request).await).reason, "NODE_NOT_FOUND");
    for rate in [f64::NAN, -1.0, 1e9] {
        let options = FrameOptions { max_frames_per_second: rate, ..FrameOptions::default() };
        let request = WatchPositionsRequest { name: layout.clone(), options: Some(options) };
        refused(service.watch_positions(request).await).is(
            Code::InvalidArgument,
            INVALID,
            "options.max_frames_per_second",
        );
    }
    // A conversation that does not begin with its beginning.
    let drag = AttachLayoutRequest { action: Some(Action::Drag(at(0.0))) };
    let begun = service.attach_layout(tokio_stream::iter([drag])).await;
    refused(begun).is(Code::InvalidArgument, INVALID, "open.name");
    mesh.stop_unhurt().await;
}
