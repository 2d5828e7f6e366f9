//! The source service: one line for each RPC.

use std::sync::{Arc, Mutex};

use tonic::{Request, Response, Status};
use weft_kit::Call;
use weft_proto::weft::graph::v1::{
    CancelRefreshRequest, CreateSourceRequest, DeleteSourceRequest, GetRefreshRequest, GetSourceRequest,
    ListFoldersRequest, ListFoldersResponse, ListRefreshesRequest, ListRefreshesResponse, ListSourcesRequest,
    ListSourcesResponse, Refresh, RefreshSourceRequest, Source, UpdateSourceRequest, WatchRefreshRequest,
    source_service_server::{SourceService as SourceServiceTrait, SourceServiceServer},
};
use weft_store::SourceStore;

use crate::{GraphService, rpc, source::Sources};

/// The source service. Cheap to clone.
#[derive(Clone)]
pub struct SourceService(Arc<Sources>);

impl SourceService {
    /// The sources of a graph service's graphs.
    pub fn new(graph: &GraphService, store: Arc<dyn SourceStore>) -> Self {
        let ids = graph.0.ids.clone();
        Self(Arc::new(Sources { graph: Arc::clone(&graph.0), store, ids, running: Mutex::default() }))
    }

    /// As a gRPC server.
    pub fn into_server(self) -> SourceServiceServer<Self> {
        SourceServiceServer::new(self)
    }
}

impl std::fmt::Debug for SourceService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SourceService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl SourceServiceTrait for SourceService {
    type WatchRefreshStream = rpc::Answers<Refresh>;

    async fn create_source(&self, request: Request<CreateSourceRequest>) -> Result<Response<Source>, Status> {
        Ok(Response::new(rpc::source::create_source::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_source(&self, request: Request<GetSourceRequest>) -> Result<Response<Source>, Status> {
        Ok(Response::new(rpc::source::get_source::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_sources(
        &self,
        request: Request<ListSourcesRequest>,
    ) -> Result<Response<ListSourcesResponse>, Status> {
        Ok(Response::new(rpc::source::list_sources::handle(&self.0, Call::open(request)?).await?))
    }

    async fn update_source(&self, request: Request<UpdateSourceRequest>) -> Result<Response<Source>, Status> {
        Ok(Response::new(rpc::source::update_source::handle(&self.0, Call::open(request)?).await?))
    }

    async fn delete_source(&self, request: Request<DeleteSourceRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::source::delete_source::handle(&self.0, Call::open(request)?).await?))
    }

    async fn refresh_source(
        &self,
        request: Request<RefreshSourceRequest>,
    ) -> Result<Response<Refresh>, Status> {
        Ok(Response::new(rpc::source::refresh_source::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_refresh(&self, request: Request<GetRefreshRequest>) -> Result<Response<Refresh>, Status> {
        Ok(Response::new(rpc::source::get_refresh::handle(&self.0, Call::open(request)?).await?))
    }

    async fn watch_refresh(
        &self,
        request: Request<WatchRefreshRequest>,
    ) -> Result<Response<Self::WatchRefreshStream>, Status> {
        Ok(Response::new(rpc::source::watch_refresh::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_refreshes(
        &self,
        request: Request<ListRefreshesRequest>,
    ) -> Result<Response<ListRefreshesResponse>, Status> {
        Ok(Response::new(rpc::source::list_refreshes::handle(&self.0, Call::open(request)?).await?))
    }

    async fn cancel_refresh(
        &self,
        request: Request<CancelRefreshRequest>,
    ) -> Result<Response<Refresh>, Status> {
        Ok(Response::new(rpc::source::cancel_refresh::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_folders(
        &self,
        request: Request<ListFoldersRequest>,
    ) -> Result<Response<ListFoldersResponse>, Status> {
        Ok(Response::new(rpc::source::list_folders::handle(&self.0, Call::open(request)?).await?))
    }
}
