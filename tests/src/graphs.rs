//! Short words for graphs: making, filling, and following them across broken connections.

use tonic::{Status, Streaming};
use weft_proto::weft::graph::v1::{
    ApplyChangesRequest, Change, CreateGraphRequest, Edge, EdgeUpsert, ExportGraphRequest, GetGraphRequest,
    Graph, GraphFormat, ImportBegin, ImportFile, ImportGraphRequest, ImportResult, ListNodesRequest, Node,
    NodeUpsert, WatchGraphRequest, WatchGraphResponse, change, import_graph_request::Piece,
    import_graph_response, watch_graph_response::Event,
};

use crate::client::Client;

/// Makes `projects/p/graphs/{id}`, and gives its name.
pub async fn create(client: &Client, id: &str) -> String {
    let request = CreateGraphRequest {
        parent: "projects/p".into(),
        graph_id: id.into(),
        graph: Some(Graph::default()),
        ..CreateGraphRequest::default()
    };
    client.graphs().create_graph(request).await.expect("the name is free").into_inner().name
}

/// A graph's own fields.
pub async fn get(client: &Client, graph: &str) -> Graph {
    client.graphs().get_graph(GetGraphRequest { name: graph.into() }).await.expect("it is there").into_inner()
}

/// A change that makes a node.
pub fn node(key: &str) -> Change {
    put_node(Node { key: key.into(), ..Node::default() })
}

/// A change that writes a node.
pub fn put_node(node: Node) -> Change {
    Change { change: Some(change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })) }
}

/// A change that makes an edge.
pub fn edge(source: &str, target: &str) -> Change {
    let edge = Edge { source: source.into(), target: target.into(), ..Edge::default() };
    Change { change: Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })) }
}

/// A batch of changes that makes the nodes that its edges need.
pub fn changes(graph: &str, changes: Vec<Change>) -> ApplyChangesRequest {
    ApplyChangesRequest {
        graph: graph.into(),
        changes,
        create_missing_nodes: true,
        ..ApplyChangesRequest::default()
    }
}

/// Applies changes, and gives the revision.
pub async fn apply(client: &Client, graph: &str, list: Vec<Change>) -> i64 {
    client
        .graphs()
        .apply_changes(changes(graph, list))
        .await
        .expect("the changes are good")
        .into_inner()
        .revision
}

/// The messages of an import.
pub fn import_messages(begin: ImportBegin, files: &[(&str, &[u8])]) -> Vec<ImportGraphRequest> {
    let message = |piece| ImportGraphRequest { piece: Some(piece) };
    let mut all = vec![message(Piece::Begin(begin))];
    for (path, data) in files {
        all.push(message(Piece::File(ImportFile { path: (*path).into(), size_bytes: 0 })));
        all.extend(data.chunks(64 << 10).map(|chunk| message(Piece::Data(chunk.to_vec().into()))));
    }
    all
}

/// Imports, and gives the result.
///
/// # Errors
/// What the service says.
pub async fn import_raw(client: &Client, messages: Vec<ImportGraphRequest>) -> Result<ImportResult, Status> {
    let mut answers = client.graphs().import_graph(tokio_stream::iter(messages)).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        if let Some(import_graph_response::Event::Result(result)) = answer.event {
            return Ok(result);
        }
    }
    Err(Status::unavailable("the import ended without a result"))
}

/// Imports files into a graph, beside what is there.
///
/// # Errors
/// What the service says.
pub async fn import(client: &Client, graph: &str, files: &[(&str, &[u8])]) -> Result<ImportResult, Status> {
    let begin = ImportBegin { graph: graph.into(), ..ImportBegin::default() };
    import_raw(client, import_messages(begin, files)).await
}

/// A graph as a file.
pub async fn export(client: &Client, graph: &str, format: GraphFormat, gzip: bool) -> Vec<u8> {
    let request = ExportGraphRequest {
        graph: graph.into(),
        format: format.into(),
        gzip,
        ..ExportGraphRequest::default()
    };
    let mut chunks = client.graphs().export_graph(request).await.expect("it begins").into_inner();
    let mut file = Vec::new();
    while let Some(chunk) = chunks.message().await.expect("it goes on") {
        file.extend_from_slice(&chunk.data);
    }
    file
}

