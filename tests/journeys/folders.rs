//! A folder of notes that a graph is kept true to, and questions that are asked about it.

use std::{fs, path::Path};

use weft_proto::weft::graph::v1::{
    CreateSourceRequest, FolderLocation, ListNodesRequest, PropertyLink, Refresh, RefreshSourceRequest,
    RefreshState, SearchNodesRequest, Source, WatchRefreshRequest, source::Location,
};
use weft_tests::{client::Client, graphs};

/// Writes the notes that [`keep_true`] begins with.
pub(crate) fn write_notes(folder: &Path) {
    fs::create_dir_all(folder.join("people")).expect("a folder can be made");
    let engine = "---\nauthor: [Ada, Charles]\nconfidence: 0.9\n---\nThe engine weaves. See [[Numbers]].\n";
    fs::write(folder.join("Engine.md"), engine).expect("it can be written");
    let numbers = "---\nauthor: Ada\nconfidence: 0.4\n---\nBernoulli.\n";
    fs::write(folder.join("Numbers.md"), numbers).expect("it can be written");
    fs::write(folder.join("people/Ada.md"), "Countess of Lovelace.\n").expect("it can be written");
}

/// Brings the folder "notes" in, changes a file of it and brings it in again. `folder` is where it is.
pub(crate) async fn keep_true(client: &Client, folder: &Path) {
    let graph = graphs::create(client, "knowledge").await;
    let location = FolderLocation { folder: "projects/p/folders/notes".into(), ..FolderLocation::default() };
    let author =
        PropertyLink { property: "author".into(), node_type: "creator".into(), edge_type: String::new() };
    let create = CreateSourceRequest {
        parent: graph.clone(),
        source_id: "notes".into(),
        source: Some(Source {
            location: Some(Location::Folder(location)),
            property_links: vec![author],
            ..Source::default()
        }),
        ..CreateSourceRequest::default()
    };
    let source = client.sources().create_source(create).await.expect("the folder is open").into_inner();
    let first = refresh(client, &source.name).await;
    let result = first.result.expect("it succeeded");
    assert_eq!((result.created_node_count, result.created_edge_count), (4, 4));

    assert_eq!(keys(client, &graph, "type = creator").await, ["Charles"], "Ada has a page of her own");
    assert_eq!(keys(client, &graph, "properties.confidence > 0.5").await, ["Engine"]);
    let search = SearchNodesRequest {
        graph: graph.clone(),
        query: "lovelace".into(),
        ..SearchNodesRequest::default()
    };
    let found = client.graphs().search_nodes(search).await.expect("it is good").into_inner();
    assert_eq!(found.results[0].node.as_ref().map(|node| node.key.as_str()), Some("people/Ada"));

    fs::write(folder.join("Numbers.md"), "---\nconfidence: 0.8\n---\nBernoulli, corrected.\n")
        .expect("it can be written");
    let second = refresh(client, &source.name).await.result.expect("it succeeded");
    assert_eq!(
        (second.created_node_count, second.updated_node_count, second.deleted_edge_count),
        (0, 1, 1),
        "only what has changed is written"
    );
    assert_eq!(keys(client, &graph, "properties.confidence > 0.5").await, ["Engine", "Numbers"]);
    let answer = client.rest(&format!("GET /v1/{}", source.name), None).await;
    assert_eq!(answer.json()["lastRefresh"]["state"], "REFRESH_STATE_SUCCEEDED", "the same over REST");
}

/// Refreshes a source and waits for its end.
pub(crate) async fn refresh(client: &Client, name: &str) -> Refresh {
    let request = RefreshSourceRequest { name: name.into() };
    let begun = client.sources().refresh_source(request).await.expect("none runs").into_inner();
    let watch = WatchRefreshRequest { name: begun.name };
    let mut states = client.sources().watch_refresh(watch).await.expect("it is there").into_inner();
    let mut last = None;
    while let Some(state) = states.message().await.expect("the stream does not break") {
        last = Some(state);
    }
    let last = last.expect("its state is told");
    assert_eq!(last.state(), RefreshState::Succeeded, "{last:?}");
    last
}

async fn keys(client: &Client, graph: &str, filter: &str) -> Vec<String> {
    let request =
        ListNodesRequest { graph: graph.into(), filter: filter.into(), ..ListNodesRequest::default() };
    let nodes = client.graphs().list_nodes(request).await.expect("it is good").into_inner().nodes;
    let mut keys: Vec<_> = nodes.into_iter().map(|node| node.key).collect();
    keys.sort();
    keys
}
