//! The service of collectors: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use weft_kit::Call;
use weft_proto::weft::agent::v1::{
    Agent, AttachCollectorRequest, AttachCollectorResponse, CollectorConfiguration,
    GetCollectorConfigurationRequest, ReceiveCollectorReportRequest, ReceiveCollectorReportResponse,
    RestartCollectorRequest, UpdateCollectorConfigurationRequest,
    collector_service_server::{CollectorService as CollectorServiceTrait, CollectorServiceServer},
};

use crate::{rpc, state::State};

/// What collectors of a fleet run with, and the line to them. Cheap to clone.
#[derive(Clone)]
pub struct CollectorService(pub(crate) Arc<State>);

impl CollectorService {
    /// As a gRPC server.
    pub fn into_server(self) -> CollectorServiceServer<Self> {
        CollectorServiceServer::new(self)
    }
}

impl std::fmt::Debug for CollectorService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CollectorService").finish_non_exhaustive()
    }
}

type Told = Pin<Box<dyn Stream<Item = Result<AttachCollectorResponse, Status>> + Send>>;

#[tonic::async_trait]
impl CollectorServiceTrait for CollectorService {
    type AttachCollectorStream = Told;

    async fn get_collector_configuration(
        &self,
        request: Request<GetCollectorConfigurationRequest>,
    ) -> Result<Response<CollectorConfiguration>, Status> {
        Ok(Response::new(rpc::collector_configuration::get(&self.0, Call::open(request)?).await?))
    }

    async fn update_collector_configuration(
        &self,
        request: Request<UpdateCollectorConfigurationRequest>,
    ) -> Result<Response<CollectorConfiguration>, Status> {
        Ok(Response::new(rpc::collector_configuration::update(&self.0, Call::open(request)?).await?))
    }

    async fn restart_collector(
        &self,
        request: Request<RestartCollectorRequest>,
    ) -> Result<Response<Agent>, Status> {
        Ok(Response::new(rpc::restart_collector::handle(&self.0, Call::open(request)?).await?))
    }

    async fn attach_collector(
        &self,
        request: Request<Streaming<AttachCollectorRequest>>,
    ) -> Result<Response<Self::AttachCollectorStream>, Status> {
        let call = Call::open_stream(request);
        Ok(Response::new(rpc::attach_collector::handle(&self.0, call).await?.boxed()))
    }

    async fn receive_collector_report(
        &self,
        request: Request<ReceiveCollectorReportRequest>,
    ) -> Result<Response<ReceiveCollectorReportResponse>, Status> {
        Ok(Response::new(rpc::receive_collector_report::handle(&self.0, Call::open(request)?).await?))
    }
}
