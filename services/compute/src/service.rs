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
    layout_service_server::{LayoutService, LayoutServiceServer},
};
use weft_store::{AnalysisStore, LayoutStore, objects::Objects};

use crate::{
    AnalysisService, BadOption, Options,
    analysis::{self, Analyses},
    communities::Groups,
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
    layouts: Arc<Layouts>,
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
        let Deps { store, analyses, objects, graph, clock, ids, lifecycle } = deps;
        let process = (clock, ids, lifecycle);
        let analyses = Analyses::new(
            options.clone(),
            (analyses, Arc::clone(&store)),
            objects.clone(),
            graph.clone(),
            process.clone(),
        );
        analysis::start(&analyses);
        let layouts = Layouts::new(options, store, Positions::new(objects), graph, process);
        let communities = Groups::new(Arc::clone(&analyses));
        Ok(Self { layouts, analyses, communities })
    }

    /// Shows what the service counts, as `weft_compute_…`: once for each service and registry.
    pub fn register_metrics(&self, metrics: &Metrics) {
        metrics.register("compute", |registry| {
            self.layouts.meter.register(registry);
            self.analyses.meter.register(registry);
            self.communities.register(registry);
        });
    }

    /// The analyses, which share graphs, store and cores with the layouts.
    pub fn analyses(&self) -> AnalysisService {
        AnalysisService::new(Arc::clone(&self.analyses), Arc::clone(&self.communities))
    }

    /// The service as tonic serves it.
    pub fn into_server(self) -> LayoutServiceServer<Self> {
        LayoutServiceServer::new(self)
    }
}

/// A stream of answers.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl LayoutService for ComputeService {
    type WatchPositionsStream = Answers<WatchPositionsResponse>;
    type AttachLayoutStream = Answers<AttachLayoutResponse>;

    async fn create_layout(&self, request: Request<CreateLayoutRequest>) -> Result<Response<Layout>, Status> {
        Ok(Response::new(rpc::create::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn get_layout(&self, request: Request<GetLayoutRequest>) -> Result<Response<Layout>, Status> {
        Ok(Response::new(rpc::get::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn list_layouts(
        &self,
        request: Request<ListLayoutsRequest>,
    ) -> Result<Response<ListLayoutsResponse>, Status> {
        Ok(Response::new(rpc::list::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn update_layout(&self, request: Request<UpdateLayoutRequest>) -> Result<Response<Layout>, Status> {
        Ok(Response::new(rpc::update::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn delete_layout(&self, request: Request<DeleteLayoutRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::delete::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn start_layout(&self, request: Request<StartLayoutRequest>) -> Result<Response<Layout>, Status> {
        Ok(Response::new(rpc::start::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn stop_layout(&self, request: Request<StopLayoutRequest>) -> Result<Response<Layout>, Status> {
        Ok(Response::new(rpc::stop::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn reheat_layout(&self, request: Request<ReheatLayoutRequest>) -> Result<Response<Layout>, Status> {
        Ok(Response::new(rpc::reheat::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn pin_nodes(
        &self,
        request: Request<PinNodesRequest>,
    ) -> Result<Response<PinNodesResponse>, Status> {
        Ok(Response::new(rpc::pin::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn unpin_nodes(
        &self,
        request: Request<UnpinNodesRequest>,
    ) -> Result<Response<UnpinNodesResponse>, Status> {
        Ok(Response::new(rpc::unpin::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn create_constraint(
        &self,
        request: Request<CreateConstraintRequest>,
    ) -> Result<Response<Constraint>, Status> {
        Ok(Response::new(rpc::constraint::create::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn get_constraint(
        &self,
        request: Request<GetConstraintRequest>,
    ) -> Result<Response<Constraint>, Status> {
        Ok(Response::new(rpc::constraint::get::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn list_constraints(
        &self,
        request: Request<ListConstraintsRequest>,
    ) -> Result<Response<ListConstraintsResponse>, Status> {
        Ok(Response::new(rpc::constraint::list::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn update_constraint(
        &self,
        request: Request<UpdateConstraintRequest>,
    ) -> Result<Response<Constraint>, Status> {
        Ok(Response::new(rpc::constraint::update::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn delete_constraint(
        &self,
        request: Request<DeleteConstraintRequest>,
    ) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::constraint::delete::handle(&self.layouts, Call::open(request)?).await?))
    }

    async fn watch_positions(
        &self,
        request: Request<WatchPositionsRequest>,
    ) -> Result<Response<Self::WatchPositionsStream>, Status> {
        let events = rpc::watch::handle(&self.layouts, Call::open(request)?).await?;
        let answer = |event| WatchPositionsResponse { event: Some(event) };
        Ok(Response::new(events.map(move |event| event.map(answer).map_err(Status::from)).boxed()))
    }

    async fn attach_layout(
        &self,
        request: Request<Streaming<AttachLayoutRequest>>,
    ) -> Result<Response<Self::AttachLayoutStream>, Status> {
        let events = rpc::attach::handle(&self.layouts, Call::open_stream(request)).await?;
        let answer = |event| AttachLayoutResponse { event: Some(event) };
        Ok(Response::new(events.map(move |event| event.map(answer).map_err(Status::from)).boxed()))
    }
}
