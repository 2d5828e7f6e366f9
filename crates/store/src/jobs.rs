//! Where durable jobs are kept: batches of jobs, their output, and who owns a shard of them.
//!
//! The job engine keeps in memory what it schedules and writes what has changed in *flushes*: everything that happened
//! since the last one, in one transaction. What a job's state means, and how it moves, is the engine's affair; the
//! store keeps rows, and refuses those of an owner that is none any more.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Result, Timestamp};

/// How many batches a shard can have in its life: the number of a batch begins with its shard's, from this bit on.
pub const SHARD_BITS: u32 = 40;

/// A shard in somebody's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedShard {
    /// Which.
    pub shard: i32,
    /// Counts owners: a flush of an older one is refused.
    pub epoch: i64,
    /// Number of the last flush.
    pub flush: i64,
    /// The newest batch; where the shard has none, the number before its first.
    pub last_batch: i64,
}

/// A batch as it is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBatch {
    /// Number, larger than all before it in its shard.
    pub id: i64,
    /// Id of its project.
    pub project: String,
    /// Name, taken once in the project.
    pub name: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// What kind of work, for lists and counts.
    pub kind: String,
    /// How many jobs it has.
    pub total: i32,
    /// The engine's encoding of its terms.
    pub terms: Bytes,
    /// What its service wants to remember of it.
    pub note: Bytes,
    /// What each of its jobs is handed to workers with. At most [`crate::MAX_PART_BYTES`].
    pub payload: Bytes,
    /// Which request it was, and the digest of that request: a request is accepted once in the whole store.
    pub request: Option<(Bytes, [u8; 32])>,
    /// When it was accepted.
    pub at: Timestamp,
}

/// What has changed of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchChange {
    /// Which.
    pub id: i64,
    /// Where it stands.
    pub state: i32,
    /// How many of its jobs ended well.
    pub completed: i32,
    /// Or failed.
    pub failed: i32,
    /// Or were cancelled.
    pub cancelled: i32,
    /// Its terms now.
    pub terms: Bytes,
    /// What its service remembers of it now; as before when absent.
    pub note: Option<Bytes>,
    /// When its last job ended.
    pub ended: Option<Timestamp>,
}

/// A job as it is now, new or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Its batch.
    pub batch: i64,
    /// Its place there, from 0.
    pub number: i32,
    /// Where it runs.
    pub queue: String,
    /// Where it stands.
    pub state: i32,
    /// The flush that wrote it: set by the store.
    pub changed: i64,
    /// The engine's encoding of what else it needs.
    pub hot: Bytes,
    /// The engine's encoding of how its last attempt ended; absent in a flush: as before.
    pub outcome: Option<Bytes>,
}

/// A piece of what a job has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOutput {
    /// Its batch.
    pub batch: i64,
    /// Its place there.
    pub number: i32,
    /// Which attempt.
    pub fence: i64,
    /// Counts the pieces of an attempt, by whoever writes. A piece that is there is not written again.
    pub sequence: i64,
    /// When it came.
    pub at: Timestamp,
    /// Which of its streams, in its service's words.
    pub stream: i32,
    /// What it wrote. At most [`crate::MAX_PART_BYTES`].
    pub bytes: Bytes,
}

/// Everything that happened to a shard since the last flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFlush {
    /// Which shard.
    pub shard: i32,
    /// Whose flush.
    pub epoch: i64,
    /// Its number: one more than the last.
    pub flush: i64,
    /// Until when the owner has the shard.
    pub lease_until: Timestamp,
    /// New batches.
    pub batches: Vec<NewBatch>,
    /// Changed ones, which may be new too; each once.
    pub changes: Vec<BatchChange>,
    /// New and changed jobs; each once.
    pub jobs: Vec<JobRow>,
    /// Output.
    pub outputs: Vec<JobOutput>,
}

/// A batch with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRow {
    /// As it was accepted, but for terms and note, which are as they are now; without its payload where the method
    /// says so.
    pub batch: NewBatch,
    /// Where it stands: 1 until its last job has ended.
    pub state: i32,
    /// How many of its jobs ended well.
    pub completed: i32,
    /// Or failed.
    pub failed: i32,
    /// Or were cancelled.
    pub cancelled: i32,
    /// When its last job ended.
    pub ended: Option<Timestamp>,
}

