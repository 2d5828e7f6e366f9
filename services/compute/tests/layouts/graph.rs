//! A graph service with one graph, whose connections and journal break where a test says so.
//! It speaks the contract; what it cannot do is not needed by layouts.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex},
};

use futures::{Stream, StreamExt, stream};
use prost::Message;
use prost_types::{Struct, value::Kind as Value};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};
use weft_kit::Peer;
use weft_proto::{
    google::api::HttpBody,
    weft::graph::v1::{
        ApplyChangesRequest, ApplyChangesResponse, Change, ChangeBatch, CreateGraphRequest,
        DeleteGraphRequest, Edge, EdgeColumns, EdgeUpsert, ExportGraphRequest, FindShortestPathRequest,
        FindShortestPathResponse, GetGraphRequest, GetNeighborhoodRequest, GetNeighborhoodResponse,
        GetNodeRequest, GetStatisticsRequest, Graph, GraphKind, GraphStatistics, ImportGraphRequest,
        ImportGraphResponse, ListEdgesRequest, ListEdgesResponse, ListGraphsRequest, ListGraphsResponse,
        ListNodesRequest, ListNodesResponse, ListRelatedNodesRequest, ListRelatedNodesResponse, Node,
        NodeColumns, NodeDelete, NodeUpsert, SearchNodesRequest, SearchNodesResponse, SnapshotEnd,
        SnapshotHeader, StreamSnapshotRequest, StreamSnapshotResponse, UpdateGraphRequest, WatchGraphRequest,
        WatchGraphResponse,
        change::Change as Kind,
        graph_service_server::{GraphService, GraphServiceServer},
        stream_snapshot_response::Piece,
        watch_graph_response::Event,
    },
};

/// Name of the graph.
pub(crate) const GRAPH: &str = "projects/p/graphs/g";

#[derive(Clone)]
pub(crate) struct TestGraph(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Grows when there is something new to tell.
    changed: watch::Sender<u64>,
}

#[derive(Clone, Default)]
struct State {
    uid: String,
    kind: GraphKind,
    revision: i64,
    /// Changes up to this revision are forgotten.
    compacted: i64,
    deleted: bool,
    away: bool,
    nodes: BTreeMap<String, u32>,
    /// Values of the nodes' only property, `team`.
    teams: BTreeMap<String, String>,
    edges: Vec<(String, String)>,
    journal: Vec<ChangeBatch>,
    next_ordinal: u32,
    /// Watching streams of an older number end.
    connection: u64,
    snapshots: usize,
    /// Counts that the header claims instead of the true ones.
    claimed_nodes: Option<i64>,
}

impl TestGraph {
    /// A ring of that many nodes, keys `n0`, `n1`, …, ordinals from `first`.
    pub(crate) fn ring(nodes: u32, first: u32) -> Self {
        let key = |at: u32| format!("n{}", at % nodes);
        let state = State {
            uid: "11111111-2222-4333-8444-555555555555".into(),
            kind: GraphKind::Knowledge,
            revision: 1,
            nodes: (0..nodes).map(|at| (key(at), first + at)).collect(),
            edges: (0..nodes).map(|at| (key(at), key(at + 1))).collect(),
            next_ordinal: first + nodes,
            ..State::default()
        };
        Self(Arc::new(Inner { state: Mutex::new(state), changed: watch::Sender::new(0) }))
    }

