//! Where a call about a layout is answered: here, or handed on once to the process that has the layout, with the caller's
//! credential, trace and deadline. Clients need not know that there are several.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};
use weft_kit::{Messages, Peer, problem};
use weft_members::{Origin, is_unreachable};
use weft_proto::weft::compute::v1::{
    self as proto, AttachLayoutRequest, AttachLayoutResponse, analysis_service_client::AnalysisServiceClient,
    layout_service_client::LayoutServiceClient,
};

use super::Place;
use crate::{
    Error,
    domain::name::{ConstraintName, LayoutName},
    service::Answers,
    session::Layouts,
};

/// How long a call waits for a layout that is on its way from one process to another.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long between two looks where it is.
const LOOK: Duration = Duration::from_millis(50);
/// How long a list waits for another process.
const LISTING: Duration = Duration::from_secs(1);
/// Messages of a client that wait for the process that they are handed on to.
const WAITING: usize = 16;

/// A request that concerns one layout.
pub(crate) trait OfLayout {
    /// Which one; nothing where the name is no name, which is refused by whoever answers.
    fn layout(&self) -> Option<LayoutName>;
}

macro_rules! of_layout {
    ($($message:ident: $($field:ident).+;)+) => {
        $(impl OfLayout for proto::$message {
            fn layout(&self) -> Option<LayoutName> {
                LayoutName::parse(&self.$($field).+, "name").ok()
            }
        })+
    };
    (constraint $($message:ident;)+) => {
        $(impl OfLayout for proto::$message {
            fn layout(&self) -> Option<LayoutName> {
                Some(ConstraintName::parse(&self.name, "name").ok()?.layout)
            }
        })+
    };
}

of_layout! {
    GetLayoutRequest: name;
    DeleteLayoutRequest: name;
    StartLayoutRequest: name;
    StopLayoutRequest: name;
    ReheatLayoutRequest: name;
    PinNodesRequest: name;
    UnpinNodesRequest: name;
    WatchPositionsRequest: name;
    CreateConstraintRequest: parent;
    ListConstraintsRequest: parent;
}

of_layout! { constraint GetConstraintRequest; DeleteConstraintRequest; }

impl OfLayout for proto::UpdateLayoutRequest {
    fn layout(&self) -> Option<LayoutName> {
        LayoutName::parse(&self.layout.as_ref()?.name, "name").ok()
    }
}

impl OfLayout for proto::UpdateConstraintRequest {
    fn layout(&self) -> Option<LayoutName> {
        Some(ConstraintName::parse(&self.constraint.as_ref()?.name, "name").ok()?.layout)
    }
}

/// Answers calls where their layouts are.
#[derive(Clone, Debug)]
pub(crate) struct Router(pub(crate) Arc<Layouts>);

impl Router {
    /// Answers a call with one request. `here` and `there` may be called again while the layout moves.
    pub(crate) async fn answer<T, R, L, H>(
        &self,
        request: Request<T>,
        here: impl Fn(Request<T>) -> L,
        there: impl Fn(LayoutServiceClient<Peer>, Request<T>) -> H,
    ) -> Result<Response<R>, Status>
    where
        T: OfLayout + Clone,
        L: Future<Output = Result<R, Status>>,
        H: Future<Output = Result<R, Status>>,
    {
        let name = request.get_ref().layout();
        let Some(name) = name.filter(|_| self.0.placement.is_shared()) else {
            return here(request).await.map(Response::new);
        };
        let origin = self.origin(&request).await;
        let message = request.into_inner();
        let until = Instant::now() + PATIENCE;
        loop {
            let answered = match self.find(&name, &origin).await {
                Ok(Place::Here) => here(origin.here(message.clone())).await,
                Ok(Place::There { peer, held }) => {
                    self.0.placement.meter.handed_on.inc();
                    let answered = there(client(peer), self.there(&origin, message.clone())).await;
                    match answered {
                        // Nobody has it, and whose turn it is cannot be reached.
                        Err(status) if !held && is_unreachable(&status) => {
                            here(origin.here(message.clone())).await
                        }
                        answered => answered,
                    }
                }
                Err(error) => Err(error.into()),
            };
            match answered {
                Err(status) if !origin.was_handed_on && is_moving(&status) && Instant::now() < until => {
                    tokio::time::sleep(LOOK).await;
                    self.0.placement.refresh().await;
                }
                answered => return answered.map(Response::new),
            }
        }
    }

