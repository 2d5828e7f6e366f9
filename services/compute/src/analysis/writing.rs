//! The values as changes of the graph.
//!
//! Each batch names the revision that it is based on, so that no node comes back which somebody has deleted meanwhile.
//! Where the graph has changed, its changes say which nodes have gone, and what is left is written.

use std::{collections::HashSet, time::Duration};

use prost::Message;
use tonic::{Code, Status};
use uuid::Uuid;
use weft_proto::weft::graph::v1::{
    ApplyChangesRequest, Change, EdgeUpsert, WatchGraphRequest, change, watch_graph_response::Event,
};

use super::{
    Analyses,
    changes::Changes,
    control::Control,
    reading::{self, Wanted},
};
use crate::Error;

/// Changes of one revision at most.
const BATCH: usize = 5_000;
/// Bytes of one revision, about; the graph takes 4 MiB at once.
const BATCH_BYTES: usize = 1 << 20;
/// How often in a row somebody else may be faster.
const LOST: u32 = 100;
/// How long a writer waits at most before it tries again.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// The last revision.
    pub(super) revision: i64,
    /// What was not written, as a node was deleted meanwhile.
    pub(super) left_out: i64,
}

/// What others have done.
#[derive(Default)]
struct Since {
    /// Keys of nodes that were deleted.
    gone: HashSet<String>,
    /// Keys of edges that were written: they may be other ones now.
    edges: HashSet<String>,
}

/// What is to be written where.
pub(super) struct Writing<'a> {
    analyses: &'a Analyses,
    graph: (&'a str, Uuid),
    changes: &'a dyn Changes,
    revision: i64,
}

/// Some changes, based on a revision of the graph.
pub(super) fn write<'a>(
    analyses: &'a Analyses,
    graph: (&'a str, Uuid),
    changes: &'a dyn Changes,
    revision: i64,
) -> Writing<'a> {
    Writing { analyses, graph, changes, revision }
}

impl Writing<'_> {
    /// Writes, as long as the job is to go on.
    pub(super) async fn with(mut self, control: &Control) -> Result<Written, Error> {
        let mut rows: Vec<usize> = (0..self.changes.count()).collect();
        let (mut done, mut lost, mut left_out) = (0, 0, 0);
        while done < rows.len() {
            control.check()?;
            let batch = self.batch(&rows[done..]);
            let count = batch.len();
            match self.apply(batch).await {
                Ok(revision) => {
                    self.revision = revision;
                    done += count;
                    lost = 0;
                }
                Err(status) if status.code() == Code::Aborted && lost < LOST => {
                    // Before it looks, not after, or what it learns would be old again.
                    tokio::time::sleep(Duration::from_millis(lost.into()).min(LONGEST_PAUSE)).await;
                    lost += 1;
                    rows.drain(..done);
                    done = 0;
                    let added =
                        |rows: &[usize]| rows.iter().filter(|row| self.changes.adds(**row)).count() as i64;
                    left_out += added(&rows);
                    if let Some(since) = self.since().await? {
                        rows.retain(|row| {
                            !self.changes.nodes(*row).iter().any(|(key, _)| since.gone.contains(*key))
                                && self.changes.deletes(*row).is_none_or(|key| !since.edges.contains(key))
                        });
                    } else {
                        let there = self.there(control).await?;
                        // Whether a key still names the same edge nobody can say; the next time it can be seen.
                        rows.retain(|row| {
                            self.changes.nodes(*row).iter().all(|(_, ordinal)| there.contains(ordinal))
                                && self.changes.deletes(*row).is_none()
                        });
                    }
                    left_out -= added(&rows);
                }
                Err(status) if status.code() == Code::Aborted => return Err(Error::GraphRestless),
                Err(status) if status.code() == Code::NotFound => {
                    return Err(Error::GraphNotFound(self.graph.0.to_owned()));
                }
                Err(status) if status.code() == Code::Unavailable => {
                    return Err(Error::GraphUnavailable(status.message().to_owned()));
                }
                Err(status) => return Err(Error::NotWritten(Box::new(status))),
            }
        }
        Ok(Written { revision: self.revision, left_out })
    }

    /// The changes of the first rows that go together.
    fn batch(&self, rows: &[usize]) -> Vec<Change> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for row in rows.iter().take(BATCH) {
            let change = self.changes.change(*row);
            bytes += change.encoded_len();
            batch.push(change);
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        batch
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<i64, Status> {
        let request = ApplyChangesRequest {
            graph: self.graph.0.to_owned(),
            changes,
            expected_revision: Some(self.revision),
            // An edge that somebody has deleted meanwhile.
            allow_missing: true,
            // A repeat after a connection broke off gets the first one's answer.
            request_id: self.analyses.ids.uuid().to_string(),
            ..ApplyChangesRequest::default()
        };
        Ok(self.analyses.graph.clone().apply_changes(request).await?.into_inner().revision)
    }

    /// What has happened since the last revision that is known, and from now on the newest revision. None where the journal
    /// does not reach back so far.
    async fn since(&mut self) -> Result<Option<Since>, Error> {
        let request = WatchGraphRequest {
            graph: self.graph.0.to_owned(),
            after_revision: Some(self.revision),
            graph_uid: self.graph.1.to_string(),
        };
        let failed = |status: Status| match status.code() {
            Code::NotFound => Error::GraphNotFound(self.graph.0.to_owned()),
            _ => Error::GraphUnavailable(status.message().to_owned()),
        };
        let unreadable = || Error::GraphUnavailable("its changes cannot be read".into());
        let mut events = match self.analyses.graph.clone().watch_graph(request).await {
            Err(status) if status.code() == Code::OutOfRange => return Ok(None),
            answer => answer.map_err(failed)?.into_inner(),
        };
        let mut since = Since::default();
        loop {
            let event = match events.message().await {
                Err(status) if status.code() == Code::OutOfRange => return Ok(None),
                event => event.map_err(failed)?.and_then(|message| message.event),
            };
            match event.ok_or_else(unreadable)? {
                Event::Changes(changes) => {
                    for change in changes.into_inner().changes {
                        match change.change {
                            Some(change::Change::DeleteNode(delete)) => {
                                since.gone.insert(delete.key);
                            }
                            Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), .. })) => {
                                since.edges.insert(edge.key);
                            }
                            _ => {}
                        }
                    }
                }
                Event::CaughtUpRevision(revision) => {
                    self.revision = revision;
                    return Ok(Some(since));
                }
            }
        }
    }

    /// The ordinals of the nodes that are there now, and from now on the newest revision.
    async fn there(&mut self, control: &Control) -> Result<HashSet<u32>, Error> {
        let all = |_, _| Ok(());
        let graph =
            reading::read(&self.analyses.graph, self.graph, &Wanted::default(), control, &all).await?;
        self.revision = graph.revision;
        Ok(graph.ordinals.into_iter().collect())
    }
}
