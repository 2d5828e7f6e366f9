//! What a store promises, whatever database is behind it.
//!
//! Services speak to small object-safe traits in their own words: [`GraphStore`], [`SourceStore`],
//! [`LayoutStore`], [`AnalysisStore`], [`AgentStore`], [`AlertStore`], [`CommandStore`], [`ExecutionStore`], [`IdentityStore`], [`JobStore`],
//! [`KeptResultStore`], [`ProjectObjectStore`], [`SecretStore`], [`TelemetryStore`], [`TriggerStore`]. Every method is **one atomic intent**: it happens wholly or not at all, and when it
//! answers, it is on disk. There is no general transaction, because read-then-write over two calls is where
//! databases differ and where updates get lost.
//!
//! Promises that hold for every method of every backend (`conformance` tests them all, on each):
//! - *Durable*: `Ok` means that the write survives the death of the process and of the machine.
//! - *Optimistic*: a write names the version it is based on; of several that name the same, one wins and the
//!   others get [`StoreError::Stale`].
//! - *Once*: a write that carries a [`Remember`] happens at most once for its request id; the repeat gets the
//!   first one's answer as [`Written::Replayed`].
//! - *Exact times*: [`Timestamp`] is integer microseconds and comes back as it was written.
//! - *Ordered*: lists are sorted by the bytes of their ids, whatever the database's collation.
//!
//! Layout: one file per trait with its rows ([`graph`], [`source`], [`layout`], [`analysis`],
//! [`agent`], [`alert`], [`command`], [`execution`], [`identity`], [`jobs`], [`kept_result`], [`project_object`], [`secret`], [`telemetry`], [`trigger`]), the shared words
//! ([`once`], [`error`], [`time`]), what both backends share ([`check`], [`codec`]), large objects
//! ([`objects`]), and the suite that both must pass
//! (`conformance`, behind a feature of that name). `docs/adr/0003-graph-journal.md` and
//! `docs/adr/0004-stores.md` say why it is shaped like this.
//!
//! ```
//! use weft_store::{GraphStore, JournalLimit, Position, StoreError};
//!
//! /// The newest revision that the journal tells about, read page by page.
//! async fn newest(store: &dyn GraphStore, graph: uuid::Uuid) -> Result<i64, StoreError> {
//!     let mut at = Position::after_revision(0);
//!     loop {
//!         let page = store.journal(graph, at, JournalLimit::default()).await?;
//!         match page.last() {
//!             Some(entry) => at = entry.position(),
//!             None => return Ok(at.revision),
//!         }
//!     }
//! }
//! ```

pub mod agent;
pub mod alert;
pub mod analysis;
pub mod check;
pub mod codec;
pub mod command;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod error;
pub mod execution;
pub mod graph;
pub mod identity;
pub mod jobs;
pub mod kept_result;
pub mod layout;
pub mod member;
pub mod objects;
pub mod once;
pub mod placement;
pub mod project_object;
pub mod secret;
mod shard;
pub mod source;
pub mod telemetry;
pub mod time;
pub mod trigger;

use std::sync::Arc;

use async_trait::async_trait;

