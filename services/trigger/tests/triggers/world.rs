//! A graph service, an execution service and trigger services in this process, and what tests say to them.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt;
use tower::ServiceExt;
use weft_execution::ExecutionService;
use weft_graph::GraphService;
use weft_kit::{Caller, CallerKind, Clock, Ids, Lifecycle, Peer, Role, metrics::Metrics};
use weft_proto::weft::{
    execution::v1::{
        CreateExecutionRequest, Execution, GetExecutionRequest, ListExecutionsRequest, OnBehalf,
        execution_service_client::ExecutionServiceClient,
    },
    graph::v1::{
        ApplyChangesRequest, Change, CreateGraphRequest, Edge, EdgeUpsert, Graph, GraphKind, Node,
        NodeUpsert, change::Change as ChangeKind, graph_service_client::GraphServiceClient,
    },
    trigger::v1::{
        CreateTriggerRequest, Delivery, DeliveryState, ListDeliveriesRequest, ScheduleSource, Trigger,
        WebhookSource, trigger::Source, trigger_service_client::TriggerServiceClient,
    },
};
use weft_store::Stores;
use weft_trigger::{Deps, Options, TriggerService};

pub(crate) const GRAPH: &str = "projects/p/graphs/g";
/// 2027-01-15T08:00:00Z.
pub(crate) const START: u64 = 1_800_000_000;

pub(crate) type Client = TriggerServiceClient<Peer>;

pub(crate) struct World {
    pub(crate) stores: Stores,
    pub(crate) executions: ExecutionServiceClient<Peer>,
    pub(crate) graphs: GraphServiceClient<Peer>,
    graph_way: Peer,
    bus: Arc<dyn weft_bus::Bus>,
    runs: ExecutionService,
    /// The execution service as trigger services reach it, or do not.
    way: Peer,
    pub(crate) is_cut: Arc<AtomicBool>,
    /// What it says does not come back.
    pub(crate) is_unheard: Arc<AtomicBool>,
    pub(crate) clock: Clock,
    pub(crate) options: Options,
    life: Lifecycle,
    _folder: TempDir,
}

/// One trigger service.
pub(crate) struct Running {
    service: TriggerService,
    life: Lifecycle,
}

/// A server as somebody calls it.
fn called_by<S>(caller: Caller, server: S) -> Peer
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    Peer::new(server.map_request(move |mut request: http::Request<Body>| {
        request.extensions_mut().insert(caller.clone());
        request
    }))
}

/// Somebody of the project `p`.
pub(crate) fn somebody(name: &str, role: Role) -> Caller {
    Caller {
        name: name.into(),
        kind: CallerKind::Principal,
        grants: [("p".to_owned(), role)].into(),
        ..Caller::nobody()
    }
}

fn operator() -> Caller {
    somebody("projects/p/apiKeys/ada", Role::Operator)
}

