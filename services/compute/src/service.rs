//! The contract's methods, each answered by its file under `rpc/`.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use weft_kit::{Call, Clock, Ids, Lifecycle, Peer, metrics::Metrics};
use weft_proto::weft::compute::v1::{
    AttachLayoutRequest, AttachLayoutResponse, Constraint, CreateConstraintRequest, CreateLayoutRequest,
    DeleteConstraintRequest, DeleteLayoutRequest, GetConstraintRequest, GetLayoutRequest, Layout,
    ListConstraintsRequest, ListConstraintsResponse, ListLayoutsRequest, ListLayoutsResponse,
    PinNodesRequest, PinNodesResponse, ReheatLayoutRequest, StartLayoutRequest, StopLayoutRequest,
    UnpinNodesRequest, UnpinNodesResponse, UpdateConstraintRequest, UpdateLayoutRequest,
    WatchPositionsRequest, WatchPositionsResponse,
    layout_service_client::LayoutServiceClient,
    layout_service_server::{LayoutService, LayoutServiceServer},
};
use weft_store::{AnalysisStore, LayoutStore, objects::Objects};

use crate::{
    AnalysisService, BadOption, Options,
    analysis::{self, Analyses},
    communities::Groups,
    placement::{self, Placement, Router, Sharing},
    rpc,
    session::{Layouts, Positions},
};

/// What the service needs of its process.
pub struct Deps {
    /// Where layouts are kept.
    pub store: Arc<dyn LayoutStore>,
    /// Where analyses are kept.
    pub analyses: Arc<dyn AnalysisStore>,
    /// Where positions and values are kept.
    pub objects: Objects,
    /// The graph service.
    pub graph: Peer,
    /// How layouts are shared with other processes over the same store; absent where there can be none.
    pub sharing: Option<Sharing>,
    /// The time.
    pub clock: Clock,
    /// Identities, and jitter.
    pub ids: Ids,
    /// The life that the sessions belong to.
    pub lifecycle: Lifecycle,
}

/// The services: live layouts, analyses, and live communities.
#[derive(Clone, Debug)]
pub struct ComputeService {
    router: Router,
    analyses: Arc<Analyses>,
    communities: Arc<Groups>,
}

impl ComputeService {
    /// Opens the services. Analyses that wait are begun; layouts are brought into memory when they are asked for.
    ///
    /// # Errors
    /// An option cannot be used.
    pub fn open(options: Options, deps: Deps) -> Result<Self, BadOption> {
        options.validate()?;
        let Deps { store, analyses, objects, graph, sharing, clock, ids, lifecycle } = deps;
        let positions =
            Positions::new(objects.clone(), sharing.as_ref().map(|sharing| Arc::clone(&sharing.store)));
        let lease = options.lease();
        let placement =
            sharing.map_or_else(Placement::alone, |sharing| Placement::shared(sharing, clock.clone(), lease));
        let process = (clock, ids, lifecycle);
        let analyses = Analyses::new(
            options.clone(),
            (analyses, Arc::clone(&store)),
            (objects, positions.clone()),
            graph.clone(),
            process.clone(),
        );
        analysis::start(&analyses);
        let layouts = Layouts::new(options, store, positions, graph, placement, process);
        let communities = Groups::new(Arc::clone(&analyses));
        placement::start(&layouts);
        Ok(Self { router: Router(layouts), analyses, communities })
    }

    /// Shows what the service counts, as `weft_compute_…`: once for each service and registry.
    pub fn register_metrics(&self, metrics: &Metrics) {
        metrics.register("compute", |registry| {
            self.layouts().meter.register(registry);
            self.layouts().placement.meter.register(registry);
            self.analyses.meter.register(registry);
            self.communities.register(registry);
        });
    }

    /// The analyses, which share graphs, store and cores with the layouts.
    pub fn analyses(&self) -> AnalysisService {
        AnalysisService::new(Arc::clone(&self.analyses), Arc::clone(&self.communities), self.router.clone())
    }

    fn layouts(&self) -> &Arc<Layouts> {
        &self.router.0
    }

    /// The service as tonic serves it.
    pub fn into_server(self) -> LayoutServiceServer<Self> {
        LayoutServiceServer::new(self)
    }
}

/// The same service in another process.
type Far = LayoutServiceClient<Peer>;

