//! Creating, importing, changing, watching, taking out.

use weft_proto::weft::graph::v1::{
    DeleteGraphRequest, GetNodeRequest, GraphFormat, ImportBegin, ImportMode, ListGraphsRequest,
};
use weft_tests::{
    client::Client,
    graphs::{self, Follower, edge, node},
    refused::refused,
};

use crate::data::{Files, PACKAGES};

/// Makes a graph and brings the packages in: one revision.
pub(crate) async fn create_and_import(client: &Client) -> String {
    let graph = graphs::create(client, "debian").await;
    let files = Files::read();
    let begin = ImportBegin {
        graph: graph.clone(),
        mode: ImportMode::Replace.into(),
        default_node_type: "package".into(),
        ..ImportBegin::default()
    };
    let result =
        graphs::import_raw(client, graphs::import_messages(begin, &files.parts())).await.expect("good files");
    assert_eq!((result.revision, result.created_node_count), (2, PACKAGES as i64));
    assert_eq!(result.created_edge_count, files.edge_count);
    let page = ListGraphsRequest { parent: "projects/p".into(), ..Default::default() };
    let list = client.graphs().list_graphs(page).await.expect("a page").into_inner();
    assert_eq!(
        (list.graphs.len(), &list.graphs[0].name, list.graphs[0].node_count),
        (1, &graph, PACKAGES as i64)
    );
    graph
}

/// Changes the graph while somebody watches whose connection breaks: they hear of every revision once.
pub(crate) async fn change_and_watch(client: &Client, graph: &str) {
    let watcher = client.apart();
    let first = graphs::get(client, graph).await.revision;
    let mut follower = Follower::new(graph, first);
    assert_eq!(follower.next(&watcher).await.expect("it begins"), None, "nothing has happened yet");
    graphs::apply(client, graph, vec![node("n1"), edge("n1", "0ad")]).await;
    let seen = follower.revision(&watcher).await.expect("it lives");
    assert_eq!((seen.number, seen.node_keys()), (first + 1, vec!["n1"]));
    // What happens while nobody is connected is heard afterwards.
    follower.disconnect();
    for key in ["n2", "n3", "n4"] {
        graphs::apply(client, graph, vec![node(key)]).await;
    }
    let missed = follower.until(&watcher.apart(), first + 4).await.expect("it resumes");
    let keys: Vec<_> = missed.iter().flat_map(graphs::Revision::node_keys).collect();
    assert_eq!(keys, ["n2", "n3", "n4"]);

    let stale = weft_proto::weft::graph::v1::ApplyChangesRequest {
        expected_revision: Some(first),
        ..graphs::changes(graph, vec![node("n5")])
    };
    refused(client.graphs().apply_changes(stale).await).is(tonic::Code::Aborted, "REVISION_MISMATCH", "");
    let gone = client.graphs().get_node(GetNodeRequest { graph: graph.into(), key: "n5".into() }).await;
    refused(gone).is(tonic::Code::NotFound, "NODE_NOT_FOUND", "");
}

/// What comes out goes in again, as the same graph.
pub(crate) async fn export_and_import(client: &Client, graph: &str) {
    let original = graphs::get(client, graph).await;
    for (index, (format, gzip, path)) in [
        (GraphFormat::JsonGraph, false, "g.json"),
        (GraphFormat::Graphml, true, "g.graphml.gz"),
        (GraphFormat::Csv, false, "g.tar"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = graphs::export(client, graph, format, gzip).await;
        let copy = graphs::create(client, &format!("copy{index}")).await;
        let result = graphs::import(client, &copy, &[(path, &file)])
            .await
            .unwrap_or_else(|status| panic!("{path}: {status}"));
        let counts = (result.created_node_count, result.created_edge_count);
        assert_eq!(counts, (original.node_count, original.edge_count), "{path}");
        assert!(graphs::export(client, &copy, format, false).await.len() > 1_000, "{path}");
        client
            .graphs()
            .delete_graph(DeleteGraphRequest { name: copy, etag: String::new() })
            .await
            .expect("it is there");
    }
}