    /// How to call it.
    pub(crate) fn peer(&self) -> Peer {
        Peer::new(GraphServiceServer::new(self.clone()))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.0.state.lock().unwrap());
        self.0.changed.send_modify(|number| *number += 1);
        result
    }

    /// Adds a node, linked to another one, and says its ordinal.
    pub(crate) fn add_node(&self, key: &str, linked_to: &str) -> u32 {
        self.change(|state| {
            let ordinal = state.next_ordinal;
            state.next_ordinal += 1;
            state.nodes.insert(key.into(), ordinal);
            state.edges.push((key.into(), linked_to.into()));
            let node = Node { key: key.into(), ordinal, ..Node::default() };
            let edge = Edge { source: key.into(), target: linked_to.into(), ..Edge::default() };
            state.commit(vec![
                Kind::UpsertNode(NodeUpsert { node: Some(node), update_mask: None }),
                Kind::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None }),
            ]);
            ordinal
        })
    }

    /// Says what a node's property `team` is.
    pub(crate) fn set_team(&self, key: &str, team: &str) {
        self.change(|state| {
            state.teams.insert(key.into(), team.into());
            let ordinal = state.nodes[key];
            let properties = Some(state.properties(key).into());
            let node = Node { key: key.into(), ordinal, properties, ..Node::default() };
            state.commit(vec![Kind::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })]);
        });
    }

    pub(crate) fn delete_node(&self, key: &str) {
        self.change(|state| {
            state.nodes.remove(key);
            state.edges.retain(|(source, target)| source != key && target != key);
            state.commit(vec![Kind::DeleteNode(NodeDelete { key: key.into() })]);
        });
    }

    /// Ends every stream that watches.
    pub(crate) fn cut(&self) {
        self.change(|state| state.connection += 1);
    }

    /// Answers nothing but UNAVAILABLE, or answers again.
    pub(crate) fn set_away(&self, away: bool) {
        self.change(|state| {
            state.away = away;
            state.connection += 1;
        });
    }

    /// Forgets the journal, so that whoever is behind needs a snapshot.
    pub(crate) fn compact(&self) {
        self.change(|state| state.compacted = state.revision);
    }

    pub(crate) fn delete(&self) {
        self.change(|state| state.deleted = true);
    }

    /// Deletes the graph and creates another one of the same name.
    pub(crate) fn replace(&self) {
        self.change(|state| {
            state.uid = "99999999-2222-4333-8444-555555555555".into();
            state.connection += 1;
        });
    }

    /// Claims another number of nodes than there are.
    pub(crate) fn claim_nodes(&self, count: i64) {
        self.change(|state| state.claimed_nodes = Some(count));
    }

    pub(crate) fn revision(&self) -> i64 {
        self.0.state.lock().unwrap().revision
    }

    pub(crate) fn snapshots(&self) -> usize {
        self.0.state.lock().unwrap().snapshots
    }

    fn state(&self) -> Result<State, Status> {
        let state = self.0.state.lock().unwrap().clone();
        if state.away {
            return Err(Status::unavailable("away"));
        }
        if state.deleted { Err(Status::not_found("deleted")) } else { Ok(state) }
    }
}

impl State {
    fn commit(&mut self, changes: Vec<Kind>) {
        self.revision += 1;
        let parts = changes.len();
        // One part for each change: what takes effect takes it with the last part.
        for (part, change) in changes.into_iter().enumerate() {
            self.journal.push(ChangeBatch {
                revision: self.revision,
                part: part as i32,
                last_part: part + 1 == parts,
                changes: vec![Change { change: Some(change) }],
                ..ChangeBatch::default()
            });
        }
    }

    fn properties(&self, key: &str) -> Struct {
        let value = |team: &String| prost_types::Value { kind: Some(Value::StringValue(team.clone())) };
        Struct {
            fields: self.teams.get(key).map(|team| ("team".to_owned(), value(team))).into_iter().collect(),
        }
    }

    fn graph(&self) -> Graph {
        Graph {
            name: GRAPH.into(),
            uid: self.uid.clone(),
            kind: self.kind.into(),
            revision: self.revision,
            node_count: self.claimed_nodes.unwrap_or(self.nodes.len() as i64),
            edge_count: self.edges.len() as i64,
            ..Graph::default()
        }
    }

