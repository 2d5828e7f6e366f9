//! Where analyses are kept: what is to be computed, who computes it at the moment, and how it ended. The values are
//! objects (`analyses/<uid>/…`), not rows.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// Where an analysis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalysisState {
    /// It waits for a process.
    Pending,
    /// A process has it, as long as its lease holds.
    Running,
    /// It is done.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

/// An analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisRow {
    /// Id of its project.
    pub project: String,
    /// Id of its graph.
    pub graph: String,
    /// Identity of its graph.
    pub graph_uid: Uuid,
    /// Id in the graph.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// The compute service's encoding of what is to be computed.
    pub settings: Bytes,
    /// Who created it: a resource name.
    pub creator: String,
    /// Where it is.
    pub state: AnalysisState,
    /// How often it was begun and not given back.
    pub attempts: i32,
    /// The process that runs it; nil where none does.
    pub owner: Uuid,
    /// Until when it is believed to run unless its owner says so again.
    pub lease_until: Timestamp,
    /// Somebody asked for its end.
    pub cancel_asked: bool,
    /// The compute service's encoding of its progress, and in the end of its result.
    pub report: Bytes,
    /// When it was accepted.
    pub created: Timestamp,
    /// When it was begun last.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// An analysis to be accepted.
#[derive(Clone, Debug)]
pub struct NewAnalysis {
    /// Id of its project.
    pub project: String,
    /// Id of its graph.
    pub graph: String,
    /// Identity of its graph.
    pub graph_uid: Uuid,
    /// Id in the graph.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// What is to be computed. At most [`crate::MAX_PART_BYTES`].
    pub settings: Bytes,
    /// Who creates it: a resource name.
    pub creator: String,
    /// When.
    pub at: Timestamp,
}

/// Keeps analyses. See the promises in the crate's documentation.
#[async_trait]
pub trait AnalysisStore: Requests {
    /// Accepts an analysis, which waits then. `AlreadyExists` if the id is taken in the graph.
    async fn create_analysis(
        &self,
        analysis: NewAnalysis,
        remember: Option<Remember>,
    ) -> Result<Written<AnalysisRow>>;

    /// The analysis of that name.
    async fn get_analysis(&self, project: &str, graph: &str, id: &str) -> Result<AnalysisRow>;

    /// Analyses of a graph, or of all graphs of the project when `graph` is absent, the newest first: those before
    /// the place `before` (all when absent), which is creation and uid of another, at most `limit`.
    async fn list_analyses(
        &self,
        project: &str,
        graph: Option<&str>,
        before: Option<(Timestamp, Uuid)>,
        limit: u32,
    ) -> Result<Vec<AnalysisRow>>;

    /// How many analyses of a project wait or run.
    async fn count_open_analyses(&self, project: &str) -> Result<u64>;

    /// Gives a process the oldest analysis that waits, or whose owner's lease ran out before `at`. Of several that
    /// claim at once each gets another one. The owner must renew it before `lease_until`.
    async fn claim_analysis(
        &self,
        owner: Uuid,
        at: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<AnalysisRow>>;

    /// Says that an analysis still runs: until when, and how far it is. Gives its row, in which its owner sees
    /// whether its end was asked for. `NotFound` if it is not there, or not this owner's any more.
    async fn renew_analysis(
        &self,
        uid: Uuid,
        owner: Uuid,
        lease_until: Timestamp,
        report: Bytes,
    ) -> Result<AnalysisRow>;

    /// Gives an analysis back that its owner cannot end: it waits again, as if it had not been begun. `NotFound` as
    /// above.
    async fn release_analysis(&self, uid: Uuid, owner: Uuid) -> Result<()>;

    /// Ends an analysis: any state but `Pending` and `Running`. `NotFound` as above.
    async fn end_analysis(
        &self,
        uid: Uuid,
        owner: Uuid,
        state: AnalysisState,
        report: Bytes,
        at: Timestamp,
    ) -> Result<AnalysisRow>;

    /// Asks for the end of an analysis, and gives its row: one that waits ends at once, one that has ended stays as
    /// it is.
    async fn cancel_analysis(&self, uid: Uuid, at: Timestamp) -> Result<AnalysisRow>;

    /// Forgets an analysis, whatever its state.
    async fn delete_analysis(&self, uid: Uuid) -> Result<()>;

    /// Analyses of a graph in any state, in no order, at most `limit`: what to forget with it.
    async fn analyses_of(&self, graph_uid: Uuid, limit: u32) -> Result<Vec<Uuid>>;

    /// Analyses that ended before an instant, in no order, at most `limit`: what to forget.
    async fn ended_analyses(&self, before: Timestamp, limit: u32) -> Result<Vec<Uuid>>;
}
