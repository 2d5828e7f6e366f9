//! Batches of changes: whole or not at all, once, and on the revision that is meant.

use prost_types::{ListValue, Struct, Value, value::Kind};
use tonic::Code;
use weft_graph::{GraphLimits, Options};
use weft_proto::weft::graph::v1::{
    ApplyChangesRequest, Change, Edge, EdgeReference, GetNodeRequest, Node, change,
};

use super::support::{
    Client, GRAPH, World, apply, changes, create, delete, edge, field_of, node, put_edge, put_node, refused,
};

async fn get(client: &mut Client, key: &str) -> Result<Node, tonic::Status> {
    let request = GetNodeRequest { graph: GRAPH.into(), key: key.into() };
    client.get_node(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_applied_whole_or_not_at_all() {
    let (_world, mut client) = World::with_graph().await;
    let answer = client.apply_changes(changes(vec![node("a"), edge("a", "b")])).await.expect("it is good");
    let answer = answer.into_inner();
    assert_eq!((answer.revision, answer.node_count, answer.edge_count), (2, 2, 1));
    let wrong = changes(vec![node("c"), delete("nobody")]);
    let status = refused(client.apply_changes(wrong).await, Code::NotFound, "NODE_NOT_FOUND");
    assert!(status.message().contains("changes[1].delete_node.key"), "{status:?}");
    refused(get(&mut client, "c").await, Code::NotFound, "NODE_NOT_FOUND");
    assert_eq!(apply(&mut client, vec![node("c")]).await, 3);
    let found = get(&mut client, "c").await.expect("it is there");
    assert_eq!((found.ordinal, found.revision), (2, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_expected_revision_is_changed() {
    let (_world, mut client) = World::with_graph().await;
    let on = |revision| ApplyChangesRequest { expected_revision: Some(revision), ..changes(vec![node("a")]) };
    assert_eq!(client.apply_changes(on(1)).await.expect("it is newest").into_inner().revision, 2);
    for revision in [1, 3] {
        let status = refused(client.apply_changes(on(revision)).await, Code::Aborted, "REVISION_MISMATCH");
        assert_eq!(
            tonic_types::StatusExt::get_error_details(&status).error_info().expect("set").metadata["revision"],
            "2"
        );
    }
    // Of many that expect the same, one wins.
    let attempts = (0..20).map(|_| {
        let mut client = client.clone();
        async move { client.apply_changes(on(2)).await }
    });
    let results = futures::future::join_all(attempts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(
        results
            .iter()
            .filter_map(|result| result.as_ref().err())
            .all(|status| status.code() == Code::Aborted)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_is_applied_once() {
    let (world, mut client) = World::with_graph().await;
    let request = || ApplyChangesRequest {
        request_id: "6a1f0f5e-8f3c-4ac6-9a57-000000000002".into(),
        ..changes(vec![node("a"), delete("a")])
    };
    let first = client.apply_changes(request()).await.expect("it is good").into_inner();
    apply(&mut client, vec![node("b")]).await;
    // Also by another process, and although the graph has gone on.
    let mut other = world.process(Options::default()).await;
    for client in [&mut client, &mut other] {
        assert_eq!(client.apply_changes(request()).await.expect("a repeat").into_inner(), first);
    }
    let mut different = request();
    different.changes.push(node("c"));
    refused(client.apply_changes(different).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(apply(&mut client, vec![node("d")]).await, 4);
    // All at once: still once.
    let repeat = || ApplyChangesRequest {
        request_id: "6a1f0f5e-8f3c-4ac6-9a57-000000000003".into(),
        ..changes(vec![node("e")])
    };
    let attempts = (0..20).map(|_| {
        let mut client = client.clone();
        async move { client.apply_changes(repeat()).await.expect("it is good").into_inner().revision }
    });
    assert_eq!(futures::future::join_all(attempts).await, vec![5; 20]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validate_only_answers_and_changes_nothing() {
    let (_world, mut client) = World::with_graph().await;
    let request = ApplyChangesRequest { validate_only: true, ..changes(vec![node("a")]) };
    assert_eq!(client.apply_changes(request).await.expect("it is good").into_inner().revision, 2);
    refused(get(&mut client, "a").await, Code::NotFound, "NODE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_elements_are_refused_by_name() {
    let (_world, mut client) = World::with_graph().await;
    let property = |kind| Some(Struct { fields: [("p".to_owned(), Value { kind })].into() }.into());
    let mut deep = Value { kind: Some(Kind::BoolValue(true)) };
    for _ in 0..40 {
        deep = Value { kind: Some(Kind::ListValue(ListValue { values: vec![deep] })) };
    }
    let with = |properties| put_node(Node { key: "a".into(), properties, ..Node::default() });
    let cases: Vec<(Change, &str)> = vec![
        (with(property(None)), "changes[0].upsert_node.node.properties"),
        (with(property(deep.kind)), "changes[0].upsert_node.node.properties"),
        (with(property(Some(Kind::NumberValue(f64::NAN)))), "changes[0].upsert_node.node.properties"),
        (
            with(property(Some(Kind::StringValue("x".repeat(70_000))))),
            "changes[0].upsert_node.node.properties",
        ),
        (node("a\u{7}b"), "changes[0].upsert_node.node.key"),
        (
            put_node(Node { key: "a".into(), labels: vec!["a\u{1f}b".into()], ..Node::default() }),
            "changes[0].upsert_node.node.labels[0]",
        ),
        (edge("a", "b\n"), "changes[0].upsert_edge.edge.target"),
        (
            put_edge(Edge {
                source: "a".into(),
                target: "b".into(),
                weight: Some(f64::INFINITY),
                ..Edge::default()
            }),
            "changes[0].upsert_edge.edge.weight",
        ),
        (
            Change { change: Some(change::Change::DeleteEdge(EdgeReference::default())) },
            "changes[0].delete_edge",
        ),
        (Change { change: None }, "changes[0].change"),
    ];
    for (change, field) in cases {
        let status = refused(
            client.apply_changes(changes(vec![change])).await,
            Code::InvalidArgument,
            "INVALID_FIELD",
        );
        assert_eq!(field_of(&status), field);
    }
    let strict = ApplyChangesRequest { create_missing_nodes: false, ..changes(vec![edge("a", "b")]) };
    refused(client.apply_changes(strict).await, Code::FailedPrecondition, "EDGE_END_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graph_grows_to_its_limits_and_no_further() {
    let world = World::new().await;
    let limits =
        GraphLimits { max_nodes: 3, max_edges: 2, max_changes_per_batch: 5, ..GraphLimits::default() };
    let mut client = world.process(Options { limits, ..Options::default() }).await;
    create(&mut client, "g").await;
    apply(&mut client, vec![node("a"), node("b"), node("c"), edge("a", "b"), edge("b", "c")]).await;
    refused(client.apply_changes(changes(vec![node("d")])).await, Code::ResourceExhausted, "TOO_MANY_NODES");
    refused(
        client.apply_changes(changes(vec![edge("c", "a")])).await,
        Code::ResourceExhausted,
        "TOO_MANY_EDGES",
    );
    refused(client.apply_changes(changes(vec![node("a"); 6])).await, Code::InvalidArgument, "INVALID_FIELD");
    // What makes room in the same batch counts.
    apply(&mut client, vec![delete("a"), node("d"), edge("c", "d")]).await;

    let limits = GraphLimits { max_graph_bytes: 100_000, ..GraphLimits::default() };
    let mut client = world.process(Options { limits, ..Options::default() }).await;
    create(&mut client, "h").await;
    let large = |index: usize| {
        let node =
            put_node(Node { key: format!("n{index}"), display_name: "x".repeat(1_000), ..Node::default() });
        ApplyChangesRequest { graph: "projects/p/graphs/h".into(), ..changes(vec![node]) }
    };
    let mut kept = 0;
    let full = loop {
        match client.apply_changes(large(kept)).await {
            Ok(_) => kept += 1,
            Err(status) => break status,
        }
        assert!(kept < 200, "it is never full");
    };
    assert!(kept > 40, "only {kept} nodes of 1,000 bytes");
    refused::<()>(Err(full), Code::ResourceExhausted, "GRAPH_TOO_LARGE");
}
