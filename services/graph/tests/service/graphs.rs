//! Graphs themselves: created, read, changed, deleted.

use std::collections::HashMap;

use prost_types::FieldMask;
use tonic::Code;
use weft_graph::Options;
use weft_proto::weft::graph::v1::{
    CreateGraphRequest, DeleteGraphRequest, GetGraphRequest, Graph, GraphKind, UpdateGraphRequest,
};

use super::support::{Client, GRAPH, World, apply, create, field_of, node, refused};

async fn get(client: &mut Client) -> Result<Graph, tonic::Status> {
    client.get_graph(GetGraphRequest { name: GRAPH.into() }).await.map(tonic::Response::into_inner)
}

fn labels(count: usize) -> HashMap<String, String> {
    (0..count).map(|index| (format!("key{index}"), "value".to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_created_graph_is_there_and_a_repeat_gives_the_same() {
    let world = World::new().await;
    let mut client = world.process(Options::default()).await;
    // A new map for each request: its labels are encoded in another order.
    let request = || CreateGraphRequest {
        parent: "projects/p".into(),
        graph_id: "g".into(),
        graph: Some(Graph {
            display_name: "Name".into(),
            kind: GraphKind::Workflow.into(),
            labels: labels(20),
            ..Graph::default()
        }),
        request_id: "6a1f0f5e-8f3c-4ac6-9a57-000000000001".into(),
    };
    let created = client.create_graph(request()).await.expect("it is new").into_inner();
    assert_eq!((created.name.as_str(), created.revision, created.kind()), (GRAPH, 1, GraphKind::Workflow));
    assert_eq!(client.create_graph(request()).await.expect("a repeat").into_inner(), created);
    assert_eq!(get(&mut client).await.expect("it is there"), created);

    let mut other = request();
    other.graph_id = "h".into();
    let status = refused(client.create_graph(other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(field_of(&status), "request_id");
    let mut again = request();
    again.request_id = String::new();
    refused(client.create_graph(again).await, Code::AlreadyExists, "GRAPH_ALREADY_EXISTS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_is_a_revision_and_needs_the_newest_etag() {
    let (_world, mut client) = World::with_graph().await;
    let old = get(&mut client).await.expect("it is there");
    apply(&mut client, vec![node("a")]).await;
    let update = |etag: &str, display_name: &str, paths: &[&str]| UpdateGraphRequest {
        graph: Some(Graph {
            name: GRAPH.into(),
            display_name: display_name.into(),
            etag: etag.into(),
            ..Graph::default()
        }),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
    };
    // Content has changed, the graph's own fields have not.
    let new = client.update_graph(update(&old.etag, "new", &["display_name"])).await.expect("it is newest");
    let new = new.into_inner();
    assert_eq!((new.display_name.as_str(), new.revision, new.node_count), ("new", 3, 1));
    assert_ne!(new.etag, old.etag);
    for etag in [old.etag.as_str(), "made up"] {
        refused(client.update_graph(update(etag, "newer", &[])).await, Code::Aborted, "ETAG_MISMATCH");
    }
    let status =
        refused(client.update_graph(update("", "x", &["uid"])).await, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(field_of(&status), "update_mask.paths[0]");
    let cleared = client.update_graph(update("", "", &["*"])).await.expect("everything").into_inner();
    assert_eq!((cleared.display_name.as_str(), cleared.revision), ("", 4));
    assert_eq!(get(&mut client).await.expect("it is there"), cleared);
    let delete = DeleteGraphRequest { name: GRAPH.into(), etag: old.etag };
    refused(client.delete_graph(delete).await, Code::Aborted, "ETAG_MISMATCH");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_graph_is_gone_and_its_name_is_free() {
    let (_world, mut client) = World::with_graph().await;
    apply(&mut client, vec![node("a")]).await;
    let old = get(&mut client).await.expect("it is there");
    let delete = || DeleteGraphRequest { name: GRAPH.into(), etag: String::new() };
    client.delete_graph(delete()).await.expect("it is there");
    refused(client.delete_graph(delete()).await, Code::NotFound, "GRAPH_NOT_FOUND");
    refused(get(&mut client).await, Code::NotFound, "GRAPH_NOT_FOUND");
    let changes = super::support::changes(vec![node("b")]);
    refused(client.apply_changes(changes).await, Code::NotFound, "GRAPH_NOT_FOUND");
    let new = create(&mut client, "g").await;
    assert_ne!(new.uid, old.uid);
    assert_eq!(apply(&mut client, vec![node("b")]).await, 2);
    assert_eq!(get(&mut client).await.expect("it is there").node_count, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_has_so_many_graphs_and_no_more() {
    let world = World::new().await;
    let mut client = world.process(Options { max_graphs_per_project: 2, ..Options::default() }).await;
    create(&mut client, "a").await;
    create(&mut client, "").await;
    let third = CreateGraphRequest {
        parent: "projects/p".into(),
        graph: Some(Graph::default()),
        ..CreateGraphRequest::default()
    };
    refused(client.create_graph(third).await, Code::ResourceExhausted, "TOO_MANY_GRAPHS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graphs_are_unloaded_when_memory_is_short_and_nothing_is_lost() {
    let world = World::new().await;
    let mut client = world.process(Options { memory_limit: 1, ..Options::default() }).await;
    for round in 0..3 {
        for id in ["a", "b", "c", "d"] {
            if round == 0 {
                create(&mut client, id).await;
            }
            let graph = format!("projects/p/graphs/{id}");
            let mut request = super::support::changes(vec![node(&format!("n{round}"))]);
            request.graph.clone_from(&graph);
            let revision = client.apply_changes(request).await.expect("it fits").into_inner().revision;
            assert_eq!(revision, round + 2);
        }
    }
}
