//! The methods of the analysis service, each answered by its file under `rpc/analysis/`.

use std::sync::Arc;

use futures::StreamExt;
use tonic::{Request, Response, Status};
use weft_kit::Call;
use weft_proto::weft::compute::v1::{
    Analysis, CancelAnalysisRequest, CreateAnalysisRequest, DeleteAnalysisRequest, GetAnalysisRequest,
    ListAnalysesRequest, ListAnalysesResponse, ListAnalysisValuesRequest, ListAnalysisValuesResponse,
    StreamAnalysisValuesRequest, StreamAnalysisValuesResponse, WatchAnalysisRequest, WatchCommunitiesRequest,
    WatchCommunitiesResponse, analysis_service_server, analysis_service_server::AnalysisServiceServer,
};

use crate::{
    analysis::Analyses, communities::Groups, placement::Router, rpc::analysis as rpc, service::Answers,
};

/// The service: analyses of graphs.
#[derive(Clone, Debug)]
pub struct AnalysisService {
    analyses: Arc<Analyses>,
    communities: Arc<Groups>,
    router: Router,
}

impl AnalysisService {
    pub(crate) fn new(analyses: Arc<Analyses>, communities: Arc<Groups>, router: Router) -> Self {
        Self { analyses, communities, router }
    }

    /// The service as tonic serves it.
    pub fn into_server(self) -> AnalysisServiceServer<Self> {
        AnalysisServiceServer::new(self)
    }
}

#[tonic::async_trait]
impl analysis_service_server::AnalysisService for AnalysisService {
    type WatchAnalysisStream = Answers<Analysis>;
    type StreamAnalysisValuesStream = Answers<StreamAnalysisValuesResponse>;
    type WatchCommunitiesStream = Answers<WatchCommunitiesResponse>;

    async fn create_analysis(
        &self,
        request: Request<CreateAnalysisRequest>,
    ) -> Result<Response<Analysis>, Status> {
        Ok(Response::new(rpc::create::handle(&self.analyses, Call::open(request)?).await?))
    }

    async fn get_analysis(&self, request: Request<GetAnalysisRequest>) -> Result<Response<Analysis>, Status> {
        Ok(Response::new(rpc::get::handle(&self.analyses, Call::open(request)?).await?))
    }

    async fn list_analyses(
        &self,
        request: Request<ListAnalysesRequest>,
    ) -> Result<Response<ListAnalysesResponse>, Status> {
        Ok(Response::new(rpc::list::handle(&self.analyses, Call::open(request)?).await?))
    }

    async fn delete_analysis(&self, request: Request<DeleteAnalysisRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::delete::handle(&self.analyses, Call::open(request)?).await?))
    }

    async fn cancel_analysis(
        &self,
        request: Request<CancelAnalysisRequest>,
    ) -> Result<Response<Analysis>, Status> {
        Ok(Response::new(rpc::cancel::handle(&self.analyses, Call::open(request)?).await?))
    }

    async fn watch_analysis(
        &self,
        request: Request<WatchAnalysisRequest>,
    ) -> Result<Response<Self::WatchAnalysisStream>, Status> {
        let states = rpc::watch::handle(&self.analyses, Call::open(request)?).await?;
        Ok(Response::new(states.map(|state| state.map_err(Status::from)).boxed()))
    }

    async fn list_analysis_values(
        &self,
        request: Request<ListAnalysisValuesRequest>,
    ) -> Result<Response<ListAnalysisValuesResponse>, Status> {
        Ok(Response::new(rpc::list_values::handle(&self.analyses, Call::open(request)?).await?))
    }

    async fn stream_analysis_values(
        &self,
        request: Request<StreamAnalysisValuesRequest>,
    ) -> Result<Response<Self::StreamAnalysisValuesStream>, Status> {
        let pieces = rpc::stream_values::handle(&self.analyses, Call::open(request)?).await?;
        Ok(Response::new(pieces.map(|piece| piece.map_err(Status::from)).boxed()))
    }

    async fn watch_communities(
        &self,
        request: Request<WatchCommunitiesRequest>,
    ) -> Result<Response<Self::WatchCommunitiesStream>, Status> {
        let here = |request| async {
            let events = rpc::watch_communities::handle(&self.communities, Call::open(request)?).await?;
            let answer = |event| WatchCommunitiesResponse { event: Some(event) };
            Ok(events.map(move |event| event.map(answer).map_err(Status::from)).boxed())
        };
        self.router.watch_communities(request, here).await
    }
}
