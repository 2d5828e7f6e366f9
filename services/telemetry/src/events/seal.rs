//! Sealing: the events in memory become blocks, and their log is shortened.
//!
//! In the order in which samples are sealed: objects, then rows with the end of the log in one step, then memory. A
//! search takes chunks and blocks of one time, so that it finds an event in one of them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use weft_store::{SealedSegments, StoreError, Timestamp};

use super::{
    Kind,
    block::{self, New},
    chunk::Chunk,
    repeats::{Digest, KNOWN},
};
use crate::{
    samples::{projects::Shared, segment},
    state::State,
};

/// Events of a kind that are in no block.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) kind: Kind,
    pub(crate) bytes: usize,
    pub(crate) since: tokio::time::Instant,
    /// Exports that came in the last minutes, by project.
    pub(crate) exports: VecDeque<(Arc<str>, Digest, i64)>,
}

impl Pending {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, bytes: 0, since: tokio::time::Instant::now(), exports: VecDeque::new() }
    }

    /// Counts what has come to memory.
    pub(crate) fn add(&mut self, project: &Arc<str>, digest: Digest, time: i64, bytes: usize) {
        if self.bytes == 0 {
            self.since = tokio::time::Instant::now();
        }
        self.bytes += bytes;
        while self.exports.front().is_some_and(|(_, _, since)| time - since >= KNOWN) {
            self.exports.pop_front();
        }
        self.exports.push_back((Arc::clone(project), digest, time));
    }

    /// Whether there is enough of them, or they have waited long enough.
    pub(crate) fn is_due(&self, bytes: usize, after: Duration) -> bool {
        self.bytes >= bytes.max(1) || (self.bytes > 0 && self.since.elapsed() >= after)
    }
}

/// Seals all events of a kind. `applied` is the last entry of the log that is in memory.
///
/// # Errors
/// Objects or rows cannot be written: everything stays in the log and in memory.
pub(crate) async fn seal(
    state: &State,
    epoch: i64,
    applied: i64,
    pending: &mut Pending,
) -> Result<(), StoreError> {
    let kind = pending.kind;
    let mut taken = Vec::new();
    let mut sealed =
        SealedSegments { epoch, kind: kind.stored(), log_until: applied, ..SealedSegments::default() };
    let mut blocks = Vec::new();
    for project in state.projects.all() {
        let chunks = project.read().kept(kind).chunks.clone();
        if chunks.is_empty() {
            continue;
        }
        let exports = exports(pending, &project.id, state.now());
        let count = chunks.len();
        for (row, object, block) in built(state, &project, kind, chunks, exports).await? {
            state.cached.objects().put(&segment::key(row.uid), object).await?;
            sealed.added.push(row);
            blocks.push((project.clone(), block));
        }
        taken.push((project, count));
    }
    state.store.seal_telemetry(sealed).await?;
    for (project, count) in taken {
        let mut memory = project.write();
        let kept = memory.kept_mut(kind);
        kept.chunks.drain(..count);
        let (own, others) = blocks.into_iter().partition(|(of, _)| of.id == project.id);
        let own: Vec<(Shared, block::Block)> = own;
        blocks = others;
        for (_, block) in own {
            kept.add_block(block);
        }
    }
    tracing::debug!(?kind, bytes = pending.bytes, "sealed");
    *pending = Pending::new(kind);
    Ok(())
}

fn exports(pending: &Pending, project: &Arc<str>, now: i64) -> Vec<(Digest, i64)> {
    let known = pending.exports.iter().filter(|(of, _, time)| of == project && now - time < KNOWN);
    known.map(|(_, digest, time)| (*digest, *time)).collect()
}

/// Rows of blocks, their objects, and what memory has of them.
pub(super) type Built = Vec<(weft_store::SegmentRow, bytes::Bytes, block::Block)>;

/// Packing takes the better part of a second for a large block, so it is no work for a task.
pub(super) async fn built(
    state: &State,
    project: &Shared,
    kind: Kind,
    chunks: Vec<Arc<Chunk>>,
    exports: Vec<(Digest, i64)>,
) -> Result<Built, StoreError> {
    let (ids, id) = (state.ids.clone(), Arc::clone(&project.id));
    let created = Timestamp::from(state.clock.now());
    let work = move || {
        let new = New { uid: uuid::Uuid::nil(), project: &id, kind, created };
        block::build(&chunks, new, || ids.uuid(), exports)
    };
    let built = tokio::task::spawn_blocking(work).await;
    let built = built.map_err(|_| StoreError::Bug("making a block broke off".to_owned()))?;
    built.map_err(|error| StoreError::Bug(format!("a chunk in memory {error}")))
}