    /// Answers an attached stream: its first message says which layout it is about.
    pub(crate) async fn attach<H>(
        &self,
        head: &Request<()>,
        mut messages: Messages<AttachLayoutRequest>,
        here: impl FnOnce(Messages<AttachLayoutRequest>) -> H,
    ) -> Result<Answers<AttachLayoutResponse>, Status>
    where
        H: Future<Output = Result<Answers<AttachLayoutResponse>, Status>>,
    {
        if !self.0.placement.is_shared() {
            return here(messages).await;
        }
        let origin = self.origin(head).await;
        let first = messages.next().await;
        let name = match &first {
            Some(Ok(AttachLayoutRequest {
                action: Some(proto::attach_layout_request::Action::Open(open)),
            })) => LayoutName::parse(&open.name, "name").ok(),
            _ => None,
        };
        let begun = |messages: Messages<AttachLayoutRequest>| {
            futures::stream::iter(first.clone()).chain(messages).boxed()
        };
        let (Some(name), Some(Ok(open))) = (name, first.clone()) else {
            return here(begun(messages)).await;
        };
        let until = Instant::now() + PATIENCE;
        loop {
            let answered = match self.find(&name, &origin).await {
                Ok(Place::Here) => return here(begun(messages)).await,
                Ok(Place::There { peer, held }) => {
                    self.0.placement.meter.handed_on.inc();
                    let (send, sent) = mpsc::channel(WAITING);
                    let _ = send.send(open.clone()).await;
                    match client(peer).attach_layout(self.there(&origin, ReceiverStream::new(sent))).await {
                        Ok(answers) => {
                            let refused = self.hand_on(messages, send);
                            return Ok(self.relay(answers.into_inner(), Some(refused)));
                        }
                        Err(status) if !held && is_unreachable(&status) => {
                            return here(begun(messages)).await;
                        }
                        Err(status) => status,
                    }
                }
                Err(error) => error.into(),
            };
            if origin.was_handed_on || !is_moving(&answered) || Instant::now() >= until {
                return Err(answered);
            }
            tokio::time::sleep(LOOK).await;
            self.0.placement.refresh().await;
        }
    }

    /// Answers a stream of communities. Nothing of them is kept, so that they need no lease: all who watch a graph are sent to
    /// the same process, and where that cannot be reached they are computed here.
    pub(crate) async fn watch_communities<H>(
        &self,
        request: Request<proto::WatchCommunitiesRequest>,
        here: impl FnOnce(Request<proto::WatchCommunitiesRequest>) -> H,
    ) -> Result<Response<Answers<proto::WatchCommunitiesResponse>>, Status>
    where
        H: Future<Output = Result<Answers<proto::WatchCommunitiesResponse>, Status>>,
    {
        let origin = self.origin(&request).await;
        if self.0.placement.is_shared() && !origin.was_handed_on {
            let message = request.get_ref().clone();
            if let Place::There { peer, .. } = self.0.placement.place_by_name(&message.graph).await? {
                self.0.placement.meter.handed_on.inc();
                let mut peer = AnalysisServiceClient::new(peer).max_decoding_message_size(usize::MAX);
                match peer.watch_communities(self.there(&origin, message)).await {
                    Ok(answers) => return Ok(Response::new(self.relay(answers.into_inner(), None))),
                    Err(status) if is_unreachable(&status) || is_moving(&status) => {}
                    Err(status) => return Err(status),
                }
            }
        }
        here(request).await.map(Response::new)
    }

    /// Answers a list: what this process does not simulate is shown as the others see it. One that does not answer soon is left
    /// out, and what it has looks as if nobody had it.
    pub(crate) async fn list<H>(
        &self,
        request: Request<proto::ListLayoutsRequest>,
        here: impl FnOnce(Request<proto::ListLayoutsRequest>) -> H,
    ) -> Result<Response<proto::ListLayoutsResponse>, Status>
    where
        H: Future<Output = Result<proto::ListLayoutsResponse, Status>>,
    {
        let (origin, message) = (self.origin(&request).await, request.get_ref().clone());
        let mut list = here(request).await?;
        if origin.was_handed_on {
            return Ok(Response::new(list));
        }
        let asked = self.0.placement.others().into_iter().map(|peer| {
            let request = self.there(&origin, message.clone());
            async move { tokio::time::timeout(LISTING, client(peer).list_layouts(request)).await.ok()?.ok() }
        });
        let is_live =
            |layout: &proto::Layout| layout.node_count > 0 || layout.state() == proto::LayoutState::Failed;
        let told = futures::future::join_all(asked).await.into_iter().flatten();
        let told = told.flat_map(|told| told.into_inner().layouts).filter(is_live);
        let mut elsewhere: HashMap<String, proto::Layout> =
            told.map(|layout| (layout.uid.clone(), layout)).collect();
        for layout in &mut list.layouts {
            if !is_live(layout)
                && let Some(live) = elsewhere.remove(&layout.uid)
            {
                *layout = live;
            }
        }
        Ok(Response::new(list))
    }

