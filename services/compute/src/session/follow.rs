//! How a layout, or whatever else is computed of a graph while it changes, follows it: a snapshot, then every change after it, across broken connections.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;
use weft_kit::{Ids, Peer};
use weft_proto::weft::graph::v1::{
    StreamSnapshotRequest, StreamSnapshotResponse, WatchGraphRequest,
    graph_service_client::GraphServiceClient, stream_snapshot_response::Piece, watch_graph_response::Event,
};

use crate::domain::graph_copy::{CopyError, GraphCopy, Limits};

/// How the copy of a graph stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is no copy yet.
    Loading,
    /// There is a copy. The number grows with each change.
    Following(u64),
    /// The graph is gone, or another one has its name.
    Gone,
    /// The graph is larger than is taken here.
    Refused(CopyError),
}

/// A copy of a graph that somebody keeps true, for others to read.
#[derive(Debug)]
pub(crate) struct Followed {
    copy: Mutex<Option<GraphCopy>>,
    /// The properties that its readers ask for, ascending. Grows only.
    wanted: watch::Sender<Vec<String>>,
    standing: watch::Sender<Standing>,
}

impl Followed {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            copy: Mutex::new(None),
            wanted: watch::Sender::default(),
            standing: watch::Sender::new(Standing::Loading),
        })
    }

    /// The copy, if there is one yet.
    pub(crate) fn copy(&self) -> MutexGuard<'_, Option<GraphCopy>> {
        self.copy.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Asks for these properties, too. A copy without them is replaced.
    pub(crate) fn want(&self, properties: impl IntoIterator<Item = String>) {
        self.wanted.send_if_modified(|wanted| {
            let before = wanted.len();
            for property in properties {
                if let Err(at) = wanted.binary_search(&property) {
                    wanted.insert(at, property);
                }
            }
            wanted.len() > before
        });
    }

    fn changed(&self) {
        self.standing.send_modify(|standing| {
            let number = if let Standing::Following(number) = standing { *number + 1 } else { 1 };
            *standing = Standing::Following(number);
        });
    }
}

/// Follows one graph.
pub(crate) struct Follower {
    pub(crate) client: GraphServiceClient<Peer>,
    /// Resource name of the graph.
    pub(crate) graph: String,
    pub(crate) uid: Uuid,
    pub(crate) limits: Limits,
    pub(crate) followed: Arc<Followed>,
    /// For the jitter of pauses.
    pub(crate) ids: Ids,
}

/// Why a connection ended.
enum Broken {
    /// Try again after a pause, from where it was.
    Connection(Status),
    /// Changes and copy do not fit any more: take a snapshot.
    Copy(CopyError),
    /// For good.
    Final(Standing),
}

/// Longest pause between two attempts to reach the graph service.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The graph service gives a sign of life every 15 seconds; after this long without one the
/// connection is taken as dead.
const SILENCE: Duration = Duration::from_secs(60);

impl Follower {
    /// Follows until the graph is gone, cannot be laid out, or `cancel` says so.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&mut self) {
        let mut pause = Duration::from_millis(50);
        let mut have_copy = false;
        loop {
            let before = self.revision();
            let broken = if have_copy { self.watch().await } else { self.snapshot().await };
            match broken {
                Ok(()) => {
                    have_copy = true;
                    continue;
                }
                Err(Broken::Final(standing)) => {
                    self.followed.standing.send_replace(standing);
                    return;
                }
                Err(Broken::Copy(error)) => {
                    tracing::info!(graph = self.graph, %error, "taking a new snapshot of a graph");
                    have_copy = false;
                }
                Err(Broken::Connection(status)) => {
                    tracing::debug!(graph = self.graph, %status, "the connection to the graph service broke off");
                }
            }
            if self.revision() != before {
                pause = Duration::from_millis(50);
            }
            // Jitter, so that many layouts do not come back to a graph service at the same moment.
            tokio::time::sleep(pause.mul_f64(0.5 + self.ids.fraction() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn revision(&self) -> Option<i64> {
        self.followed.copy().as_ref().map(GraphCopy::revision)
    }

    /// Takes a snapshot.
    async fn snapshot(&mut self) -> Result<(), Broken> {
        let wanted = self.followed.wanted.borrow().clone();
        // With keys, because changes name nodes by them.
        let request = StreamSnapshotRequest {
            graph: self.graph.clone(),
            topology_only: false,
            include_properties: !wanted.is_empty(),
        };
        let answer = self.client.stream_snapshot(request).await.map_err(classify)?;
        let mut pieces: Streaming<StreamSnapshotResponse> = answer.into_inner();
        let mut copy = None;
        loop {
            let piece = next(&mut pieces).await?.and_then(|message| message.piece);
            match (piece, &mut copy) {
                (Some(Piece::Header(header)), None) => {
                    let uid = header.graph.as_ref().map(|graph| graph.uid.as_str());
                    if uid != Some(self.uid.to_string().as_str()) {
                        return Err(Broken::Final(Standing::Gone));
                    }
                    copy = Some(GraphCopy::begin(&header, self.limits, wanted.clone())?);
                }
                (Some(Piece::Nodes(nodes)), Some(copy)) => copy.add_nodes(nodes)?,
                (Some(Piece::Edges(edges)), Some(copy)) => copy.add_edges(edges)?,
                (Some(Piece::End(end)), Some(copy)) => {
                    copy.end(end.revision)?;
                    break;
                }
                _ => return Err(Broken::Connection(Status::data_loss("the snapshot has no end"))),
            }
        }
        *self.followed.copy() = copy;
        self.followed.changed();
        Ok(())
    }

    /// Applies changes as they come.
    async fn watch(&mut self) -> Result<(), Broken> {
        let request = WatchGraphRequest {
            graph: self.graph.clone(),
            after_revision: self.revision(),
            graph_uid: self.uid.to_string(),
        };
        let mut wanted = self.followed.wanted.subscribe();
        let mut events = self.client.watch_graph(request).await.map_err(classify)?.into_inner();
        let kept = self.followed.copy().as_ref().map_or(0, |copy| copy.wanted().len());
        loop {
            let message = tokio::select! {
                // It only grows, so that another number is more.
                Ok(_) = wanted.wait_for(|wanted| wanted.len() != kept) => {
                    return Err(Broken::Copy(CopyError::Inconsistent("properties")));
                }
                message = next(&mut events) => message?,
            };
            let Some(message) = message else {
                return Err(Broken::Connection(Status::unavailable("the stream ended")));
            };
            let Some(Event::Changes(changes)) = message.event else { continue };
            let batch = changes.into_inner();
            let whole = batch.last_part;
            self.followed.copy().as_mut().ok_or(CopyError::Inconsistent("revisions"))?.apply(batch)?;
            if whole {
                self.followed.changed();
            }
        }
    }
}

async fn next<T>(stream: &mut Streaming<T>) -> Result<Option<T>, Broken> {
    match tokio::time::timeout(SILENCE, stream.message()).await {
        Ok(message) => message.map_err(classify),
        Err(_) => Err(Broken::Connection(Status::deadline_exceeded("the graph service fell silent"))),
    }
}

fn classify(status: Status) -> Broken {
    match status.code() {
        Code::NotFound => Broken::Final(Standing::Gone),
        // The journal does not reach back to where the copy is.
        Code::OutOfRange => Broken::Copy(CopyError::Inconsistent("revisions")),
        _ => Broken::Connection(status),
    }
}

impl From<CopyError> for Broken {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::TooLarge { .. } => Self::Final(Standing::Refused(error)),
            CopyError::Inconsistent(_) => Self::Copy(error),
        }
    }
}
