//! The service of hosts: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};
use weft_kit::Call;
use weft_proto::weft::agent::v1::{
    CreateServiceRequest, DeleteServiceRequest, GetKnowledgeFileRequest, GetKnowledgeStatisticsRequest,
    GetServiceRequest, KnowledgeFile, KnowledgeStatistics, ListKnowledgeFilesRequest,
    ListKnowledgeFilesResponse, ListPortsRequest, ListPortsResponse, ListProcessesRequest,
    ListProcessesResponse, ListServicesRequest, ListServicesResponse, ReadKnowledgeFileRequest,
    ReadKnowledgeFileResponse, RestartServiceRequest, Service, StartServiceRequest, StopProcessRequest,
    StopProcessResponse, StopServiceRequest, UpdateServiceRequest, WatchServiceLogRequest,
    WatchServiceLogResponse,
    host_service_server::{HostService as HostServiceTrait, HostServiceServer},
};

use crate::{rpc, state::State};

/// What asks the agents of a fleet about their hosts. Cheap to clone.
#[derive(Clone)]
pub struct HostService(pub(crate) Arc<State>);

impl HostService {
    /// As a gRPC server.
    pub fn into_server(self) -> HostServiceServer<Self> {
        HostServiceServer::new(self)
    }
}

impl std::fmt::Debug for HostService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HostService").finish_non_exhaustive()
    }
}

type Lines = Pin<Box<dyn Stream<Item = Result<WatchServiceLogResponse, Status>> + Send>>;

#[tonic::async_trait]
impl HostServiceTrait for HostService {
    type WatchServiceLogStream = Lines;

    async fn list_processes(
        &self,
        request: Request<ListProcessesRequest>,
    ) -> Result<Response<ListProcessesResponse>, Status> {
        Ok(Response::new(rpc::list_processes::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_ports(
        &self,
        request: Request<ListPortsRequest>,
    ) -> Result<Response<ListPortsResponse>, Status> {
        Ok(Response::new(rpc::list_ports::handle(&self.0, Call::open(request)?).await?))
    }

    async fn stop_process(
        &self,
        request: Request<StopProcessRequest>,
    ) -> Result<Response<StopProcessResponse>, Status> {
        Ok(Response::new(rpc::stop_process::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_services(
        &self,
        request: Request<ListServicesRequest>,
    ) -> Result<Response<ListServicesResponse>, Status> {
        Ok(Response::new(rpc::services::list(&self.0, Call::open(request)?).await?))
    }

    async fn get_service(&self, request: Request<GetServiceRequest>) -> Result<Response<Service>, Status> {
        Ok(Response::new(rpc::services::get(&self.0, Call::open(request)?).await?))
    }

    async fn create_service(
        &self,
        request: Request<CreateServiceRequest>,
    ) -> Result<Response<Service>, Status> {
        Ok(Response::new(rpc::services::create(&self.0, Call::open(request)?).await?))
    }

    async fn update_service(
        &self,
        request: Request<UpdateServiceRequest>,
    ) -> Result<Response<Service>, Status> {
        Ok(Response::new(rpc::services::update(&self.0, Call::open(request)?).await?))
    }

    async fn delete_service(&self, request: Request<DeleteServiceRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::services::delete(&self.0, Call::open(request)?).await?))
    }

    async fn start_service(
        &self,
        request: Request<StartServiceRequest>,
    ) -> Result<Response<Service>, Status> {
        Ok(Response::new(rpc::services::start(&self.0, Call::open(request)?).await?))
    }

    async fn stop_service(&self, request: Request<StopServiceRequest>) -> Result<Response<Service>, Status> {
        Ok(Response::new(rpc::services::stop(&self.0, Call::open(request)?).await?))
    }

    async fn restart_service(
        &self,
        request: Request<RestartServiceRequest>,
    ) -> Result<Response<Service>, Status> {
        Ok(Response::new(rpc::services::restart(&self.0, Call::open(request)?).await?))
    }

    async fn list_knowledge_files(
        &self,
        request: Request<ListKnowledgeFilesRequest>,
    ) -> Result<Response<ListKnowledgeFilesResponse>, Status> {
        Ok(Response::new(rpc::knowledge::list(&self.0, Call::open(request)?).await?))
    }

    async fn get_knowledge_file(
        &self,
        request: Request<GetKnowledgeFileRequest>,
    ) -> Result<Response<KnowledgeFile>, Status> {
        Ok(Response::new(rpc::knowledge::get(&self.0, Call::open(request)?).await?))
    }

    async fn read_knowledge_file(
        &self,
        request: Request<ReadKnowledgeFileRequest>,
    ) -> Result<Response<ReadKnowledgeFileResponse>, Status> {
        Ok(Response::new(rpc::knowledge::read(&self.0, Call::open(request)?).await?))
    }

    async fn get_knowledge_statistics(
        &self,
        request: Request<GetKnowledgeStatisticsRequest>,
    ) -> Result<Response<KnowledgeStatistics>, Status> {
        Ok(Response::new(rpc::knowledge::statistics(&self.0, Call::open(request)?).await?))
    }

    async fn watch_service_log(
        &self,
        request: Request<WatchServiceLogRequest>,
    ) -> Result<Response<Self::WatchServiceLogStream>, Status> {
        let lines = rpc::watch_service_log::handle(&self.0, Call::open(request)?).await?;
        Ok(Response::new(lines.map(|line| line.map_err(Status::from)).boxed()))
    }
}
