//! How does a graph come into memory, and keep up with what other processes write? From the
//! newest checkpoint and the journal after it.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use weft_proto::weft::graph::v1::{Change, ChangeBatch};
use weft_store::{
    GraphRow, GraphStore, JournalEntry, JournalLimit, Position, StoreError, Timestamp, Versioned,
};

use super::{
    Content, Live,
    content::{JournalGrowth, Revision, blocking},
    graph_name,
};
use crate::{
    Error,
    domain::memory::{CheckpointReader, Memory},
};

/// A newer checkpoint may replace the one that is being read, and the journal be trimmed up to it;
/// so often in a row that does not happen.
const ATTEMPTS: usize = 5;

/// Reads a graph whole.
pub(super) async fn load(store: &dyn GraphStore, row: GraphRow) -> Result<(Content, JournalGrowth), Error> {
    for _ in 0..ATTEMPTS {
        if let Some(loaded) = try_load(store, &row).await? {
            return Ok(loaded);
        }
    }
    Err(StoreError::unavailable("checkpoints are replaced faster than they can be read").into())
}

/// `None` if the checkpoint was replaced while it was read.
async fn try_load(store: &dyn GraphStore, row: &GraphRow) -> Result<Option<(Content, JournalGrowth)>, Error> {
    let name = graph_name(&row.project, &row.id);
    let gone = |error| gone(&name, error);
    let mut growth = JournalGrowth::default();
    let mut memory = Memory::default();
    if let Some(checkpoint) = store.load_checkpoint(row.uid).await.map_err(gone)? {
        let mut reader = CheckpointReader::default();
        for part in 0..checkpoint.part_count {
            let bytes = match store.checkpoint_part(row.uid, checkpoint.revision, part).await {
                Err(StoreError::Stale { of: Versioned::Checkpoint, .. }) => return Ok(None),
                other => other.map_err(gone)?,
            };
            let read = blocking(move || reader.part(&bytes).map(|()| reader)).await?;
            reader = read.map_err(|error| Error::checkpoint(&name, &error))?;
        }
        memory = reader.finish().map_err(|error| Error::checkpoint(&name, &error))?;
        growth.checkpoint_bytes = checkpoint.bytes as u64;
    }
    let mut row = row.clone();
    // The row was read first: what it says of the content is taken from the journal again.
    row.revision = memory.table().revision();
    let mut content = Content::new(row, memory);
    let mut after = Position::after_revision(content.revision());
    let mut gathering = Gathering::default();
    loop {
        let entries = match store.journal(content.row.uid, after, JournalLimit::default()).await {
            Err(StoreError::Compacted { .. }) => return Ok(None),
            other => other.map_err(gone)?,
        };
        let Some(last) = entries.last() else { break };
        after = last.position();
        growth.bytes += entries.iter().map(|entry| entry.bytes.len() as u64).sum::<u64>();
        let revisions = gathering.take(&name, entries)?;
        growth.revisions += revisions.len() as u64;
        let applied = blocking(move || content.apply_all(&revisions).map(|()| content)).await?;
        content = applied.map_err(|error| Error::apply(&name, &error))?;
    }
    if content.revision() == 0 {
        return Err(Error::damaged(&name, "the journal is empty"));
    }
    Ok(Some((content, growth)))
}

/// Reads what the journal has after the newest revision in memory, and applies it. The caller holds
/// `writer`.
pub(super) async fn catch_up(store: &dyn GraphStore, live: &Arc<Live>) -> Result<(), Error> {
    let mut after = Position::after_revision(live.head().revision);
    let mut gathering = Gathering::default();
    loop {
        let entries = match store.journal(live.uid, after, JournalLimit::default()).await {
            Err(StoreError::Compacted { .. }) => return reload(store, live).await,
            other => other.map_err(|error| gone(&live.name, error))?,
        };
        let Some(last) = entries.last() else { return Ok(()) };
        after = last.position();
        let revisions = gathering.take(&live.name, entries)?;
        if !revisions.is_empty() {
            live.apply(revisions).await?;
        }
    }
}

/// The journal was trimmed past where this process is: it slept very long.
async fn reload(store: &dyn GraphStore, live: &Arc<Live>) -> Result<(), Error> {
    let (project, id) = live.read(|content| (content.row.project.clone(), content.row.id.clone())).await?;
    let row = store.get_graph(&project, &id).await.map_err(|error| gone(&live.name, error))?;
    if row.uid != live.uid {
        return Err(Error::GraphNotFound(live.name.clone()));
    }
    let (content, growth) = load(store, row).await?;
    live.replace(content);
    *live.journal.lock().expect("nobody panics with it") = growth;
    Ok(())
}

/// A store's error about a graph, where "not found" means that it was deleted.
pub(crate) fn gone(name: &str, error: StoreError) -> Error {
    match error {
        StoreError::NotFound { .. } => Error::GraphNotFound(name.to_owned()),
        StoreError::Conflict { .. } => Error::RequestIdReused,
        error => Error::Store(error),
    }
}

/// Puts the parts of revisions together; a page of the journal may end in the middle of one.
#[derive(Default)]
struct Gathering {
    changes: Vec<Change>,
    parts: Vec<Bytes>,
}

impl Gathering {
    /// The revisions that are whole now.
    fn take(&mut self, name: &str, entries: Vec<JournalEntry>) -> Result<Vec<Revision>, Error> {
        let mut revisions = Vec::new();
        for entry in entries {
            let batch =
                ChangeBatch::decode(entry.bytes.as_ref()).map_err(|error| Error::damaged(name, error))?;
            if batch.revision != entry.revision || batch.part != entry.part {
                return Err(Error::damaged(name, "a part of the journal is not where it belongs"));
            }
            self.changes.extend(batch.changes);
            self.parts.push(entry.bytes);
            if entry.last_part {
                let time = batch.commit_time.unwrap_or_default();
                revisions.push(Revision {
                    number: batch.revision,
                    changes: std::mem::take(&mut self.changes),
                    graph: batch.graph,
                    at: Timestamp::from(&time),
                    parts: std::mem::take(&mut self.parts).into(),
                });
            }
        }
        Ok(revisions)
    }
}
