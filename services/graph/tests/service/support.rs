//! A service with its own database and its own bus, and short words for requests.

use std::{sync::Arc, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_bus::Bus;
use weft_graph::{Deps, GraphService, Options, SourceService};
use weft_kit::{Clock, Ids, Lifecycle, metrics::Metrics};
use weft_proto::weft::graph::v1::{
    ApplyChangesRequest, Change, CreateGraphRequest, Edge, EdgeUpsert, Graph, Node, NodeDelete, NodeUpsert,
    change, graph_service_client::GraphServiceClient, graph_service_server::GraphServiceServer,
    source_service_client::SourceServiceClient, source_service_server::SourceServiceServer,
};
use weft_store::Stores;

/// The client, without a socket between it and the service.
pub(crate) type Client = GraphServiceClient<GraphServiceServer<GraphService>>;

/// The client of sources.
pub(crate) type SourceClient = SourceServiceClient<SourceServiceServer<SourceService>>;

/// The graph that most tests use.
pub(crate) const GRAPH: &str = "projects/p/graphs/g";

/// A database in a folder that goes with the test.
pub(crate) struct World {
    pub(crate) stores: Stores,
    pub(crate) life: Lifecycle,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let url = format!("sqlite:{}", folder.path().join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.expect("the store opens");
        Self { stores, life: Lifecycle::new(), _folder: folder }
    }

    /// A process over this database, with a bus of its own.
    pub(crate) async fn process(&self, options: Options) -> Client {
        self.process_on(options, bus().await)
    }

    /// A process over this database, on a bus.
    pub(crate) fn process_on(&self, options: Options, bus: Arc<dyn Bus>) -> Client {
        GraphServiceClient::new(self.open(options, bus).into_server())
    }

    /// A process over this database with both of its services.
    pub(crate) async fn with_sources(&self, options: Options) -> (Client, SourceClient) {
        let graph = self.open(options, bus().await);
        let sources = SourceService::new(&graph, Arc::clone(&self.stores.source));
        (GraphServiceClient::new(graph.into_server()), SourceServiceClient::new(sources.into_server()))
    }

    fn open(&self, options: Options, bus: Arc<dyn Bus>) -> GraphService {
        let deps = Deps {
            store: Arc::clone(&self.stores.graph),
            bus,
            clock: Clock::system(),
            ids: Ids::system(),
            lifecycle: self.life.clone(),
            metrics: Metrics::new(),
        };
        GraphService::open(options, deps).expect("the options are good")
    }

    /// A process with default options, and a graph.
    pub(crate) async fn with_graph() -> (Self, Client) {
        let world = Self::new().await;
        let mut client = world.process(Options::default()).await;
        create(&mut client, "g").await;
        (world, client)
    }
}

pub(crate) async fn bus() -> Arc<dyn Bus> {
    weft_bus::open("memory:").await.expect("a bus in memory opens").bus
}

pub(crate) async fn create(client: &mut Client, id: &str) -> Graph {
    let request = CreateGraphRequest {
        parent: "projects/p".into(),
        graph_id: id.into(),
        graph: Some(Graph::default()),
        ..CreateGraphRequest::default()
    };
    client.create_graph(request).await.expect("the name is free").into_inner()
}

pub(crate) fn node(key: &str) -> Change {
    put_node(Node { key: key.into(), ..Node::default() })
}

pub(crate) fn put_node(node: Node) -> Change {
    Change { change: Some(change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })) }
}

pub(crate) fn edge(source: &str, target: &str) -> Change {
    put_edge(Edge { source: source.into(), target: target.into(), ..Edge::default() })
}

pub(crate) fn put_edge(edge: Edge) -> Change {
    Change { change: Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })) }
}

pub(crate) fn delete(key: &str) -> Change {
    Change { change: Some(change::Change::DeleteNode(NodeDelete { key: key.into() })) }
}

pub(crate) fn changes(changes: Vec<Change>) -> ApplyChangesRequest {
    ApplyChangesRequest {
        graph: GRAPH.into(),
        changes,
        create_missing_nodes: true,
        ..ApplyChangesRequest::default()
    }
}

/// Applies changes; gives the revision.
pub(crate) async fn apply(client: &mut Client, list: Vec<Change>) -> i64 {
    client.apply_changes(changes(list)).await.expect("the changes are good").into_inner().revision
}

/// Checks code and reason of a refusal.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, reason: &str) -> Status {
    let status = result.expect_err("it is refused");
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some(reason), "{status:?}");
    status
}

/// The first field that a refusal names.
pub(crate) fn field_of(status: &Status) -> String {
    let details = status.get_error_details();
    details.bad_request().expect("it names a field").field_violations[0].field.clone()
}

/// Something that must come soon.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it comes within 20 seconds")
}
