//! What an entry of the log says, put into memory: when it was written, and when it is read again.

use std::sync::Arc;

use weft_series::Batch;

use super::{
    log::Log,
    project::{Place, Project},
    projects::Shared,
};
use crate::{
    events::{Kind, chunk::Chunk, repeats::Digest},
    state::State,
};

/// Puts a batch into memory.
pub(super) fn apply(project: &mut Project, group: u32, batch: &Batch) -> u64 {
    for (number, _) in &batch.columns {
        project.revive(Place { group, number: *number });
    }
    let added = project.groups[group as usize].newest.add(batch);
    project.counts.received += added.new + added.repeated;
    project.counts.repeated += added.repeated;
    project.counts.late += added.late_rows;
    added.new
}

/// Where a kind is among entries that are written at once.
pub(super) fn place(kind: Kind) -> usize {
    match kind {
        Kind::Logs => 1,
        Kind::Spans => 2,
    }
}

/// The number of the first event of an entry.
pub(super) fn base(entry: i64) -> u64 {
    (entry as u64) << 20
}

/// Puts a chunk into memory, and remembers its export and when that came.
pub(super) fn apply_events(
    state: &State,
    log: &mut Log,
    kind: Kind,
    project: &Shared,
    (digest, time): (Digest, i64),
    chunk: Chunk,
) -> Arc<Chunk> {
    let chunk = Arc::new(chunk);
    log.events[place(kind) - 1].add(&project.id, digest, time, chunk.bytes());
    state.repeats().remember(digest, time);
    project.write().kept_mut(kind).add(Arc::clone(&chunk));
    chunk
}