/// All nodes of a graph.
pub async fn all_nodes(client: &Client, graph: &str) -> Vec<Node> {
    let mut request =
        ListNodesRequest { graph: graph.into(), page_size: 1_000, ..ListNodesRequest::default() };
    let mut all = Vec::new();
    loop {
        let page = client.graphs().list_nodes(request.clone()).await.expect("a page").into_inner();
        all.extend(page.nodes);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

/// One whole revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its number.
    pub number: i64,
    /// What it did.
    pub changes: Vec<Change>,
}

impl Revision {
    /// The keys of the nodes that it wrote, in order.
    pub fn node_keys(&self) -> Vec<&str> {
        self.changes.iter().filter_map(node_key).collect()
    }
}

fn node_key(change: &Change) -> Option<&str> {
    match &change.change {
        Some(change::Change::UpsertNode(upsert)) => upsert.node.as_ref().map(|node| node.key.as_str()),
        _ => None,
    }
}

/// Follows a graph as the contract says: resumes after the last revision that it has whole, and
/// panics at a gap or a double.
#[derive(Debug)]
pub struct Follower {
    /// The graph.
    pub graph: String,
    /// The last revision that it has whole.
    pub after: i64,
    stream: Option<Streaming<WatchGraphResponse>>,
    parts: Vec<Change>,
    next_part: i32,
}

impl Follower {
    /// Follows from after a revision.
    pub fn new(graph: &str, after: i64) -> Self {
        Self { graph: graph.into(), after, stream: None, parts: Vec::new(), next_part: 0 }
    }

    /// Drops the connection; the next call resumes.
    pub fn disconnect(&mut self) {
        self.stream = None;
    }

    /// The next revision; `None` for what says only that there is nothing more for now. After an error
    /// the next call resumes.
    ///
    /// # Errors
    /// What ended the stream.
    pub async fn next(&mut self, client: &Client) -> Result<Option<Revision>, Status> {
        let result = self.read(client).await;
        if result.is_err() {
            self.stream = None;
        }
        result
    }

    async fn read(&mut self, client: &Client) -> Result<Option<Revision>, Status> {
        if self.stream.is_none() {
            let request = WatchGraphRequest {
                graph: self.graph.clone(),
                after_revision: Some(self.after),
                graph_uid: String::new(),
            };
            self.stream = Some(client.graphs().watch_graph(request).await?.into_inner());
            self.parts.clear();
            self.next_part = 0;
        }
        let stream = self.stream.as_mut().expect("it was just opened");
        while let Some(message) = stream.message().await? {
            let batch = match message.event.expect("it tells something") {
                Event::Changes(changes) => changes.into_inner(),
                Event::CaughtUpRevision(revision) => {
                    assert_eq!(
                        (revision, self.next_part),
                        (self.after, 0),
                        "caught up, but something is missing"
                    );
                    return Ok(None);
                }
            };
            assert_eq!((batch.revision, batch.part), (self.after + 1, self.next_part), "a gap or a double");
            self.parts.extend(batch.changes);
            self.next_part += 1;
            if batch.last_part {
                self.after = batch.revision;
                self.next_part = 0;
                return Ok(Some(Revision {
                    number: batch.revision,
                    changes: std::mem::take(&mut self.parts),
                }));
            }
        }
        Err(Status::unavailable("a watch has no end"))
    }

    /// The next revision, however long the rest is silent.
    ///
    /// # Errors
    /// What ended the stream.
    pub async fn revision(&mut self, client: &Client) -> Result<Revision, Status> {
        loop {
            if let Some(revision) = self.next(client).await? {
                return Ok(revision);
            }
        }
    }

    /// Everything up to a revision.
    ///
    /// # Errors
    /// What ended the stream.
    pub async fn until(&mut self, client: &Client, revision: i64) -> Result<Vec<Revision>, Status> {
        let mut all = Vec::new();
        while self.after < revision {
            all.push(self.revision(client).await?);
        }
        Ok(all)
    }
}
