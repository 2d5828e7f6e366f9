//! The service: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};
use weft_kit::Call;
use weft_proto::weft::execution::v1::{
    CancelExecutionRequest, CreateExecutionRequest, CreateRunLimitRequest, DecideApprovalRequest,
    DeleteExecutionRequest, DeleteRunLimitRequest, Execution, FindExecutionEndsRequest,
    FindExecutionEndsResponse, FindTopicMessagesRequest, FindTopicMessagesResponse, GetExecutionRequest,
    GetRunLimitRequest, GetStepRequest, ListApprovalsRequest, ListApprovalsResponse, ListExecutionsRequest,
    ListExecutionsResponse, ListNodeKindsRequest, ListNodeKindsResponse, ListRunLimitsRequest,
    ListRunLimitsResponse, ListStepsRequest, ListStepsResponse, PauseExecutionRequest,
    ResumeExecutionRequest, RetryExecutionRequest, RunLimit, SignalExecutionRequest, Step,
    TerminateExecutionRequest, UpdateRunLimitRequest, ValidateWorkflowRequest, ValidateWorkflowResponse,
    WatchExecutionRequest, WatchExecutionResponse,
    execution_service_server::{ExecutionService as ExecutionServiceTrait, ExecutionServiceServer},
};

use crate::{Deps, Options, engine::Asked, rpc, state::State, task};

/// The execution service. Cheap to clone.
#[derive(Clone)]
pub struct ExecutionService(Arc<State>);

impl ExecutionService {
    /// Opens the service. It runs executions as soon as its engine has read what is at work.
    pub fn open(options: Options, deps: Deps) -> Self {
        let lifecycle = deps.lifecycle.clone();
        let state = Arc::new(State::open(options, deps));
        task::start(&state, &lifecycle);
        Self(state)
    }

    /// As a gRPC server.
    pub fn into_server(self) -> ExecutionServiceServer<Self> {
        ExecutionServiceServer::new(self)
    }
}

impl std::fmt::Debug for ExecutionService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ExecutionService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl ExecutionServiceTrait for ExecutionService {
    type WatchExecutionStream = Pin<Box<dyn Stream<Item = Result<WatchExecutionResponse, Status>> + Send>>;

    async fn create_execution(
        &self,
        request: Request<CreateExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        Ok(Response::new(rpc::create_execution::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_execution(
        &self,
        request: Request<GetExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        Ok(Response::new(rpc::get_execution::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_executions(
        &self,
        request: Request<ListExecutionsRequest>,
    ) -> Result<Response<ListExecutionsResponse>, Status> {
        Ok(Response::new(rpc::list_executions::handle(&self.0, Call::open(request)?).await?))
    }

    async fn find_execution_ends(
        &self,
        request: Request<FindExecutionEndsRequest>,
    ) -> Result<Response<FindExecutionEndsResponse>, Status> {
        Ok(Response::new(rpc::find_execution_ends::handle(&self.0, Call::open(request)?).await?))
    }

    async fn find_topic_messages(
        &self,
        request: Request<FindTopicMessagesRequest>,
    ) -> Result<Response<FindTopicMessagesResponse>, Status> {
        Ok(Response::new(rpc::find_topic_messages::handle(&self.0, Call::open(request)?).await?))
    }

    async fn delete_execution(
        &self,
        request: Request<DeleteExecutionRequest>,
    ) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::delete_execution::handle(&self.0, Call::open(request)?).await?))
    }

    async fn signal_execution(
        &self,
        request: Request<SignalExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        Ok(Response::new(rpc::signal_execution::handle(&self.0, Call::open(request)?).await?))
    }

    async fn retry_execution(
        &self,
        request: Request<RetryExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        Ok(Response::new(rpc::retry_execution::handle(&self.0, Call::open(request)?).await?))
    }

    async fn decide_approval(
        &self,
        request: Request<DecideApprovalRequest>,
    ) -> Result<Response<Step>, Status> {
        Ok(Response::new(rpc::decide_approval::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_approvals(
        &self,
        request: Request<ListApprovalsRequest>,
    ) -> Result<Response<ListApprovalsResponse>, Status> {
        Ok(Response::new(rpc::list_approvals::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_steps(
        &self,
        request: Request<ListStepsRequest>,
    ) -> Result<Response<ListStepsResponse>, Status> {
        Ok(Response::new(rpc::list_steps::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_step(&self, request: Request<GetStepRequest>) -> Result<Response<Step>, Status> {
        Ok(Response::new(rpc::get_step::handle(&self.0, Call::open(request)?).await?))
    }

    async fn validate_workflow(
        &self,
        request: Request<ValidateWorkflowRequest>,
    ) -> Result<Response<ValidateWorkflowResponse>, Status> {
        Ok(Response::new(rpc::validate_workflow::handle(&self.0, Call::open(request)?).await?))
    }

    async fn cancel_execution(
        &self,
        request: Request<CancelExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        let call = Call::open(request)?;
        Ok(Response::new(rpc::control::handle(&self.0, &call.message.name, Asked::Cancel).await?))
    }

    async fn terminate_execution(
        &self,
        request: Request<TerminateExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        let call = Call::open(request)?;
        Ok(Response::new(rpc::control::handle(&self.0, &call.message.name, Asked::Terminate).await?))
    }

    async fn pause_execution(
        &self,
        request: Request<PauseExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        let call = Call::open(request)?;
        Ok(Response::new(rpc::control::handle(&self.0, &call.message.name, Asked::Pause).await?))
    }

    async fn resume_execution(
        &self,
        request: Request<ResumeExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        let call = Call::open(request)?;
        Ok(Response::new(rpc::control::handle(&self.0, &call.message.name, Asked::Resume).await?))
    }

    async fn create_run_limit(
        &self,
        request: Request<CreateRunLimitRequest>,
    ) -> Result<Response<RunLimit>, Status> {
        Ok(Response::new(rpc::create_run_limit::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_run_limit(
        &self,
        request: Request<GetRunLimitRequest>,
    ) -> Result<Response<RunLimit>, Status> {
        Ok(Response::new(rpc::get_run_limit::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_run_limits(
        &self,
        request: Request<ListRunLimitsRequest>,
    ) -> Result<Response<ListRunLimitsResponse>, Status> {
        Ok(Response::new(rpc::list_run_limits::handle(&self.0, Call::open(request)?).await?))
    }

    async fn update_run_limit(
        &self,
        request: Request<UpdateRunLimitRequest>,
    ) -> Result<Response<RunLimit>, Status> {
        Ok(Response::new(rpc::update_run_limit::handle(&self.0, Call::open(request)?).await?))
    }

    async fn delete_run_limit(
        &self,
        request: Request<DeleteRunLimitRequest>,
    ) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::delete_run_limit::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_node_kinds(
        &self,
        request: Request<ListNodeKindsRequest>,
    ) -> Result<Response<ListNodeKindsResponse>, Status> {
        Ok(Response::new(rpc::list_node_kinds::handle(Call::open(request)?)?))
    }

    async fn watch_execution(
        &self,
        request: Request<WatchExecutionRequest>,
    ) -> Result<Response<Self::WatchExecutionStream>, Status> {
        let events = rpc::watch_execution::handle(&self.0, Call::open(request)?).await?;
        Ok(Response::new(events.map(|event| event.map_err(Status::from)).boxed()))
    }
}
