//! Where samples, logs and spans are kept: a log of what came in, and segments of what was sealed.
//!
//! The telemetry service keeps the newest of them in memory. What it acknowledges is in the *log*, in entries whose
//! content is its own affair; now and then it *seals* what it has: large objects with the samples, rows that say what
//! is in them, and an end of the log. One process at a time has the log, by a lease; a write of an older owner is
//! refused.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Result, StoreError, Timestamp};

/// What an entry of the log, or a segment, holds. Each kind is sealed by itself, and shortens its own part of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TelemetryKind {
    /// Samples of series.
    #[default]
    Samples,
    /// Log records.
    Logs,
    /// Spans of traces.
    Spans,
}

impl TelemetryKind {
    /// As databases keep it.
    pub fn number(self) -> i32 {
        match self {
            Self::Samples => 0,
            Self::Logs => 1,
            Self::Spans => 2,
        }
    }

    /// From what a database has in the column `kind` of a row.
    ///
    /// # Errors
    /// It is no kind.
    pub fn from_number(table: &'static str, row: &dyn std::fmt::Display, number: i32) -> Result<Self> {
        match number {
            0 => Ok(Self::Samples),
            1 => Ok(Self::Logs),
            2 => Ok(Self::Spans),
            _ => Err(StoreError::Corrupt {
                table,
                column: "kind",
                row: row.to_string(),
                reason: format!("{number} is no kind"),
            }),
        }
    }
}

/// The log in somebody's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedLog {
    /// Counts owners: a write of an older one is refused.
    pub epoch: i64,
    /// Number of the last entry there ever was.
    pub last_entry: i64,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number, larger than all before it.
    pub number: i64,
    /// What it holds.
    pub kind: TelemetryKind,
    /// The service's encoding of what came in. At most [`crate::MAX_PART_BYTES`].
    pub content: Bytes,
}

/// A segment: samples, logs or spans of one project that lie in one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// Its identity, and the end of its object's key.
    pub uid: Uuid,
    /// Id of its project.
    pub project: String,
    /// What it holds.
    pub kind: TelemetryKind,
    /// Time between samples after down-sampling, in milliseconds; 0 where nothing was left out.
    pub resolution: i64,
    /// Time of the oldest that it holds.
    pub first: Timestamp,
    /// Time of the newest.
    pub last: Timestamp,
    /// How many samples, logs or spans it has.
    pub sample_count: i64,
    /// Bytes of its object.
    pub object_bytes: i64,
    /// What is where in its object, in the service's encoding. At most [`crate::MAX_PART_BYTES`].
    pub directory: Bytes,
    /// When it was written.
    pub created: Timestamp,
}

/// How far a source of reports has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReporterRow {
    /// Id of its project.
    pub project: String,
    /// Who.
    pub source: String,
    /// Since when it counts.
    pub incarnation: Uuid,
    /// The last report that is on disk.
    pub sequence: i64,
    /// When that was.
    pub updated: Timestamp,
}

/// A change of the segments, all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedSegments {
    /// Whose.
    pub epoch: i64,
    /// New segments, whose objects are there.
    pub added: Vec<SegmentRow>,
    /// Segments that are none any more; their objects are the caller's to remove, afterwards.
    pub removed: Vec<Uuid>,
    /// Of which kind entries of the log are not needed any more.
    pub kind: TelemetryKind,
    /// Up to which one.
    pub log_until: i64,
    /// How far sources have come.
    pub reporters: Vec<ReporterRow>,
}

/// Where samples, logs and spans are kept.
#[async_trait]
pub trait TelemetryStore: Send + Sync {
    /// Takes the log, if nobody has it: `AlreadyExists` while the lease of another owner holds. An owner that takes
    /// it again gets a new epoch.
    async fn own_telemetry_log(&self, owner: &str, at: Timestamp, until: Timestamp) -> Result<OwnedLog>;

    /// Prolongs the lease. `Stale` if somebody else has taken the log.
    async fn keep_telemetry_log(&self, epoch: i64, until: Timestamp) -> Result<()>;

    /// Gives the log back, so that the next owner need not wait. Nothing happens if it is somebody else's.
    async fn leave_telemetry_log(&self, epoch: i64) -> Result<()>;

    /// Appends entries, all of them or none. `Stale` if somebody else has taken the log.
    async fn append_telemetry(&self, epoch: i64, entries: Vec<LogEntry>) -> Result<()>;

    /// Entries after a number, in order: `limit` of them, or fewer where they are large.
    async fn telemetry_log(&self, after: i64, limit: u32) -> Result<Vec<LogEntry>>;

    /// Changes the segments and shortens the log. `Stale` if somebody else has taken the log.
    async fn seal_telemetry(&self, sealed: SealedSegments) -> Result<()>;

    /// All segments after one, by uid.
    async fn list_telemetry_segments(&self, after: Uuid, limit: u32) -> Result<Vec<SegmentRow>>;

    /// How far sources have come that were heard of since a time, in no order.
    async fn list_telemetry_reporters(&self, since: Timestamp) -> Result<Vec<ReporterRow>>;

    /// Forgets sources that were not heard of since a time, at most `limit`, and says how many those were.
    async fn forget_telemetry_reporters(&self, before: Timestamp, limit: u32) -> Result<u64>;
}
