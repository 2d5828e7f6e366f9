//! What is told of batches and jobs: read from the store, so that it is what is on disk.

use bytes::Bytes;
use uuid::Uuid;
use weft_store::{BatchRow, JobRow, StoreError, Timestamp};

use crate::{
    codec,
    domain::model::{End, JobKey, State, Stop, Terms},
};

/// A batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchView {
    /// Number.
    pub id: i64,
    /// Id of its project.
    pub project: String,
    /// Name in the project.
    pub name: String,
    /// Identity.
    pub uid: Uuid,
    /// What kind of work.
    pub kind: String,
    /// Under which terms it runs.
    pub terms: Terms,
    /// What its service remembers of it.
    pub note: Bytes,
    /// What its jobs are handed to workers with; empty where it was not asked for.
    pub payload: Bytes,
    /// How many jobs it has.
    pub total: u32,
    /// How many ended well. The three counts are written with the batch, and so are exact once it has ended; until
    /// then, its jobs say more.
    pub completed: u32,
    /// How many failed.
    pub failed: u32,
    /// How many were cancelled.
    pub cancelled: u32,
    /// Pending until its last job has ended.
    pub state: State,
    /// When it was accepted.
    pub created: Timestamp,
    /// When its last job ended.
    pub ended: Option<Timestamp>,
}

/// How far a batch is that has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Jobs that workers have.
    pub executing: u32,
    /// Those that ended well.
    pub completed: u32,
    /// Those that failed.
    pub failed: u32,
    /// Those that were cancelled.
    pub cancelled: u32,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    /// Which.
    pub key: JobKey,
    /// Where it runs.
    pub queue: String,
    /// Where it stands.
    pub state: State,
    /// How often it was handed to a worker.
    pub fence: u32,
    /// How many attempts failed.
    pub failures: u32,
    /// Why it was asked to stop, while it executes.
    pub stop: Option<Stop>,
    /// Which worker has it, or had it when it was last written; empty where none did.
    pub worker: String,
    /// While it is pending: when it may start. Else when its last attempt began.
    pub at: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How its last attempt ended.
    pub end: Option<End>,
    /// Flush that wrote this: grows with every change.
    pub changed: i64,
}

impl TryFrom<BatchRow> for BatchView {
    type Error = StoreError;

    fn try_from(row: BatchRow) -> Result<Self, StoreError> {
        let state = State::from_number(row.state).ok_or_else(|| StoreError::Corrupt {
            table: "job_batches",
            column: "state",
            row: row.batch.id.to_string(),
            reason: "no such state".into(),
        })?;
        Ok(Self {
            terms: codec::terms_from_bytes(row.batch.id, &row.batch.terms)?,
            id: row.batch.id,
            project: row.batch.project,
            name: row.batch.name,
            uid: row.batch.uid,
            kind: row.batch.kind,
            note: row.batch.note,
            payload: row.batch.payload,
            total: row.batch.total.cast_unsigned(),
            completed: row.completed.cast_unsigned(),
            failed: row.failed.cast_unsigned(),
            cancelled: row.cancelled.cast_unsigned(),
            state,
            created: row.batch.at,
            ended: row.ended,
        })
    }
}

impl TryFrom<JobRow> for JobView {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Result<Self, StoreError> {
        let kept = codec::job_from_row(&row)?;
        let end = row.outcome.as_deref().map(|outcome| codec::end_from_bytes(row.batch, outcome));
        Ok(Self {
            key: kept.key,
            queue: kept.queue,
            state: kept.job.state,
            fence: kept.job.fence,
            failures: kept.job.failures,
            stop: kept.job.stop,
            worker: kept.worker,
            at: Timestamp::from_micros(kept.job.at),
            ended: kept.job.state.is_terminal().then(|| Timestamp::from_micros(kept.job.ended)),
            end: end.transpose()?,
            changed: row.changed,
        })
    }
}
