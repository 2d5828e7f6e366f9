//! The trace service: one line for each RPC.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{
    GetTraceRequest, SearchTracesRequest, SearchTracesResponse, Trace, WriteSpansRequest, WriteSpansResponse,
    trace_service_server::{TraceService as TraceServiceTrait, TraceServiceServer},
};

use crate::{rpc, state::State};

/// The trace service. Cheap to clone.
#[derive(Clone)]
pub struct TraceService(Arc<State>);

impl TraceService {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self(state)
    }

    /// As a gRPC server.
    pub fn into_server(self) -> TraceServiceServer<Self> {
        TraceServiceServer::new(self)
    }
}

impl std::fmt::Debug for TraceService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TraceService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl TraceServiceTrait for TraceService {
    async fn write_spans(
        &self,
        request: Request<WriteSpansRequest>,
    ) -> Result<Response<WriteSpansResponse>, Status> {
        Ok(Response::new(rpc::trace::write_spans::handle(&self.0, Call::open(request)?).await?))
    }

    async fn search_traces(
        &self,
        request: Request<SearchTracesRequest>,
    ) -> Result<Response<SearchTracesResponse>, Status> {
        Ok(Response::new(rpc::trace::search_traces::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_trace(&self, request: Request<GetTraceRequest>) -> Result<Response<Trace>, Status> {
        Ok(Response::new(rpc::trace::get_trace::handle(&self.0, Call::open(request)?).await?))
    }
}
