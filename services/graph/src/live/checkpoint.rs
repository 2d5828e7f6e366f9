//! When is a graph written out whole, and how much of its journal is kept?

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use weft_store::{JournalLimit, Position, StoreError, Timestamp};

use super::{Graphs, Live, content::blocking};
use crate::{Error, Options, domain::memory::checkpoint_parts};

/// Whether reading the journal has become dearer than reading a checkpoint.
pub(super) fn is_due(live: &Live, options: &Options) -> bool {
    let growth = *live.journal.lock().expect("nobody panics with it");
    growth.bytes >= options.checkpoint_bytes.max(growth.checkpoint_bytes)
        || growth.revisions >= options.history_revisions
}

/// Writes a checkpoint of a snapshot, and trims the journal.
pub(super) async fn write(graphs: &Arc<Graphs>, live: &Arc<Live>) -> Result<(), Error> {
    let before = *live.journal.lock().expect("nobody panics with it");
    let table = live.read(|content| content.memory.table().clone()).await?;
    let revision = table.revision();
    let parts: Vec<Bytes> = blocking(move || checkpoint_parts(&table).map(Bytes::from).collect()).await?;
    let bytes = parts.iter().map(|part| part.len() as u64).sum();
    match graphs.store.save_checkpoint(live.uid, revision, parts).await {
        // Deleted meanwhile.
        Err(StoreError::NotFound { .. }) => return Ok(()),
        other => other?,
    }
    {
        let mut growth = live.journal.lock().expect("nobody panics with it");
        growth.revisions -= before.revisions.min(growth.revisions);
        growth.bytes -= before.bytes.min(growth.bytes);
        growth.checkpoint_bytes = bytes;
    }
    trim(graphs, live, revision).await
}

/// Removes revisions that are in the checkpoint and are either more than are kept, or too old.
async fn trim(graphs: &Graphs, live: &Live, checkpoint: i64) -> Result<(), Error> {
    let options = &graphs.options;
    let newest = live.head().revision;
    let by_number = newest - i64::try_from(options.history_revisions).unwrap_or(i64::MAX);
    let now = graphs.clock.now();
    let oldest_time = Timestamp::from(now.checked_sub(options.history).unwrap_or(SystemTime::UNIX_EPOCH));
    let by_age = newest_before(graphs, live, oldest_time, by_number.max(0), checkpoint).await?;
    let up_to = by_number.max(by_age).min(checkpoint);
    if up_to < 1 {
        return Ok(());
    }
    match graphs.store.trim_journal(live.uid, up_to).await {
        Err(StoreError::NotFound { .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The newest revision between two that was accepted before an instant, found by halving; `low` if
/// there is none.
async fn newest_before(
    graphs: &Graphs,
    live: &Live,
    time: Timestamp,
    low: i64,
    high: i64,
) -> Result<i64, Error> {
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = low + (high - low + 1) / 2;
        let after = Position::after_revision(middle - 1);
        let entries = graphs.store.journal(live.uid, after, JournalLimit { entries: 1, bytes: 1 }).await;
        let older = match entries {
            Ok(entries) => entries.first().is_some_and(|entry| entry.at < time),
            // Trimmed before: older than anything.
            Err(StoreError::Compacted { .. }) => true,
            Err(StoreError::NotFound { .. }) => return Ok(low),
            Err(error) => return Err(error.into()),
        };
        if older {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}
