//! The service: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};
use weft_kit::{Call, metrics::Metrics};
use weft_proto::weft::execution::v1::{
    CancelExecutionRequest, ClearKeptResultsRequest, ClearKeptResultsResponse, CreateExecutionRequest,
    CreateRunLimitRequest, DecideApprovalRequest, DeleteExecutionRequest, DeleteRunLimitRequest, Execution,
    FindExecutionEndsRequest, FindExecutionEndsResponse, FindTopicMessagesRequest, FindTopicMessagesResponse,
    GetExecutionRequest, GetRunLimitRequest, GetStepRequest, ListApprovalsRequest, ListApprovalsResponse,
    ListExecutionsRequest, ListExecutionsResponse, ListNodeKindsRequest, ListNodeKindsResponse,
    ListRunLimitsRequest, ListRunLimitsResponse, ListStepsRequest, ListStepsResponse, PauseExecutionRequest,
    ResumeExecutionRequest, RetryExecutionRequest, RunLimit, SignalExecutionRequest, Step,
    TerminateExecutionRequest, UpdateRunLimitRequest, ValidateWorkflowRequest, ValidateWorkflowResponse,
    WatchExecutionRequest, WatchExecutionResponse,
    execution_service_server::{ExecutionService as ExecutionServiceTrait, ExecutionServiceServer},
};

use crate::{
    Deps, Error, Options,
    engine::Asked,
    objects::ProjectObjects,
    placement::{self, Router, relay},
    rpc,
    state::State,
    task,
};

/// Answers a call where the executions of its project are.
macro_rules! routed {
    ($self:ident, $request:ident, $rpc:ident) => {
        $self
            .0
            .answer(
                $request,
                |request| async { Ok(rpc::$rpc::handle($self.state(), Call::open(request)?).await?) },
                |peer, request| async move { placement::far(peer).$rpc(request).await },
            )
            .await
    };
    ($self:ident, $request:ident, $rpc:ident, $asked:expr) => {
        $self
            .0
            .answer(
                $request,
                |request| async {
                    let call = Call::open(request)?;
                    Ok(rpc::control::handle($self.state(), &call.message.name, $asked).await?)
                },
                |peer, request| async move { placement::far(peer).$rpc(request).await },
            )
            .await
    };
}

/// The execution service. Cheap to clone.
#[derive(Clone)]
pub struct ExecutionService(Router);