impl World {
    /// With a workflow that gives what it is given.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.unwrap();
        let life = Lifecycle::new();
        let bus = weft_bus::open("memory:").await.unwrap().bus;
        let graphs = GraphService::open(
            weft_graph::Options::default(),
            weft_graph::Deps {
                store: stores.graph.clone(),
                bus: Arc::clone(&bus),
                clock: Clock::system(),
                ids: Ids::system(),
                lifecycle: life.clone(),
                metrics: Metrics::new(),
            },
        )
        .unwrap();
        let graph_server = graphs.into_server();
        let graph = Peer::new(graph_server.clone());
        let objects = format!("file://{}", folder.path().join("objects").display());
        let executions = ExecutionService::open(
            weft_execution::Options::default(),
            weft_execution::Deps {
                store: stores.execution.clone(),
                project_objects: stores.object.clone(),
                kept_results: stores.kept_result.clone(),
                objects: weft_store::objects::Objects::open(&objects, None).unwrap(),
                bus: Arc::clone(&bus),
                graph: graph.clone(),
                services: HashMap::new(),
                // None of its workflows has a secret.
                identity: graph.clone(),
                sharing: None,
                clock: Clock::system(),
                ids: Ids::system(),
                lifecycle: life.clone(),
            },
        )
        .await
        .unwrap();
        let runs = executions;
        let mesh = called_by(Caller::mesh("trigger"), runs.clone().into_server());
        let is_cut = Arc::new(AtomicBool::new(false));
        let is_unheard = Arc::new(AtomicBool::new(false));
        let (cut, unheard) = (Arc::clone(&is_cut), Arc::clone(&is_unheard));
        let behind = mesh.clone();
        let way = Peer::new(tower::service_fn(move |request| {
            let (cut, unheard, behind) = (Arc::clone(&cut), Arc::clone(&unheard), behind.clone());
            async move {
                if cut.load(Ordering::SeqCst) {
                    return Err(weft_kit::BoxError::from(Status::unavailable("it cannot be reached")));
                }
                let answer = behind.oneshot(request).await?;
                if unheard.load(Ordering::SeqCst) {
                    return Err(Status::unavailable("its answer was lost").into());
                }
                Ok(answer)
            }
        }));
        let start = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(START);
        let options =
            Options { lease: Duration::from_millis(300), retry_pause: Duration::ZERO, ..Options::default() };
        let executions = ExecutionServiceClient::new(mesh);
        let graphs = GraphServiceClient::new(graph.clone());
        for id in ["g", "h"] {
            make_graph(graphs.clone(), id).await;
        }
        let graph_way = called_by(Caller::mesh("trigger"), graph_server);
        let clock = Clock::manual(start);
        Self {
            stores,
            executions,
            graphs,
            graph_way,
            bus,
            runs,
            way,
            is_cut,
            is_unheard,
            clock,
            options,
            life,
            _folder: folder,
        }
    }

    /// Starts a trigger service.
    pub(crate) fn open(&self, owner: &str) -> Running {
        let life = Lifecycle::new();
        let deps = Deps {
            store: self.stores.trigger.clone(),
            executions: self.way.clone(),
            graphs: self.graph_way.clone(),
            // There are no alerts here: tests/polyglot has them.
            alerts: Peer::new(tower::service_fn(|_| {
                let refusal = weft_kit::BoxError::from(Status::unavailable("it is not here"));
                std::future::ready(Err::<http::Response<Body>, _>(refusal))
            })),
            bus: Arc::clone(&self.bus),
            mesh_secret: [7; 32],
            owner: owner.into(),
            clock: self.clock.clone(),
            ids: Ids::system(),
            lifecycle: life.clone(),
            metrics: Metrics::new(),
        };
        Running { service: TriggerService::open(self.options.clone(), deps), life }
    }

    pub(crate) async fn execution(&self, name: &str) -> Execution {
        let request = GetExecutionRequest { name: name.into() };
        self.executions.clone().get_execution(request).await.unwrap().into_inner()
    }

    /// Runs a graph to its end.
    pub(crate) async fn run(&self, graph: &str) -> Execution {
        let request = CreateExecutionRequest {
            parent: "projects/p".into(),
            execution: Some(Execution { graph: graph.into(), ..Execution::default() }),
            wait_duration: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
            ..CreateExecutionRequest::default()
        };
        self.executions.clone().create_execution(request).await.unwrap().into_inner()
    }

    /// Makes a graph that gives what it is given.
    pub(crate) async fn make(&self, graph: &str) {
        make_graph(self.graphs.clone(), graph.rsplit('/').next().unwrap_or_default()).await;
    }

    /// Writes a node.
    pub(crate) async fn write(&self, graph: &str, key: &str, kind: &str) {
        let request = ApplyChangesRequest {
            graph: graph.into(),
            changes: vec![Change { change: Some(node(key, kind)) }],
            ..ApplyChangesRequest::default()
        };
        self.graphs.clone().apply_changes(request).await.unwrap();
    }

    /// How many runs there are.
    pub(crate) async fn runs(&self) -> usize {
        let request =
            ListExecutionsRequest { parent: "projects/p".into(), ..ListExecutionsRequest::default() };
        self.executions.clone().list_executions(request).await.unwrap().into_inner().executions.len()
    }

    /// How the execution service refuses somebody who says that a run is for somebody else.
    pub(crate) async fn create_as_operator(&self, behalf: OnBehalf) -> (Code, String, String) {
        let mut client = ExecutionServiceClient::new(called_by(operator(), self.runs.clone().into_server()));
        let execution = Execution { graph: GRAPH.into(), ..Execution::default() };
        let request = CreateExecutionRequest {
            parent: "projects/p".into(),
            execution: Some(execution),
            on_behalf: Some(behalf),
            ..CreateExecutionRequest::default()
        };
        refused(client.create_execution(request).await)
    }

    pub(crate) async fn stop(self) {
        self.life.shut_down(Duration::from_secs(30)).await;
        self.stores.database.close().await;
    }
}