    fn pieces(&self, with_properties: bool) -> Vec<Piece> {
        let mut nodes: Vec<_> = self.nodes.iter().map(|(key, ordinal)| (*ordinal, key.clone())).collect();
        nodes.sort();
        let ordinal = |key: &String| self.nodes[key];
        let properties = |(_, key): &(u32, String)| self.properties(key).encode_to_vec().into();
        let properties = if with_properties { nodes.iter().map(properties).collect() } else { Vec::new() };
        vec![
            Piece::Header(SnapshotHeader {
                graph: Some(self.graph()),
                node_types: vec![String::new()],
                edge_types: vec![String::new()],
            }),
            Piece::Nodes(NodeColumns {
                ordinals: nodes.iter().map(|node| node.0).collect(),
                keys: nodes.into_iter().map(|node| node.1).collect(),
                properties,
                ..NodeColumns::default()
            }),
            Piece::Edges(EdgeColumns {
                sources: self.edges.iter().map(|edge| ordinal(&edge.0)).collect(),
                targets: self.edges.iter().map(|edge| ordinal(&edge.1)).collect(),
                types: vec![0; self.edges.len()],
                ..EdgeColumns::default()
            }),
            Piece::End(SnapshotEnd { revision: self.revision }),
        ]
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

macro_rules! not_needed {
    ($($method:ident($request:ty) -> $response:ty;)*) => {
        #[tonic::async_trait]
        impl GraphService for TestGraph {
            type StreamSnapshotStream = Answers<StreamSnapshotResponse>;
            type WatchGraphStream = Answers<WatchGraphResponse>;
            type ImportGraphStream = Answers<ImportGraphResponse>;
            type ExportGraphStream = Answers<HttpBody>;

            $(async fn $method(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                Err(Status::unimplemented("not needed by layouts"))
            })*

            async fn get_graph(&self, _: Request<GetGraphRequest>) -> Result<Response<Graph>, Status> {
                Ok(Response::new(self.state()?.graph()))
            }

            async fn stream_snapshot(
                &self,
                request: Request<StreamSnapshotRequest>,
            ) -> Result<Response<Self::StreamSnapshotStream>, Status> {
                self.0.state.lock().unwrap().snapshots += 1;
                let pieces = self.state()?.pieces(request.into_inner().include_properties).into_iter();
                let answer = |piece| Ok(StreamSnapshotResponse { piece: Some(piece) });
                Ok(Response::new(stream::iter(pieces.map(answer)).boxed()))
            }

            async fn watch_graph(
                &self,
                request: Request<WatchGraphRequest>,
            ) -> Result<Response<Self::WatchGraphStream>, Status> {
                let request = request.into_inner();
                let state = self.state()?;
                let after = request.after_revision.unwrap_or(state.revision);
                if request.graph_uid != state.uid {
                    return Err(Status::not_found("another graph has this name"));
                }
                if after < state.compacted {
                    return Err(Status::out_of_range("REVISION_COMPACTED"));
                }
                Ok(Response::new(watching(self.clone(), after, state.connection)))
            }
        }
    };
}

not_needed! {
    create_graph(CreateGraphRequest) -> Graph;
    list_graphs(ListGraphsRequest) -> ListGraphsResponse;
    update_graph(UpdateGraphRequest) -> Graph;
    delete_graph(DeleteGraphRequest) -> ();
    apply_changes(ApplyChangesRequest) -> ApplyChangesResponse;
    get_node(GetNodeRequest) -> Node;
    list_nodes(ListNodesRequest) -> ListNodesResponse;
    list_edges(ListEdgesRequest) -> ListEdgesResponse;
    search_nodes(SearchNodesRequest) -> SearchNodesResponse;
    get_neighborhood(GetNeighborhoodRequest) -> GetNeighborhoodResponse;
    find_shortest_path(FindShortestPathRequest) -> FindShortestPathResponse;
    list_related_nodes(ListRelatedNodesRequest) -> ListRelatedNodesResponse;
    get_statistics(GetStatisticsRequest) -> GraphStatistics;
    import_graph(Streaming<ImportGraphRequest>) -> Answers<ImportGraphResponse>;
    export_graph(ExportGraphRequest) -> Answers<HttpBody>;
}

fn watching(graph: TestGraph, after: i64, connection: u64) -> Answers<WatchGraphResponse> {
    let changed = graph.0.changed.subscribe();
    let begin = (graph, changed, after, 0_usize, connection, false);
    stream::unfold(begin, |(graph, mut changed, after, mut sent, connection, over)| async move {
        if over {
            return None;
        }
        loop {
            changed.borrow_and_update();
            let state = graph.0.state.lock().unwrap().clone();
            let next = state.journal.iter().filter(|batch| batch.revision > after).nth(sent).cloned();
            let again = |graph, changed, sent, over| (graph, changed, after, sent, connection, over);
            if state.deleted {
                let item = Err(Status::not_found("deleted"));
                return Some((item, again(graph, changed, sent, true)));
            }
            if state.connection != connection {
                return None;
            }
            if let Some(batch) = next {
                sent += 1;
                let item = Ok(WatchGraphResponse { event: Some(Event::Changes(batch.into())) });
                return Some((item, again(graph, changed, sent, false)));
            }
            changed.changed().await.ok()?;
        }
    })
    .boxed()
}
