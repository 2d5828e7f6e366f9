//! The values as properties of the graph's nodes.
//!
//! Each batch names the revision that it is based on, so that no node comes back which somebody has deleted meanwhile.
//! Where the graph has changed, its changes say which nodes have gone, and what is left is written.

use std::{collections::HashSet, time::Duration};

use prost::Message;
use prost_types::{FieldMask, Struct, Value, value::Kind};
use tonic::{Code, Status};
use uuid::Uuid;
use weft_proto::weft::graph::v1::{
    ApplyChangesRequest, Change, ChangeBatch, Node, NodeUpsert, WatchGraphRequest, change,
    watch_graph_response::Event,
};

use super::{
    Analyses,
    control::Control,
    reading::{self, Wanted},
    table::Table,
};
use crate::Error;

/// Changes of one revision: it is a few hundred kilobytes.
const BATCH: usize = 5_000;
/// How often in a row somebody else may be faster.
const LOST: u32 = 100;
/// How long a writer waits at most before it tries again.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// The last revision.
    pub(super) revision: i64,
    /// Nodes that were deleted meanwhile.
    pub(super) left_out: i64,
}

/// What is to be written where.
pub(super) struct Writing<'a> {
    analyses: &'a Analyses,
    graph: (&'a str, Uuid),
    property: &'a str,
    table: &'a Table,
    revision: i64,
}

/// The first column of `table`, as the property `property`, based on a revision of the graph.
pub(super) fn write<'a>(
    analyses: &'a Analyses,
    graph: (&'a str, Uuid),
    property: &'a str,
    table: &'a Table,
    revision: i64,
) -> Writing<'a> {
    Writing { analyses, graph, property, table, revision }
}

impl Writing<'_> {
    /// Writes, as long as the job is to go on.
    pub(super) async fn with(mut self, control: &Control) -> Result<Written, Error> {
        let mut rows: Vec<usize> = (0..self.table.len()).collect();
        let (mut done, mut lost, mut left_out) = (0, 0, 0);
        while done < rows.len() {
            control.check()?;
            let batch = &rows[done..rows.len().min(done + BATCH)];
            match self.apply(batch).await {
                Ok(revision) => {
                    self.revision = revision;
                    done += batch.len();
                    lost = 0;
                }
                Err(status) if status.code() == Code::Aborted && lost < LOST => {
                    // Before it looks, not after, or what it learns would be old again.
                    tokio::time::sleep(Duration::from_millis(lost.into()).min(LONGEST_PAUSE)).await;
                    lost += 1;
                    rows.drain(..done);
                    done = 0;
                    let before = rows.len();
                    if let Some(gone) = self.gone().await? {
                        rows.retain(|row| !gone.contains(&*self.table.nodes[*row]));
                    } else {
                        let there = self.there(control).await?;
                        rows.retain(|row| there.contains(&self.table.ordinals[*row]));
                    }
                    left_out += (before - rows.len()) as i64;
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

    async fn apply(&self, rows: &[usize]) -> Result<i64, Status> {
        let values = &self.table.columns[0];
        let request = ApplyChangesRequest {
            graph: self.graph.0.to_owned(),
            changes: rows.iter().map(|row| self.change(&self.table.nodes[*row], values[*row])).collect(),
            expected_revision: Some(self.revision),
            // A repeat after a connection broke off gets the first one's answer.
            request_id: self.analyses.ids.uuid().to_string(),
            ..ApplyChangesRequest::default()
        };
        Ok(self.analyses.graph.clone().apply_changes(request).await?.into_inner().revision)
    }

    fn change(&self, key: &str, value: f64) -> Change {
        let value = Value { kind: Some(Kind::NumberValue(value)) };
        let properties = Struct { fields: [(self.property.to_owned(), value)].into() };
        let node = Node { key: key.to_owned(), properties: Some(properties), ..Node::default() };
        let update_mask = FieldMask { paths: vec![format!("properties.{}", self.property)] };
        let upsert = NodeUpsert { node: Some(node), update_mask: Some(update_mask) };
        Change { change: Some(change::Change::UpsertNode(upsert)) }
    }

    /// The keys of the nodes that have gone since the last revision that is known, and from now on the newest revision.
    /// None where the journal does not reach back so far.
    async fn gone(&mut self) -> Result<Option<HashSet<String>>, Error> {
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
        let mut gone = HashSet::new();
        loop {
            let event = match events.message().await {
                Err(status) if status.code() == Code::OutOfRange => return Ok(None),
                event => event.map_err(failed)?.and_then(|message| message.event),
            };
            match event.ok_or_else(unreadable)? {
                Event::Changes(changes) => {
                    let batch = ChangeBatch::decode(changes).map_err(|_| unreadable())?;
                    for change in batch.changes {
                        if let Some(change::Change::DeleteNode(delete)) = change.change {
                            gone.insert(delete.key);
                        }
                    }
                }
                Event::CaughtUpRevision(revision) => {
                    self.revision = revision;
                    return Ok(Some(gone));
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