/// A stream of answers.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl LayoutService for ComputeService {
    type WatchPositionsStream = Answers<WatchPositionsResponse>;
    type AttachLayoutStream = Answers<AttachLayoutResponse>;

    async fn create_layout(&self, request: Request<CreateLayoutRequest>) -> Result<Response<Layout>, Status> {
        let (metadata, extensions) = (request.metadata().clone(), request.extensions().clone());
        let layout = rpc::create::handle(self.layouts(), Call::open(request)?).await?;
        if self.layouts().placement.is_shared() {
            let name = layout.name.clone();
            let look = Request::from_parts(metadata, extensions, GetLayoutRequest { name });
            // It is created; where it cannot begin now, it does when somebody looks.
            if let Err(status) = self.get_layout(look).await {
                tracing::debug!(%status, "a new layout has not begun yet");
            }
        }
        Ok(Response::new(layout))
    }

    async fn get_layout(&self, request: Request<GetLayoutRequest>) -> Result<Response<Layout>, Status> {
        let here = |request| async { Ok(rpc::get::handle(self.layouts(), Call::open(request)?).await?) };
        let there = |mut peer: Far, request| async move { Ok(peer.get_layout(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn list_layouts(
        &self,
        request: Request<ListLayoutsRequest>,
    ) -> Result<Response<ListLayoutsResponse>, Status> {
        let here = |request| async { Ok(rpc::list::handle(self.layouts(), Call::open(request)?).await?) };
        self.router.list(request, here).await
    }

    async fn update_layout(&self, request: Request<UpdateLayoutRequest>) -> Result<Response<Layout>, Status> {
        let here = |request| async { Ok(rpc::update::handle(self.layouts(), Call::open(request)?).await?) };
        let there =
            |mut peer: Far, request| async move { Ok(peer.update_layout(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn delete_layout(&self, request: Request<DeleteLayoutRequest>) -> Result<Response<()>, Status> {
        let here = |request| async { Ok(rpc::delete::handle(self.layouts(), Call::open(request)?).await?) };
        let there = |mut peer: Far, request| async move {
            peer.delete_layout(request).await.map(Response::into_inner)
        };
        self.router.answer(request, here, there).await
    }

    async fn start_layout(&self, request: Request<StartLayoutRequest>) -> Result<Response<Layout>, Status> {
        let here = |request| async { Ok(rpc::start::handle(self.layouts(), Call::open(request)?).await?) };
        let there =
            |mut peer: Far, request| async move { Ok(peer.start_layout(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn stop_layout(&self, request: Request<StopLayoutRequest>) -> Result<Response<Layout>, Status> {
        let here = |request| async { Ok(rpc::stop::handle(self.layouts(), Call::open(request)?).await?) };
        let there = |mut peer: Far, request| async move { Ok(peer.stop_layout(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn reheat_layout(&self, request: Request<ReheatLayoutRequest>) -> Result<Response<Layout>, Status> {
        let here = |request| async { Ok(rpc::reheat::handle(self.layouts(), Call::open(request)?).await?) };
        let there =
            |mut peer: Far, request| async move { Ok(peer.reheat_layout(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn pin_nodes(
        &self,
        request: Request<PinNodesRequest>,
    ) -> Result<Response<PinNodesResponse>, Status> {
        let here = |request| async { Ok(rpc::pin::handle(self.layouts(), Call::open(request)?).await?) };
        let there = |mut peer: Far, request| async move { Ok(peer.pin_nodes(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn unpin_nodes(
        &self,
        request: Request<UnpinNodesRequest>,
    ) -> Result<Response<UnpinNodesResponse>, Status> {
        let here = |request| async { Ok(rpc::unpin::handle(self.layouts(), Call::open(request)?).await?) };
        let there = |mut peer: Far, request| async move { Ok(peer.unpin_nodes(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn create_constraint(
        &self,
        request: Request<CreateConstraintRequest>,
    ) -> Result<Response<Constraint>, Status> {
        let here = |request| async {
            Ok(rpc::constraint::create::handle(self.layouts(), Call::open(request)?).await?)
        };
        let there =
            |mut peer: Far, request| async move { Ok(peer.create_constraint(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn get_constraint(
        &self,
        request: Request<GetConstraintRequest>,
    ) -> Result<Response<Constraint>, Status> {
        let here =
            |request| async { Ok(rpc::constraint::get::handle(self.layouts(), Call::open(request)?).await?) };
        let there =
            |mut peer: Far, request| async move { Ok(peer.get_constraint(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn list_constraints(
        &self,
        request: Request<ListConstraintsRequest>,
    ) -> Result<Response<ListConstraintsResponse>, Status> {
        let here = |request| async {
            Ok(rpc::constraint::list::handle(self.layouts(), Call::open(request)?).await?)
        };
        let there =
            |mut peer: Far, request| async move { Ok(peer.list_constraints(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn update_constraint(
        &self,
        request: Request<UpdateConstraintRequest>,
    ) -> Result<Response<Constraint>, Status> {
        let here = |request| async {
            Ok(rpc::constraint::update::handle(self.layouts(), Call::open(request)?).await?)
        };
        let there =
            |mut peer: Far, request| async move { Ok(peer.update_constraint(request).await?.into_inner()) };
        self.router.answer(request, here, there).await
    }

    async fn delete_constraint(
        &self,
        request: Request<DeleteConstraintRequest>,
    ) -> Result<Response<()>, Status> {
        let here = |request| async {
            Ok(rpc::constraint::delete::handle(self.layouts(), Call::open(request)?).await?)
        };
        let there = |mut peer: Far, request| async move {
            peer.delete_constraint(request).await.map(Response::into_inner)
        };
        self.router.answer(request, here, there).await
    }

    async fn watch_positions(
        &self,
        request: Request<WatchPositionsRequest>,
    ) -> Result<Response<Self::WatchPositionsStream>, Status> {
        let here = |request| async {
            let events = rpc::watch::handle(self.layouts(), Call::open(request)?).await?;
            let answer = |event| WatchPositionsResponse { event: Some(event) };
            Ok(events.map(move |event| event.map(answer).map_err(Status::from)).boxed())
        };
        let there = |mut peer: Far, request| async move {
            Ok(self.router.relay(peer.watch_positions(request).await?.into_inner(), None))
        };
        self.router.answer(request, here, there).await
    }

    async fn attach_layout(
        &self,
        request: Request<Streaming<AttachLayoutRequest>>,
    ) -> Result<Response<Self::AttachLayoutStream>, Status> {
        let (metadata, extensions) = (request.metadata().clone(), request.extensions().clone());
        let Call { caller, message, deadline } = Call::open_stream(request);
        let head = Request::from_parts(metadata, extensions, ());
        let here = |messages| async move {
            let call = Call { caller, message: messages, deadline };
            let events = rpc::attach::handle(self.layouts(), call).await?;
            let answer = |event| AttachLayoutResponse { event: Some(event) };
            Ok(events.map(move |event| event.map(answer).map_err(Status::from)).boxed())
        };
        Ok(Response::new(self.router.attach(&head, message, here).await?))
    }
}
