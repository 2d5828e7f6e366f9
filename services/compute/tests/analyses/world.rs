//! A graph service and a compute service in this process, and what tests say to them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_compute::{ComputeService, Options};
use weft_graph::GraphService;
use weft_kit::{Clock, Ids, Lifecycle, Peer, metrics::Metrics};
use weft_proto::weft::{
    compute::v1::{
        Algorithm, Analysis, AnalysisState, AnalysisValue, CreateAnalysisRequest, CreateLayoutRequest,
        GetAnalysisRequest, Layout, ListAnalysisValuesRequest, WatchAnalysisRequest, algorithm::Kind,
        analysis_service_client::AnalysisServiceClient, layout_service_client::LayoutServiceClient,
    },
    graph::v1::{
        ApplyChangesRequest, Change, CreateGraphRequest, Edge, EdgeUpsert, GetGraphRequest, Graph, Node,
        NodeUpsert, change::Change as ChangeKind, graph_service_client::GraphServiceClient,
    },
};
use weft_store::{Stores, objects::Objects};

pub(crate) const GRAPH: &str = "projects/p/graphs/g";

pub(crate) struct World {
    pub(crate) client: AnalysisServiceClient<Peer>,
    layouts: LayoutServiceClient<Peer>,
    graph: Peer,
    pub(crate) graphs: GraphServiceClient<Peer>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) stores: Stores,
    pub(crate) objects: Objects,
    options: Options,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.unwrap();
        let objects = Objects::open(&format!("file://{}", folder.path().join("o").display()), None).unwrap();
        let deps = weft_graph::Deps {
            store: stores.graph.clone(),
            bus: weft_bus::open("memory:").await.unwrap().bus,
            clock: Clock::system(),
            ids: Ids::system(),
            lifecycle: Lifecycle::new(),
            metrics: Metrics::new(),
        };
        let service = GraphService::open(weft_graph::Options::default(), deps).unwrap();
        let graph = Peer::new(service.into_server());
        let graphs = GraphServiceClient::new(graph.clone());
        let new = CreateGraphRequest {
            parent: "projects/p".into(),
            graph_id: "g".into(),
            graph: Some(Graph::default()),
            ..CreateGraphRequest::default()
        };
        graphs.clone().create_graph(new).await.unwrap();
        let (client, layouts, lifecycle) = open(&graph, &stores, &objects, &options);
        Self { client, layouts, graph, graphs, lifecycle, stores, objects, options, _folder: folder }
    }

    /// Ends the compute service in an orderly way, and opens it again.
    pub(crate) async fn restart(mut self) -> Self {
        self.lifecycle.shut_down(Duration::from_secs(30)).await;
        (self.client, self.layouts, self.lifecycle) =
            open(&self.graph, &self.stores, &self.objects, &self.options);
        self
    }

    /// Makes a layout of the graph, and waits until it has settled and is saved.
    pub(crate) async fn settle(&self, id: &str) {
        let request = CreateLayoutRequest {
            parent: GRAPH.into(),
            layout_id: id.into(),
            layout: Some(Layout::default()),
            ..CreateLayoutRequest::default()
        };
        self.layouts.clone().create_layout(request).await.unwrap();
        soon(async {
            while self.objects.list("layouts", "", 10).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// The graph as it is now.
    pub(crate) async fn graph(&self) -> Graph {
        let request = GetGraphRequest { name: GRAPH.into() };
        self.graphs.clone().get_graph(request).await.unwrap().into_inner()
    }

    pub(crate) async fn apply(&self, changes: Vec<ChangeKind>) {
        for changes in changes.chunks(10_000) {
            let changes = changes.iter().map(|change| Change { change: Some(change.clone()) }).collect();
            let request = ApplyChangesRequest {
                graph: GRAPH.into(),
                changes,
                create_missing_nodes: true,
                ..ApplyChangesRequest::default()
            };
            self.graphs.clone().apply_changes(request).await.unwrap();
        }
    }

    pub(crate) async fn link(&self, edges: &[(&str, &str, f64)]) {
        self.apply(edges.iter().map(|(source, target, weight)| edge(source, target, *weight)).collect())
            .await;
    }

    /// A ring of so many nodes, on which exact betweenness takes long.
    pub(crate) async fn ring(&self, nodes: u32) {
        let key = |at: u32| format!("n{}", at % nodes);
        self.apply((0..nodes).map(|at| edge(&key(at), &key(at + 1), 1.0)).collect()).await;
    }

    pub(crate) async fn create(&self, id: &str, kind: Kind) -> Result<Analysis, Status> {
        self.create_analysis(id, analysis(kind)).await
    }

    pub(crate) async fn create_analysis(&self, id: &str, analysis: Analysis) -> Result<Analysis, Status> {
        let request = CreateAnalysisRequest {
            parent: GRAPH.into(),
            analysis_id: id.into(),
            analysis: Some(analysis),
            ..CreateAnalysisRequest::default()
        };
        Ok(self.client.clone().create_analysis(request).await?.into_inner())
    }

    pub(crate) async fn get(&self, name: &str) -> Result<Analysis, Status> {
        let request = GetAnalysisRequest { name: name.into() };
        Ok(self.client.clone().get_analysis(request).await?.into_inner())
    }

    /// Every state that somebody who watches is told.
    pub(crate) async fn watch(&self, name: &str) -> Vec<Analysis> {
        let request = WatchAnalysisRequest { name: name.into() };
        let mut stream = self.client.clone().watch_analysis(request).await.unwrap().into_inner();
        let mut states = Vec::new();
        while let Some(state) = soon(stream.message()).await.unwrap() {
            states.push(state);
        }
        states
    }

    /// Waits until it is in a state, or past it.
    pub(crate) async fn until(&self, name: &str, state: AnalysisState) -> Analysis {
        soon(async {
            loop {
                let analysis = self.get(name).await.unwrap();
                if i32::from(state) <= analysis.state {
                    return analysis;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// Runs to its end.
    pub(crate) async fn run(&self, kind: Kind) -> Analysis {
        self.run_analysis(analysis(kind)).await
    }

    pub(crate) async fn run_analysis(&self, analysis: Analysis) -> Analysis {
        let created = self.create_analysis("", analysis).await.unwrap();
        self.watch(&created.name).await.pop().expect("a state")
    }

    /// All values of an analysis that succeeds.
    pub(crate) async fn values(&self, kind: Kind) -> BTreeMap<String, Vec<f64>> {
        let done = self.run(kind).await;
        assert_eq!(done.state(), AnalysisState::Succeeded, "{:?}", done.error);
        let values = self.page(&done.name, "").await;
        values.into_iter().map(|value| (value.node, value.values)).collect()
    }

    pub(crate) async fn page(&self, name: &str, order_by: &str) -> Vec<AnalysisValue> {
        let request = ListAnalysisValuesRequest {
            name: name.into(),
            order_by: order_by.into(),
            page_size: 10_000,
            ..ListAnalysisValuesRequest::default()
        };
        self.client.clone().list_analysis_values(request).await.unwrap().into_inner().values
    }
}

fn open(
    graph: &Peer,
    stores: &Stores,
    objects: &Objects,
    options: &Options,
) -> (AnalysisServiceClient<Peer>, LayoutServiceClient<Peer>, Lifecycle) {
    let lifecycle = Lifecycle::new();
    let deps = weft_compute::Deps {
        store: Arc::clone(&stores.layout),
        analyses: Arc::clone(&stores.analysis),
        objects: objects.clone(),
        graph: graph.clone(),
        sharing: None,
        clock: Clock::system(),
        ids: Ids::system(),
        lifecycle: lifecycle.clone(),
    };
    let service = ComputeService::open(options.clone(), deps).unwrap();
    let analyses = AnalysisServiceClient::new(Peer::new(service.analyses().into_server()));
    (analyses, LayoutServiceClient::new(Peer::new(service.into_server())), lifecycle)
}

pub(crate) fn analysis(kind: Kind) -> Analysis {
    Analysis { algorithm: Some(Algorithm { kind: Some(kind) }), ..Analysis::default() }
}

pub(crate) fn edge(source: &str, target: &str, weight: f64) -> ChangeKind {
    let edge = Edge { source: source.into(), target: target.into(), weight: Some(weight), ..Edge::default() };
    ChangeKind::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })
}

pub(crate) fn node(key: &str) -> ChangeKind {
    let node = Node { key: key.into(), ..Node::default() };
    ChangeKind::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })
}

/// The code and the reason of a status.
pub(crate) fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    (status.code(), details.error_info().map(|info| info.reason.clone()).unwrap_or_default())
}

/// The code and the reason with which an analysis has failed.
pub(crate) fn failure(analysis: &Analysis) -> (Code, String) {
    assert_eq!(analysis.state(), AnalysisState::Failed, "{analysis:?}");
    let error = analysis.error.clone().expect("why it failed");
    let details = prost::Message::encode_to_vec(&error);
    reason(&Status::with_details(error.code.into(), error.message, details.into()))
}

/// Fails a test that waits for what does not come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it should have happened by now")
}
