//! Where a call is answered: here, or handed on once to the process that has the shard of its project, with the caller's
//! credential, trace and deadline. Clients need not know that there are several.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};
use weft_kit::{Lifecycle, Peer, problem, project_of};
use weft_members::{Origin, Place, is_lost, is_unreachable};
use weft_proto::weft::execution::v1::{
    self as proto, execution_service_client::ExecutionServiceClient,
    worker_service_client::WorkerServiceClient,
};

use super::{Placement, key};
use crate::{Error, state::State};

/// How long a call waits for a shard that is on its way from one process to another: longer than the lease of one that was
/// killed, by default.
pub(super) const PATIENCE: Duration = Duration::from_secs(6);
/// How long between two looks where it is.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// The same service in another process.
pub(crate) fn far(peer: Peer) -> ExecutionServiceClient<Peer> {
    ExecutionServiceClient::new(peer).max_decoding_message_size(usize::MAX)
}

/// The service of workers in another process.
pub(crate) fn far_workers(peer: Peer) -> WorkerServiceClient<Peer> {
    WorkerServiceClient::new(peer).max_decoding_message_size(usize::MAX)
}

/// A request about something of one project.
pub(crate) trait OfProject {
    /// The resource that it is about, or the parent of it.
    fn resource(&self) -> &str;

    /// Whether it comes to the same when it is done twice.
    fn is_repeatable(&self) -> bool;
}

macro_rules! of_project {
    ($($message:ident: $field:ident, $repeatable:expr;)+) => {
        $(impl OfProject for proto::$message {
            fn resource(&self) -> &str {
                &self.$field
            }

            fn is_repeatable(&self) -> bool {
                let repeatable: fn(&Self) -> bool = $repeatable;
                repeatable(self)
            }
        })+
    };
}

of_project! {
    CreateExecutionRequest: parent, |request| !request.request_id.is_empty();
    GetExecutionRequest: name, |_| true;
    ListExecutionsRequest: parent, |_| true;
    DeleteExecutionRequest: name, |_| false;
    CancelExecutionRequest: name, |_| true;
    TerminateExecutionRequest: name, |_| true;
    PauseExecutionRequest: name, |_| true;
    ResumeExecutionRequest: name, |_| true;
    SignalExecutionRequest: name, |request| !request.request_id.is_empty();
    RetryExecutionRequest: name, |request| !request.request_id.is_empty();
    WatchExecutionRequest: name, |_| true;
    DecideApprovalRequest: name, |_| true;
    ListApprovalsRequest: parent, |_| true;
    ListStepsRequest: parent, |_| true;
    GetStepRequest: name, |_| true;
    CreateRunLimitRequest: parent, |request| !request.request_id.is_empty();
    GetRunLimitRequest: name, |_| true;
    ListRunLimitsRequest: parent, |_| true;
    DeleteRunLimitRequest: name, |_| false;
    ListWorkersRequest: parent, |_| true;
    ListTaskQueuesRequest: parent, |_| true;
    ClearKeptResultsRequest: parent, |_| true;
}

impl OfProject for proto::UpdateRunLimitRequest {
    fn resource(&self) -> &str {
        self.run_limit.as_ref().map_or("", |limit| &limit.name)
    }

    fn is_repeatable(&self) -> bool {
        self.run_limit.as_ref().is_none_or(|limit| limit.etag.is_empty())
    }
}

/// Answers calls where their executions are.
#[derive(Clone)]
pub(crate) struct Router(pub(crate) Arc<State>);

impl Router {
    /// Answers a call. `here` and `there` may be called again while the shard moves.
    pub(crate) async fn answer<T, R, L, H>(
        &self,
        request: Request<T>,
        here: impl Fn(Request<T>) -> L,
        there: impl Fn(Peer, Request<T>) -> H,
    ) -> Result<Response<R>, Status>
    where
        T: OfProject + Clone,
        L: Future<Output = Result<R, Status>>,
        H: Future<Output = Result<Response<R>, Status>>,
    {
        let project = project_of(request.get_ref().resource());
        let (Some(placement), Some(project)) = (&self.0.placement, project) else {
            return here(request).await.map(Response::new);
        };
        let shard = self.0.engines.shard_of(project);
        let origin = Origin::of(&request, Some(&placement.members)).await;
        let message = request.into_inner();
        let is_repeatable = message.is_repeatable();
        let until = Instant::now() + PATIENCE;
        loop {
            let answered = match self.find(placement, shard, &origin).await {
                Ok(Place::Here) => here(origin.here(message.clone())).await.map(Response::new),
                Ok(Place::There { peer, .. }) => {
                    placement.meter.handed_on.inc();
                    there(peer, origin.there(placement.members.uid(), message.clone())).await
                }
                Err(error) => Err(error.into()),
            };
            let again = |status: &Status| has_missed(status) || is_repeatable && is_lost(status);
            match answered {
                Err(status) if !origin.was_handed_on && again(&status) && Instant::now() < until => {
                    if self.0.lifecycle.is_draining() {
                        return Err(status);
                    }
                    tokio::time::sleep(LOOK).await;
                    self.refresh(placement).await;
                }
                Err(status) if is_lost(&status) => return Err(Error::Interrupted.into()),
                answered => return answered,
            }
        }
    }

    /// Where a shard is.
    pub(super) async fn find(
        &self,
        placement: &Placement,
        shard: i32,
        origin: &Origin,
    ) -> Result<Place, Error> {
        let Placement { members, owners, .. } = placement;
        if self.0.engines.get(shard).is_some_and(crate::engine::Engine::is_open) {
            return Ok(Place::Here);
        }
        if origin.was_handed_on {
            return Err(Error::NotReady);
        }
        if let Some(owner) = owners.of(shard).filter(|owner| *owner != members.uid())
            && let Ok(Some(peer)) = members.peer_of(owner).await
        {
            return Ok(Place::There { peer, held: true });
        }
        match members.belonging(&key(shard)) {
            // Not yet: it is opened, or another process gives it back.
            Place::Here => Err(Error::NotReady),
            there @ Place::There { .. } => Ok(there),
        }
    }

    /// Learns who is there, and who has what.
    pub(super) async fn refresh(&self, placement: &Placement) {
        if let Err(error) = placement.owners.refresh(&*self.0.store).await {
            tracing::debug!(%error, "who has which executions could not be learnt");
        }
        if let Err(error) = placement.members.refresh().await {
            tracing::debug!(%error, "who shares executions could not be learnt");
        }
        placement.learnt.notify_one();
    }
}

/// Whether a call came where the executions are not, or not any more, so that nothing was done.
pub(super) fn has_missed(status: &Status) -> bool {
    is_unreachable(status)
        || (status.code() == Code::Unavailable
            && matches!(problem::reason(status).as_deref(), Some("DRAINING" | "EXECUTIONS_NOT_READY")))
}

/// What another process answers, for the client, which is told to come again when this process ends.
pub(crate) fn relay<T: Send + 'static>(
    answers: impl Stream<Item = Result<T, Status>> + Send + Unpin + 'static,
    lifecycle: Lifecycle,
) -> impl Stream<Item = Result<T, Status>> + Send {
    stream::unfold(Some((answers, lifecycle)), |relayed| async {
        let (mut answers, lifecycle) = relayed?;
        tokio::select! {
            answer = answers.next() => {
                let answer = answer?;
                let goes_on = answer.is_ok().then_some((answers, lifecycle));
                Some((answer, goes_on))
            }
            () = lifecycle.draining() => Some((Err(Error::Draining.into()), None)),
        }
    })
}