    /// What a handed on call carries of this one.
    fn origin<T>(&self, request: &Request<T>) -> impl Future<Output = Origin> + Send + use<'_, T> {
        Origin::of(request, self.0.placement.members.as_ref())
    }

    /// A request that goes to another process.
    fn there<T>(&self, origin: &Origin, message: T) -> Request<T> {
        origin.there(self.0.placement.me().unwrap_or_default(), message)
    }

    /// Where a layout is.
    async fn find(&self, name: &LayoutName, origin: &Origin) -> Result<Place, Error> {
        let LayoutName { graph, layout } = name;
        let row = match self.0.store.get_layout(&graph.project, &graph.graph, layout).await {
            Ok(row) => row,
            // Whoever answers says so.
            Err(weft_store::StoreError::NotFound { .. }) => return Ok(Place::Here),
            Err(error) => return Err(Error::store(name)(error)),
        };
        if self.0.has(row.uid) {
            return Ok(Place::Here);
        }
        self.0.placement.place(row.uid, origin.was_handed_on).await
    }

    /// The messages of a client, for the process that they are handed on to. What is wrong with one is told.
    fn hand_on(
        &self,
        mut messages: Messages<AttachLayoutRequest>,
        send: mpsc::Sender<AttachLayoutRequest>,
    ) -> oneshot::Receiver<Status> {
        let (refuse, refused) = oneshot::channel();
        self.0.lifecycle.spawn_future(async move {
            loop {
                let message = tokio::select! {
                    message = messages.next() => message,
                    () = send.closed() => return,
                };
                match message {
                    Some(Ok(message)) => {
                        if send.send(message).await.is_err() {
                            return;
                        }
                    }
                    Some(Err(status)) => {
                        let _ = refuse.send(status);
                        return;
                    }
                    // The client says nothing more, and still looks.
                    None => return,
                }
            }
        });
        refused
    }

    /// What another process answers, for the client; it is told to come again when this process ends.
    pub(crate) fn relay<T: Send + 'static>(
        &self,
        answers: impl Stream<Item = Result<T, Status>> + Send + 'static,
        refused: Option<oneshot::Receiver<Status>>,
    ) -> Answers<T> {
        let draining = self.0.lifecycle.draining_token().cancelled_owned();
        let refused = async move {
            match refused {
                Some(refused) => match refused.await {
                    Ok(status) => status,
                    Err(_) => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        let ended = async move {
            tokio::select! {
                () = draining => Error::Draining.into(),
                status = refused => status,
            }
        };
        // The end comes last, whatever else there is to tell.
        let end = futures::stream::once(ended).map(|status| (true, Err(status)));
        let told = answers.map(|answer| (false, answer));
        let told = told.chain(futures::stream::once(async {
            (true, Err(Status::unavailable("the process that has the layout has ended the stream")))
        }));
        futures::stream::select(end, told)
            .scan(false, |over, (last, answer)| {
                let item = (!*over).then_some(answer);
                *over |= last || item.as_ref().is_some_and(Result::is_err);
                std::future::ready(item)
            })
            .boxed()
    }
}

/// A client without a limit of its own: a keyframe of a large graph is more than tonic takes by default, and whoever asked for it
/// has said that it may be.
fn client(peer: Peer) -> LayoutServiceClient<Peer> {
    LayoutServiceClient::new(peer).max_decoding_message_size(usize::MAX)
}

/// Whether a layout was between two processes, so that nothing was done.
fn is_moving(status: &Status) -> bool {
    status.code() == Code::Unavailable
        && matches!(problem::reason(status).as_deref(), Some("DRAINING" | "LAYOUT_MOVES"))
}