impl ExecutionService {
    /// Opens the service. It runs executions as soon as an engine has read what is at work.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn open(options: Options, deps: Deps) -> Result<Self, Error> {
        let lifecycle = deps.lifecycle.clone();
        let state = Arc::new(State::open(options, deps).await?);
        task::start(&state, &lifecycle);
        placement::start(&state, &lifecycle);
        state.project_objects.start();
        Ok(Self(Router(state)))
    }

    /// Shows what the service counts, as `weft_execution_…`: once for each service and registry.
    pub fn register_metrics(&self, metrics: &Metrics) {
        metrics.register("execution", |registry| self.state().meter.register(registry));
        if let Some(placement) = &self.state().placement {
            metrics.register("execution", |registry| placement.meter.register(registry));
        }
    }

    fn state(&self) -> &Arc<State> {
        &self.0.0
    }

    /// Answers calls where their executions are.
    pub(crate) fn router(&self) -> Router {
        self.0.clone()
    }

    /// The objects that its workflows work with.
    pub(crate) fn objects(&self) -> Arc<ProjectObjects> {
        Arc::clone(&self.state().project_objects)
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
        routed!(self, request, create_execution)
    }

    async fn get_execution(
        &self,
        request: Request<GetExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        routed!(self, request, get_execution)
    }

    async fn list_executions(
        &self,
        request: Request<ListExecutionsRequest>,
    ) -> Result<Response<ListExecutionsResponse>, Status> {
        routed!(self, request, list_executions)
    }

    async fn find_execution_ends(
        &self,
        request: Request<FindExecutionEndsRequest>,
    ) -> Result<Response<FindExecutionEndsResponse>, Status> {
        Ok(Response::new(rpc::find_execution_ends::handle(self.state(), Call::open(request)?).await?))
    }

    async fn find_topic_messages(
        &self,
        request: Request<FindTopicMessagesRequest>,
    ) -> Result<Response<FindTopicMessagesResponse>, Status> {
        Ok(Response::new(rpc::find_topic_messages::handle(self.state(), Call::open(request)?).await?))
    }

    async fn delete_execution(
        &self,
        request: Request<DeleteExecutionRequest>,
    ) -> Result<Response<()>, Status> {
        routed!(self, request, delete_execution)
    }

    async fn signal_execution(
        &self,
        request: Request<SignalExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        routed!(self, request, signal_execution)
    }

    async fn retry_execution(
        &self,
        request: Request<RetryExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        routed!(self, request, retry_execution)
    }

    async fn decide_approval(
        &self,
        request: Request<DecideApprovalRequest>,
    ) -> Result<Response<Step>, Status> {
        routed!(self, request, decide_approval)
    }

    async fn list_approvals(
        &self,
        request: Request<ListApprovalsRequest>,
    ) -> Result<Response<ListApprovalsResponse>, Status> {
        routed!(self, request, list_approvals)
    }

    async fn list_steps(
        &self,
        request: Request<ListStepsRequest>,
    ) -> Result<Response<ListStepsResponse>, Status> {
        routed!(self, request, list_steps)
    }

    async fn get_step(&self, request: Request<GetStepRequest>) -> Result<Response<Step>, Status> {
        routed!(self, request, get_step)
    }

    async fn validate_workflow(
        &self,
        request: Request<ValidateWorkflowRequest>,
    ) -> Result<Response<ValidateWorkflowResponse>, Status> {
        Ok(Response::new(rpc::validate_workflow::handle(self.state(), Call::open(request)?).await?))
    }

    async fn cancel_execution(
        &self,
        request: Request<CancelExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        routed!(self, request, cancel_execution, Asked::Cancel)
    }

    async fn terminate_execution(
        &self,
        request: Request<TerminateExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        routed!(self, request, terminate_execution, Asked::Terminate)
    }

    async fn pause_execution(
        &self,
        request: Request<PauseExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        routed!(self, request, pause_execution, Asked::Pause)
    }

    async fn resume_execution(
        &self,
        request: Request<ResumeExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        routed!(self, request, resume_execution, Asked::Resume)
    }

    async fn create_run_limit(
        &self,
        request: Request<CreateRunLimitRequest>,
    ) -> Result<Response<RunLimit>, Status> {
        routed!(self, request, create_run_limit)
    }

    async fn get_run_limit(
        &self,
        request: Request<GetRunLimitRequest>,
    ) -> Result<Response<RunLimit>, Status> {
        routed!(self, request, get_run_limit)
    }

    async fn list_run_limits(
        &self,
        request: Request<ListRunLimitsRequest>,
    ) -> Result<Response<ListRunLimitsResponse>, Status> {
        routed!(self, request, list_run_limits)
    }

    async fn update_run_limit(
        &self,
        request: Request<UpdateRunLimitRequest>,
    ) -> Result<Response<RunLimit>, Status> {
        routed!(self, request, update_run_limit)
    }

    async fn delete_run_limit(
        &self,
        request: Request<DeleteRunLimitRequest>,
    ) -> Result<Response<()>, Status> {
        routed!(self, request, delete_run_limit)
    }

    async fn clear_kept_results(
        &self,
        request: Request<ClearKeptResultsRequest>,
    ) -> Result<Response<ClearKeptResultsResponse>, Status> {
        routed!(self, request, clear_kept_results)
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
        let lifecycle = &self.state().lifecycle;
        self.0
            .answer(
                request,
                |request| async {
                    let events = rpc::watch_execution::handle(self.state(), Call::open(request)?).await?;
                    Ok(events.map(|event| event.map_err(Status::from)).boxed())
                },
                |peer, request| async move {
                    let answered = placement::far(peer).watch_execution(request).await?;
                    Ok(answered.map(|events| relay(events, lifecycle.clone()).boxed()))
                },
            )
            .await
    }
}
