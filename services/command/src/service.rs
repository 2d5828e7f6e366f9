//! The services: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use weft_kit::Call;
use weft_proto::weft::command::v1::{
    ApproveCommandRequest, AttachWorkersRequest, AttachWorkersResponse, CancelCommandRequest,
    CancelTargetRequest, Command, CommandStatistics, CommandType, CreateCommandRequest,
    CreateCommandTypeRequest, DeleteCommandTypeRequest, GetCommandRequest, GetCommandTypeRequest,
    GetStatisticsRequest, GetTargetRequest, ListCommandTypesRequest, ListCommandTypesResponse,
    ListCommandsRequest, ListCommandsResponse, ListTargetsRequest, ListTargetsResponse, RejectCommandRequest,
    RetryCommandRequest, StreamOutputRequest, StreamOutputResponse, Target, UpdateCommandTypeRequest,
    WatchCommandRequest, WatchCommandResponse,
    command_service_server::{CommandService as CommandServiceTrait, CommandServiceServer},
    worker_service_server::{WorkerService as WorkerServiceTrait, WorkerServiceServer},
};

use crate::{Deps, Options, lines, rpc, state::State, task};

/// The command service. Cheap to clone.
#[derive(Clone)]
pub struct CommandService(pub(crate) Arc<State>);

/// The door for processes that hold agents' streams. Cheap to clone.
#[derive(Clone)]
pub struct WorkerService(Arc<State>);

impl CommandService {
    /// Opens the service. It takes commands as soon as its job engine has read what there is.
    pub fn open(options: Options, deps: Deps) -> Self {
        let lifecycle = deps.lifecycle.clone();
        let state = Arc::new(State::open(options, deps));
        task::start(&state, &lifecycle);
        Self(state)
    }

    /// Its door for processes that hold agents' streams.
    pub fn workers(&self) -> WorkerService {
        WorkerService(Arc::clone(&self.0))
    }

    /// As a gRPC server.
    pub fn into_server(self) -> CommandServiceServer<Self> {
        CommandServiceServer::new(self)
    }
}

impl WorkerService {
    /// As a gRPC server.
    pub fn into_server(self) -> WorkerServiceServer<Self> {
        WorkerServiceServer::new(self)
    }
}

impl std::fmt::Debug for CommandService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CommandService").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WorkerService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WorkerService").finish_non_exhaustive()
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl WorkerServiceTrait for WorkerService {
    type AttachWorkersStream = Answers<AttachWorkersResponse>;

    async fn attach_workers(
        &self,
        request: Request<Streaming<AttachWorkersRequest>>,
    ) -> Result<Response<Self::AttachWorkersStream>, Status> {
        let call = Call::open_stream(request);
        Ok(Response::new(lines::handle(&self.0, call).await?.boxed()))
    }
}

#[tonic::async_trait]
impl CommandServiceTrait for CommandService {
    type WatchCommandStream = Answers<WatchCommandResponse>;
    type StreamOutputStream = Answers<StreamOutputResponse>;

    async fn create_command(
        &self,
        request: Request<CreateCommandRequest>,
    ) -> Result<Response<Command>, Status> {
        Ok(Response::new(rpc::create_command::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_command(&self, request: Request<GetCommandRequest>) -> Result<Response<Command>, Status> {
        Ok(Response::new(rpc::get_command::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_commands(
        &self,
        request: Request<ListCommandsRequest>,
    ) -> Result<Response<ListCommandsResponse>, Status> {
        Ok(Response::new(rpc::list_commands::handle(&self.0, Call::open(request)?).await?))
    }

    async fn cancel_command(
        &self,
        request: Request<CancelCommandRequest>,
    ) -> Result<Response<Command>, Status> {
        Ok(Response::new(rpc::cancel_command::handle(&self.0, Call::open(request)?).await?))
    }

    async fn approve_command(
        &self,
        request: Request<ApproveCommandRequest>,
    ) -> Result<Response<Command>, Status> {
        Ok(Response::new(rpc::decide_command::approve(&self.0, Call::open(request)?).await?))
    }

    async fn reject_command(
        &self,
        request: Request<RejectCommandRequest>,
    ) -> Result<Response<Command>, Status> {
        Ok(Response::new(rpc::decide_command::reject(&self.0, Call::open(request)?).await?))
    }

    async fn retry_command(
        &self,
        request: Request<RetryCommandRequest>,
    ) -> Result<Response<Command>, Status> {
        Ok(Response::new(rpc::retry_command::handle(&self.0, Call::open(request)?).await?))
    }

    async fn watch_command(
        &self,
        request: Request<WatchCommandRequest>,
    ) -> Result<Response<Self::WatchCommandStream>, Status> {
        let events = rpc::watch_command::handle(&self.0, Call::open(request)?).await?;
        Ok(Response::new(events.map(|event| event.map_err(Status::from)).boxed()))
    }

    async fn get_target(&self, request: Request<GetTargetRequest>) -> Result<Response<Target>, Status> {
        Ok(Response::new(rpc::get_target::handle(&self.0, Call::open(request)?).await?))
    }

    async fn cancel_target(&self, request: Request<CancelTargetRequest>) -> Result<Response<Target>, Status> {
        Ok(Response::new(rpc::cancel_target::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_targets(
        &self,
        request: Request<ListTargetsRequest>,
    ) -> Result<Response<ListTargetsResponse>, Status> {
        Ok(Response::new(rpc::list_targets::handle(&self.0, Call::open(request)?).await?))
    }

    async fn stream_output(
        &self,
        request: Request<StreamOutputRequest>,
    ) -> Result<Response<Self::StreamOutputStream>, Status> {
        let events = rpc::stream_output::handle(&self.0, Call::open(request)?).await?;
        Ok(Response::new(events.map(|event| event.map_err(Status::from)).boxed()))
    }

    async fn get_statistics(
        &self,
        request: Request<GetStatisticsRequest>,
    ) -> Result<Response<CommandStatistics>, Status> {
        Ok(Response::new(rpc::get_statistics::handle(&self.0, Call::open(request)?).await?))
    }

    async fn create_command_type(
        &self,
        request: Request<CreateCommandTypeRequest>,
    ) -> Result<Response<CommandType>, Status> {
        Ok(Response::new(rpc::create_command_type::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_command_type(
        &self,
        request: Request<GetCommandTypeRequest>,
    ) -> Result<Response<CommandType>, Status> {
        Ok(Response::new(rpc::get_command_type::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_command_types(
        &self,
        request: Request<ListCommandTypesRequest>,
    ) -> Result<Response<ListCommandTypesResponse>, Status> {
        Ok(Response::new(rpc::list_command_types::handle(&self.0, Call::open(request)?).await?))
    }

    async fn update_command_type(
        &self,
        request: Request<UpdateCommandTypeRequest>,
    ) -> Result<Response<CommandType>, Status> {
        Ok(Response::new(rpc::update_command_type::handle(&self.0, Call::open(request)?).await?))
    }

    async fn delete_command_type(
        &self,
        request: Request<DeleteCommandTypeRequest>,
    ) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::delete_command_type::handle(&self.0, Call::open(request)?).await?))
    }
}