impl Running {
    pub(crate) fn client(&self) -> Client {
        self.client_of(operator())
    }

    pub(crate) fn client_of(&self, who: Caller) -> Client {
        Client::new(called_by(who, self.service.clone().into_server()))
    }

    pub(crate) fn mesh(&self) -> Client {
        self.client_of(Caller::mesh("gateway"))
    }

    pub(crate) async fn stop(self) {
        self.life.shut_down(Duration::from_secs(30)).await;
    }
}

async fn make_graph(mut graphs: GraphServiceClient<Peer>, id: &str) {
    let graph = Graph { kind: GraphKind::Workflow.into(), ..Graph::default() };
    let request = CreateGraphRequest {
        parent: "projects/p".into(),
        graph_id: id.into(),
        graph: Some(graph),
        ..CreateGraphRequest::default()
    };
    graphs.create_graph(request).await.unwrap();
    let edge = Edge { source: "input".into(), target: "output".into(), ..Edge::default() };
    let edge = ChangeKind::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None });
    let changes = [node("input", "input"), node("output", "output"), edge];
    let request = ApplyChangesRequest {
        graph: format!("projects/p/graphs/{id}"),
        changes: changes.into_iter().map(|change| Change { change: Some(change) }).collect(),
        ..ApplyChangesRequest::default()
    };
    graphs.apply_changes(request).await.unwrap();
}

/// A node that is written.
pub(crate) fn node(key: &str, kind: &str) -> ChangeKind {
    let node = Node { key: key.into(), r#type: kind.into(), ..Node::default() };
    ChangeKind::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })
}

pub(crate) fn webhook(source: WebhookSource) -> Trigger {
    Trigger { graph: GRAPH.into(), source: Some(Source::Webhook(source)), ..Trigger::default() }
}

pub(crate) fn schedule(source: ScheduleSource) -> Trigger {
    Trigger { graph: GRAPH.into(), source: Some(Source::Schedule(source)), ..Trigger::default() }
}

pub(crate) fn create(id: &str, trigger: Trigger) -> CreateTriggerRequest {
    CreateTriggerRequest {
        parent: "projects/p".into(),
        trigger_id: id.into(),
        trigger: Some(trigger),
        request_id: String::new(),
    }
}

/// All deliveries of a trigger, the oldest first.
pub(crate) async fn deliveries(client: &Client, id: &str) -> Vec<Delivery> {
    let mut request = ListDeliveriesRequest {
        parent: format!("projects/p/triggers/{id}"),
        page_size: 7,
        ..ListDeliveriesRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let page = client.clone().list_deliveries(request.clone()).await.unwrap().into_inner();
        all.extend(page.deliveries);
        if page.next_page_token.is_empty() {
            all.reverse();
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

/// Waits until so many deliveries of a trigger are in a state.
pub(crate) async fn wait_for(client: &Client, id: &str, state: DeliveryState, count: usize) -> Vec<Delivery> {
    loop {
        let all = deliveries(client, id).await;
        if all.iter().filter(|delivery| delivery.state() == state).count() >= count {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Why a call was refused, and the first field that is wrong.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String, String) {
    let status = result.expect_err("it is refused");
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let field = details
        .bad_request()
        .and_then(|bad| bad.field_violations.first())
        .map(|violation| violation.field.clone())
        .unwrap_or_default();
    (status.code(), reason, field)
}
