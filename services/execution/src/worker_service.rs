//! The service of workers: one line for each RPC.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};
use weft_kit::Call;
use weft_proto::weft::execution::v1::{
    AttachWorkerRequest, ListTaskQueuesRequest, ListTaskQueuesResponse, ListWorkersRequest,
    ListWorkersResponse,
    worker_service_server::{WorkerService as WorkerServiceTrait, WorkerServiceServer},
};

use crate::{
    ExecutionService,
    placement::{Router, far_workers},
    rpc::{self, attach_worker::Answers},
    state::State,
};

/// The service of workers. Cheap to clone.
#[derive(Clone)]
pub struct WorkerService(Router);

impl WorkerService {
    /// The workers that do the tasks of an execution service.
    pub fn new(executions: &ExecutionService) -> Self {
        Self(executions.router())
    }

    fn state(&self) -> &Arc<State> {
        &self.0.0
    }

    /// As a gRPC server.
    pub fn into_server(self) -> WorkerServiceServer<Self> {
        WorkerServiceServer::new(self)
    }
}

impl std::fmt::Debug for WorkerService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WorkerService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl WorkerServiceTrait for WorkerService {
    type AttachWorkerStream = Answers;

    async fn attach_worker(
        &self,
        request: Request<Streaming<AttachWorkerRequest>>,
    ) -> Result<Response<Self::AttachWorkerStream>, Status> {
        Ok(Response::new(self.0.attach(request).await?))
    }

    async fn list_workers(
        &self,
        request: Request<ListWorkersRequest>,
    ) -> Result<Response<ListWorkersResponse>, Status> {
        let here =
            |request| async { Ok(rpc::list_workers::handle(self.state(), Call::open(request)?).await?) };
        let there = |peer, request| async move { far_workers(peer).list_workers(request).await };
        self.0.answer(request, here, there).await
    }

    async fn list_task_queues(
        &self,
        request: Request<ListTaskQueuesRequest>,
    ) -> Result<Response<ListTaskQueuesResponse>, Status> {
        let here =
            |request| async { Ok(rpc::list_task_queues::handle(self.state(), Call::open(request)?).await?) };
        let there = |peer, request| async move { far_workers(peer).list_task_queues(request).await };
        self.0.answer(request, here, there).await
    }
}