/// Which batches of a project to list. What is absent is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchFilter {
    /// Of this kind.
    pub kind: Option<String>,
    /// In this state.
    pub state: Option<i32>,
    /// Accepted at this instant or later.
    pub since: Option<Timestamp>,
    /// Accepted before this instant.
    pub until: Option<Timestamp>,
}

/// How many batches of a project are of one kind and state, and their jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchCount {
    /// Kind.
    pub kind: String,
    /// State.
    pub state: i32,
    /// How many.
    pub batches: i64,
    /// Their jobs.
    pub jobs: i64,
    /// Those that ended well.
    pub completed: i64,
    /// Or failed.
    pub failed: i64,
    /// Or were cancelled.
    pub cancelled: i64,
}

/// Keeps jobs. See the promises in the crate's documentation.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Takes a shard until an instant, if nobody else has it at `at`; `AlreadyExists` if somebody does. Whoever had it
    /// before cannot write to it any more, and that is so for the same owner too, who may take it again at any time. A database that only one process can open gives it to whoever asks.
    async fn own_shard(&self, shard: i32, owner: &str, at: Timestamp, until: Timestamp)
    -> Result<OwnedShard>;

    /// Gives a shard back, if that epoch still has it, so that the next owner need not wait.
    async fn leave_shard(&self, shard: i32, epoch: i64) -> Result<()>;

    /// Writes a flush. [`crate::StoreError::Stale`] if its epoch is not the shard's: nothing was written.
    async fn flush_jobs(&self, flush: JobFlush) -> Result<()>;

    /// Batches of a shard that have not ended, by number: those after `after`, at most `limit`, without payloads.
    async fn open_batches(&self, shard: i32, after: i64, limit: u32) -> Result<Vec<BatchRow>>;

    /// Jobs of batches of a shard that have not ended, ended ones too, by batch and number: those after the pair
    /// `after`, at most `limit`. Without outcomes.
    async fn open_jobs(&self, shard: i32, after: (i64, i32), limit: u32) -> Result<Vec<JobRow>>;

    /// Which of these names (project and name), and which of these requests, have a batch already, without payloads.
    async fn find_batches(&self, names: &[(String, String)], requests: &[Bytes]) -> Result<Vec<BatchRow>>;

    /// The batch of that name, with its payload.
    async fn get_batch(&self, project: &str, name: &str) -> Result<BatchRow>;

    /// Batches of a project, the newest first: those with a number below `before`, at most `limit`, without payloads.
    async fn list_batches(
        &self,
        project: &str,
        filter: &BatchFilter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<BatchRow>>;

    /// Counts the batches of a project that were accepted at an instant or later.
    async fn count_batches(&self, project: &str, since: Timestamp) -> Result<Vec<BatchCount>>;

    /// Payloads of batches, in no order; those that are gone are left out.
    async fn payloads(&self, batches: &[i64]) -> Result<Vec<(i64, Bytes)>>;

    /// Jobs of a batch by number: those from `from`, at most `limit`, with outcomes.
    async fn list_jobs(&self, batch: i64, from: i32, limit: u32) -> Result<Vec<JobRow>>;

    /// Jobs of a batch by the flush that changed them last, and number: those after the pair `after`, at most `limit`,
    /// with outcomes.
    async fn changed_jobs(&self, batch: i64, after: (i64, i32), limit: u32) -> Result<Vec<JobRow>>;

    /// Output of a job by attempt and sequence: what comes after the pair `after`, at most `limit` pieces.
    async fn outputs(&self, batch: i64, number: i32, after: (i64, i64), limit: u32)
    -> Result<Vec<JobOutput>>;

    /// Removes batches of all shards that ended before an instant, with their jobs and output: at most `limit`, and
    /// says how many. Called in the background by whoever owns a shard.
    async fn forget_batches(&self, before: Timestamp, limit: u32) -> Result<u64>;
}
