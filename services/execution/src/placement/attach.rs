//! A worker's stream, where its project is: followed here, or handed on once to the process that has the shard.

use std::time::Duration;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use tokio::{sync::oneshot, time::Instant};
use tonic::{Request, Status, Streaming};
use uuid::Uuid;
use weft_kit::{Call, Caller, Lifecycle, Messages, Peer, project_of};
use weft_members::{Origin, Place};
use weft_proto::weft::execution::v1::{AttachWorkerRequest, WorkerOpen, attach_worker_request::Action};

use super::{
    Placement, Router, far_workers,
    route::{LOOK, PATIENCE, has_missed},
};
use crate::{
    Error,
    rpc::attach_worker::{self, Answers},
};

/// How long a stream may take to say who it is.
const FIRST: Duration = Duration::from_secs(10);

/// Who comes: as a call, and as what it says.
struct Comes {
    origin: Origin,
    caller: Caller,
    open: WorkerOpen,
}

impl Router {
    /// Lets a worker attach, where its project is. Nothing but its first message is read before that has been found.
    pub(crate) async fn attach(
        &self,
        request: Request<Streaming<AttachWorkerRequest>>,
    ) -> Result<Answers, Status> {
        let placement = self.0.placement.as_ref();
        let origin = match placement {
            Some(placement) => Origin::of(&request, Some(&placement.members)).await,
            None => Origin::of(&request, None).await,
        };
        let Call { caller, message: mut messages, .. } = Call::open_stream(request);
        let first = tokio::time::timeout(FIRST, messages.next()).await;
        let Some(first) = first.map_err(|_| Status::from(Error::NoHeartbeat))? else {
            return Err(Error::OutOfTurn("the stream ended before its first message").into());
        };
        let Some(Action::Open(open)) = first?.action else {
            return Err(Error::OutOfTurn("the first message must be open").into());
        };
        let comes = Comes { origin, caller, open };
        let until = Instant::now() + PATIENCE;
        loop {
            match self.attach_once(placement, &comes, messages).await {
                Ok(answers) => return Ok(answers),
                Err((status, left)) => {
                    let is_over = comes.origin.was_handed_on || Instant::now() >= until;
                    let Some(placement) = placement.filter(|_| !is_over && has_missed(&status)) else {
                        return Err(status);
                    };
                    if self.0.lifecycle.is_draining() {
                        return Err(status);
                    }
                    messages = left;
                    tokio::time::sleep(LOOK).await;
                    self.refresh(placement).await;
                }
            }
        }
    }

    /// Gives back what has not been read where it does not succeed.
    async fn attach_once(
        &self,
        placement: Option<&Placement>,
        comes: &Comes,
        messages: Messages<AttachWorkerRequest>,
    ) -> Result<Answers, (Status, Messages<AttachWorkerRequest>)> {
        let found = match (placement, project_of(&comes.open.parent)) {
            (Some(placement), Some(project)) => {
                let shard = self.0.engines.shard_of(project);
                self.find(placement, shard, &comes.origin).await.map(|place| (place, Some(placement)))
            }
            _ => Ok((Place::Here, None)),
        };
        match found {
            Ok((Place::There { peer, .. }, Some(placement))) => {
                placement.meter.handed_on.inc();
                let me = placement.members.uid();
                hand_on((peer, me), comes, messages, self.0.lifecycle.clone()).await
            }
            Ok(_) => match attach_worker::join(&self.0, &comes.caller, comes.open.clone()).await {
                Ok(joined) => Ok(joined.follow(messages)),
                Err(error) => Err((error.into(), messages)),
            },
            Err(error) => Err((error.into(), messages)),
        }
    }
}

/// What a worker says, on its way to another process.
type Outgoing = futures::stream::BoxStream<'static, AttachWorkerRequest>;

/// Hands a worker's stream on: what it says after its first message once the other process has taken it.
async fn hand_on(
    (peer, me): (Peer, Uuid),
    comes: &Comes,
    messages: Messages<AttachWorkerRequest>,
    lifecycle: Lifecycle,
) -> Result<Answers, (Status, Messages<AttachWorkerRequest>)> {
    let (go, gate) = oneshot::channel::<Messages<AttachWorkerRequest>>();
    let (broken, fault) = oneshot::channel();
    let rest = async move {
        match gate.await {
            Ok(messages) => said(messages, broken),
            Err(_) => stream::empty().boxed(),
        }
    };
    let first = AttachWorkerRequest { action: Some(Action::Open(comes.open.clone())) };
    let outgoing = stream::iter([first]).chain(rest.flatten_stream()).boxed();
    let request = comes.origin.there(me, outgoing);
    let mut client = far_workers(peer);
    let answered: BoxFuture<'_, _> = client.attach_worker(request).boxed();
    let answers = match answered.await {
        Ok(answered) => answered.into_inner(),
        Err(status) => return Err((status, messages)),
    };
    // Fails when the other process has ended the stream already, as its answers say.
    drop(go.send(messages));
    let relayed = stream::unfold(Some((answers, fault.fuse(), lifecycle)), |relayed| async {
        let (mut answers, mut fault, lifecycle) = relayed?;
        let end = tokio::select! {
            answer = answers.next() => match answer? {
                Ok(answer) => return Some((Ok(answer), Some((answers, fault, lifecycle)))),
                Err(status) => status,
            },
            // What breaks its contract is not handed on.
            Ok(status) = &mut fault => status,
            () = lifecycle.draining() => Error::Draining.into(),
        };
        Some((Err(end), None))
    });
    Ok(relayed.boxed())
}

/// What a worker says, until it says something wrong.
fn said(messages: Messages<AttachWorkerRequest>, broken: oneshot::Sender<Status>) -> Outgoing {
    stream::unfold((messages, broken), |(mut messages, broken)| async move {
        match messages.next().await? {
            Ok(message) => Some((message, (messages, broken))),
            Err(status) => {
                // Fails when nobody reads the answers any more.
                drop(broken.send(status));
                None
            }
        }
    })
    .boxed()
}
