//! The service: one line for each RPC.

use std::sync::Arc;

use crate::{Deps, Error, Options, rpc, state::State, task};
use tonic::{Request, Response, Status, Streaming};
use weft_kit::Call;
use weft_proto::{
    google::api::HttpBody,
    weft::graph::v1::{
        ApplyChangesRequest, ApplyChangesResponse, CreateGraphRequest, DeleteGraphRequest,
        ExportGraphRequest, FindShortestPathRequest, FindShortestPathResponse, GetGraphRequest,
        GetNeighborhoodRequest, GetNeighborhoodResponse, GetNodeRequest, GetStatisticsRequest, Graph,
        GraphStatistics, ImportGraphRequest, ImportGraphResponse, ListEdgesRequest, ListEdgesResponse,
        ListGraphsRequest, ListGraphsResponse, ListNodesRequest, ListNodesResponse, ListRelatedNodesRequest,
        ListRelatedNodesResponse, Node, SearchNodesRequest, SearchNodesResponse, StreamSnapshotRequest,
        StreamSnapshotResponse, UpdateGraphRequest, WatchGraphRequest, WatchGraphResponse,
        graph_service_server::{GraphService as GraphServiceTrait, GraphServiceServer},
    },
};

/// The graph service. Cheap to clone.
#[derive(Clone)]
pub struct GraphService(pub(crate) Arc<State>);

impl GraphService {
    /// Opens the service. No graph is loaded before somebody asks for it.
    ///
    /// # Errors
    /// A setting that makes no sense.
    pub fn open(options: Options, deps: Deps) -> Result<Self, Error> {
        options.check().map_err(Error::Options)?;
        let (lifecycle, metrics) = (deps.lifecycle.clone(), deps.metrics.clone());
        let state = Arc::new(State::new(options, deps));
        task::start(&state.graphs, &lifecycle, &metrics);
        Ok(Self(state))
    }

    /// As a gRPC server.
    pub fn into_server(self) -> GraphServiceServer<Self> {
        GraphServiceServer::new(self)
    }
}

impl std::fmt::Debug for GraphService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("GraphService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl GraphServiceTrait for GraphService {
    type StreamSnapshotStream = rpc::Answers<StreamSnapshotResponse>;
    type WatchGraphStream = rpc::Answers<WatchGraphResponse>;
    type ImportGraphStream = rpc::Answers<ImportGraphResponse>;
    type ExportGraphStream = rpc::Answers<HttpBody>;

    async fn create_graph(&self, request: Request<CreateGraphRequest>) -> Result<Response<Graph>, Status> {
        Ok(Response::new(rpc::create_graph::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_graph(&self, request: Request<GetGraphRequest>) -> Result<Response<Graph>, Status> {
        Ok(Response::new(rpc::get_graph::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_graphs(
        &self,
        request: Request<ListGraphsRequest>,
    ) -> Result<Response<ListGraphsResponse>, Status> {
        Ok(Response::new(rpc::list_graphs::handle(&self.0, Call::open(request)?).await?))
    }

    async fn update_graph(&self, request: Request<UpdateGraphRequest>) -> Result<Response<Graph>, Status> {
        Ok(Response::new(rpc::update_graph::handle(&self.0, Call::open(request)?).await?))
    }

    async fn delete_graph(&self, request: Request<DeleteGraphRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::delete_graph::handle(&self.0, Call::open(request)?).await?))
    }

    async fn apply_changes(
        &self,
        request: Request<ApplyChangesRequest>,
    ) -> Result<Response<ApplyChangesResponse>, Status> {
        Ok(Response::new(rpc::apply_changes::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_node(&self, request: Request<GetNodeRequest>) -> Result<Response<Node>, Status> {
        Ok(Response::new(rpc::get_node::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        Ok(Response::new(rpc::list_nodes::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_edges(
        &self,
        request: Request<ListEdgesRequest>,
    ) -> Result<Response<ListEdgesResponse>, Status> {
        Ok(Response::new(rpc::list_edges::handle(&self.0, Call::open(request)?).await?))
    }

    async fn search_nodes(
        &self,
        request: Request<SearchNodesRequest>,
    ) -> Result<Response<SearchNodesResponse>, Status> {
        Ok(Response::new(rpc::search_nodes::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_neighborhood(
        &self,
        request: Request<GetNeighborhoodRequest>,
    ) -> Result<Response<GetNeighborhoodResponse>, Status> {
        Ok(Response::new(rpc::get_neighborhood::handle(&self.0, Call::open(request)?).await?))
    }

    async fn find_shortest_path(
        &self,
        request: Request<FindShortestPathRequest>,
    ) -> Result<Response<FindShortestPathResponse>, Status> {
        Ok(Response::new(rpc::find_shortest_path::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_related_nodes(
        &self,
        request: Request<ListRelatedNodesRequest>,
    ) -> Result<Response<ListRelatedNodesResponse>, Status> {
        Ok(Response::new(rpc::list_related_nodes::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_statistics(
        &self,
        request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GraphStatistics>, Status> {
        Ok(Response::new(rpc::get_statistics::handle(&self.0, Call::open(request)?).await?))
    }

    async fn stream_snapshot(
        &self,
        request: Request<StreamSnapshotRequest>,
    ) -> Result<Response<Self::StreamSnapshotStream>, Status> {
        Ok(Response::new(rpc::stream_snapshot::handle(&self.0, Call::open(request)?).await?))
    }

    async fn watch_graph(
        &self,
        request: Request<WatchGraphRequest>,
    ) -> Result<Response<Self::WatchGraphStream>, Status> {
        Ok(Response::new(rpc::watch_graph::handle(&self.0, Call::open(request)?).await?))
    }

    async fn export_graph(
        &self,
        request: Request<ExportGraphRequest>,
    ) -> Result<Response<Self::ExportGraphStream>, Status> {
        Ok(Response::new(rpc::export_graph::handle(&self.0, Call::open(request)?).await?))
    }

    async fn import_graph(
        &self,
        request: Request<Streaming<ImportGraphRequest>>,
    ) -> Result<Response<Self::ImportGraphStream>, Status> {
        Ok(Response::new(rpc::import_graph::handle(&self.0, Call::open_stream(request))))
    }
}
