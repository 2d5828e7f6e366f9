//! WatchGraph: every revision after a given one, without a gap and without a double.
//!
//! A watcher holds a place in the journal and nothing else. It is woken when the graph goes on, and
//! reads on from its place: from memory if it keeps up, from the journal if it does not. So a slow
//! watcher costs nobody anything, and there is no queue that could overflow.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, Interval, MissedTickBehavior},
};
use tonic::Status;
use weft_kit::Call;
use weft_proto::{
    Lazy,
    weft::graph::v1::{WatchGraphRequest, WatchGraphResponse, watch_graph_response::Event},
};
use weft_store::{JournalLimit, Position, StoreError};

use super::Answers;
use crate::{
    Error,
    live::{Graphs, Head, Live, gone},
    state::State,
};

/// What a watcher reads from the journal at once.
const READ: JournalLimit = JournalLimit { entries: 100, bytes: 256 << 10 };

pub(crate) async fn handle(
    state: &State,
    call: Call<WatchGraphRequest>,
) -> Result<Answers<WatchGraphResponse>, Error> {
    let request = call.message;
    let permit = Arc::clone(&state.watches).try_acquire_owned().map_err(|_| Error::Quota {
        reason: "TOO_MANY_WATCHES",
        subject: "process".into(),
        description: format!("at most {} watches are open at once", state.graphs.options.max_watches),
        passes: true,
    })?;
    let live = state.graphs.get(&request.graph).await?;
    if !request.graph_uid.is_empty() && request.graph_uid != live.uid.to_string() {
        return Err(Error::GraphNotFound(request.graph));
    }
    let after = match request.after_revision {
        None => live.head().revision,
        Some(after) => {
            state.graphs.bring_to(&live, after).await;
            let current = live.head().revision;
            if after > current {
                return Err(Error::RevisionInFuture { current });
            }
            after
        }
    };
    let period = state.graphs.options.watch_heartbeat;
    let mut signs_of_life = tokio::time::interval_at(Instant::now() + period, period);
    signs_of_life.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watcher = Watcher {
        head: live.watch_among_many(),
        graphs: Arc::clone(&state.graphs),
        live,
        at: Position::after_revision(after),
        ready: VecDeque::new(),
        announced: false,
        signs_of_life,
        _permit: permit,
    };
    // A place that is not kept any more is told at once, and not in the stream's first message.
    if after < watcher.live.head().revision {
        watcher.read_on().await?;
    }
    let events = stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(event) => Some((Ok(WatchGraphResponse { event: Some(event) }), Some(watcher))),
            Err(error) => Some((Err(Status::from(error)), None)),
        }
    });
    Ok(events.boxed())
}

struct Watcher {
    graphs: Arc<Graphs>,
    live: Arc<Live>,
    head: watch::Receiver<Head>,
    /// Everything up to here was sent, or is in `ready`.
    at: Position,
    /// Read and not yet sent, encoded.
    ready: VecDeque<Bytes>,
    /// The end of the past was told.
    announced: bool,
    signs_of_life: Interval,
    _permit: OwnedSemaphorePermit,
}

impl Watcher {
    async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Ok(Event::Changes(Lazy::from_encoded(part)));
            }
            let head = *self.head.borrow_and_update();
            if head.gone {
                return Err(Error::GraphNotFound(self.live.name.clone()));
            }
            if self.is_behind(head) {
                self.read_on().await?;
                continue;
            }
            if !self.announced {
                self.announced = true;
                return Ok(Event::CaughtUpRevision(self.at.revision));
            }
            // The runtime ends it with the process, as all streams that can be begun anew.
            tokio::select! {
                changed = self.head.changed() => changed.map_err(|_| Error::TaskEnded)?,
                _ = self.signs_of_life.tick() => return Ok(Event::CaughtUpRevision(self.at.revision)),
            }
        }
    }

    fn is_behind(&self, head: Head) -> bool {
        self.at.revision < head.revision || self.at.part != i32::MAX
    }

    /// Reads what comes next, at least one part, and less than a few MiB.
    async fn read_on(&mut self) -> Result<(), Error> {
        let whole = self.at.part == i32::MAX;
        if whole && let Some(revisions) = self.live.recent_after(self.at.revision) {
            for revision in revisions {
                self.at = Position::after_revision(revision.revision);
                self.ready.extend(revision.parts.iter().cloned());
            }
            return Ok(());
        }
        let entries = match self.graphs.store.journal(self.live.uid, self.at, READ).await {
            Err(StoreError::Compacted { oldest }) => return Err(Error::RevisionCompacted { oldest }),
            other => other.map_err(|error| gone(&self.live.name, error))?,
        };
        let Some(last) = entries.last() else {
            return Err(Error::damaged(&self.live.name, "the journal ends before the newest revision"));
        };
        self.at = last.position();
        self.ready.extend(entries.into_iter().map(|entry| entry.bytes));
        Ok(())
    }
}