pub use crate::{
    agent::{
        AgentDocument, AgentRow, AgentStore, AgentUpdate, EnrollmentTokenRow, Fleet, NewAgent,
        NewEnrollmentToken, Seen,
    },
    alert::{
        AlertSettingKind, AlertSettingRow, AlertSettingUpdate, AlertStateRow, AlertStore, NewAlertSetting,
    },
    analysis::{AnalysisRow, AnalysisState, AnalysisStore, NewAnalysis},
    command::{CommandStore, CommandTypeRow, CommandTypeUpdate, NewCommandType},
    error::{OpenError, Result, StoreError, Versioned},
    execution::{
        ExecutionChange, ExecutionEnd, ExecutionEnds, ExecutionEvents, ExecutionFlush, ExecutionMessage,
        ExecutionMessages, ExecutionRow, ExecutionStore, NewExecution, NewExecutionMessage, OwnedExecutions,
        RunLimitRow, RunRateRow, ShardOwner,
    },
    graph::{
        Checkpoint, Commit, GraphRow, GraphStore, GraphUpdate, JournalEntry, JournalLimit, MAX_PART_BYTES,
        NewGraph, Position, Revision, Swept,
    },
    identity::{
        ApiKeyRow, IdentityStore, KeyUse, NewApiKey, NewSigningKey, NewTicket, Redemption, SigningKeyRow,
    },
    jobs::{
        BatchChange, BatchCount, BatchFilter, BatchRow, JobFlush, JobOutput, JobRow, JobStore, NewBatch,
        OwnedShard, SHARD_BITS,
    },
    kept_result::{Areas, KeptResult, KeptResultStore, MostKept},
    layout::{DesiredState, LayoutRow, LayoutStore, LayoutUpdate, NewLayout},
    member::{MemberRow, MemberStore},
    once::{Once, Remember, Requests, Written},
    placement::{HoldRow, OrphanRow, PlacementStore, SavedUnder},
    project_object::{LooseContent, NewProjectObject, Only, ProjectObjectRow, ProjectObjectStore, PutObject},
    secret::{NewSecret, SealedSecret, SecretRow, SecretStore, SecretUpdate},
    shard::shard_of,
    source::{Begun, NewRefresh, NewSource, RefreshRow, RefreshState, SourceRow, SourceStore, SourceUpdate},
    telemetry::{LogEntry, OwnedLog, ReporterRow, SealedSegments, SegmentRow, TelemetryKind, TelemetryStore},
    time::Timestamp,
    trigger::{
        Accepted, Advance, DeliveryChange, DeliveryKind, DeliveryRow, Dismissal, NamedDelivery, NewTrigger,
        Tick, TriggerRow, TriggerStore, TriggerUpdate,
    },
};

/// The database as a whole: what a process needs to know about it besides its content.
#[async_trait]
pub trait Database: Send + Sync {
    /// Where the records are, for people and logs; never contains a password.
    fn describe(&self) -> String;

    /// Asks the database for a sign of life, and fails with [`StoreError::Unavailable`] if there is none.
    async fn ping(&self) -> Result<()>;

    /// Finishes accepted writes, then lets go of files, locks and connections. Later calls of any store of
    /// this database fail with [`StoreError::Unavailable`]. Closing twice is harmless.
    async fn close(&self);
}

/// All stores of one database, as a backend's `open` gives them.
#[derive(Clone)]
pub struct Stores {
    /// Graphs and their journals.
    pub graph: Arc<dyn GraphStore>,
    /// Sources of graphs, and their refreshes.
    pub source: Arc<dyn SourceStore>,
    /// Layouts.
    pub layout: Arc<dyn LayoutStore>,
    /// Which processes there are.
    pub member: Arc<dyn MemberStore>,
    /// Which process has which layout.
    pub placement: Arc<dyn PlacementStore>,
    /// Analyses.
    pub analysis: Arc<dyn AnalysisStore>,
    /// The fleet.
    pub agent: Arc<dyn AgentStore>,
    /// Alert rules, silences and how far alerts are.
    pub alert: Arc<dyn AlertStore>,
    /// Command types.
    pub command: Arc<dyn CommandStore>,
    /// Executions.
    pub execution: Arc<dyn ExecutionStore>,
    /// Credentials.
    pub identity: Arc<dyn IdentityStore>,
    /// Durable jobs.
    pub jobs: Arc<dyn JobStore>,
    /// What steps gave.
    pub kept_result: Arc<dyn KeptResultStore>,
    /// Which objects projects have.
    pub object: Arc<dyn ProjectObjectStore>,
    /// Secrets of workflows.
    pub secret: Arc<dyn SecretStore>,
    /// Samples.
    pub telemetry: Arc<dyn TelemetryStore>,
    /// Triggers, and what came to them.
    pub trigger: Arc<dyn TriggerStore>,
    /// The database that they share.
    pub database: Arc<dyn Database>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").field("database", &self.database.describe()).finish_non_exhaustive()
    }
}
