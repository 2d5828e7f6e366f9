//! The log service: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};
use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{
    SearchLogsRequest, SearchLogsResponse, WatchLogsRequest, WatchLogsResponse, WriteLogsRequest,
    WriteLogsResponse,
    log_service_server::{LogService as LogServiceTrait, LogServiceServer},
};

use crate::{rpc, state::State};

/// The log service. Cheap to clone.
#[derive(Clone)]
pub struct LogService(Arc<State>);

impl LogService {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self(state)
    }

    /// As a gRPC server.
    pub fn into_server(self) -> LogServiceServer<Self> {
        LogServiceServer::new(self)
    }
}

impl std::fmt::Debug for LogService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LogService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl LogServiceTrait for LogService {
    type WatchLogsStream = Pin<Box<dyn Stream<Item = Result<WatchLogsResponse, Status>> + Send>>;

    async fn write_logs(
        &self,
        request: Request<WriteLogsRequest>,
    ) -> Result<Response<WriteLogsResponse>, Status> {
        Ok(Response::new(rpc::log::write_logs::handle(&self.0, Call::open(request)?).await?))
    }

    async fn search_logs(
        &self,
        request: Request<SearchLogsRequest>,
    ) -> Result<Response<SearchLogsResponse>, Status> {
        Ok(Response::new(rpc::log::search_logs::handle(&self.0, Call::open(request)?).await?))
    }

    async fn watch_logs(
        &self,
        request: Request<WatchLogsRequest>,
    ) -> Result<Response<Self::WatchLogsStream>, Status> {
        let answers = rpc::log::watch_logs::handle(&self.0, &Call::open(request)?)?;
        Ok(Response::new(answers.map(|answer| answer.map_err(Status::from)).boxed()))
    }
}
