//! Where sources of graphs are kept, and the history of their refreshes.
//!
//! A refresh that runs is a row with a lease: the process that runs it renews the lease, and a lease that ran
//! out tells everybody else that nobody runs it any more. So a process may die at any time.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// Something outside that a graph's content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// Identity of its graph.
    pub graph_uid: Uuid,
    /// Id in the graph.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// The graph service's encoding of what it is and how it is read.
    pub settings: Bytes,
    /// Counts changes of the settings, from 1: the number behind its etag.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When its settings were changed last.
    pub updated: Timestamp,
    /// Its newest refresh, if there was any.
    pub last_refresh: Option<RefreshRow>,
}

/// A source to be created.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// Identity of its graph. `NotFound` if there is no such graph.
    pub graph_uid: Uuid,
    /// Id in the graph.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// Its settings. At most [`crate::MAX_PART_BYTES`].
    pub settings: Bytes,
    /// When.
    pub at: Timestamp,
}

/// New settings of a source.
#[derive(Clone, Debug)]
pub struct SourceUpdate {
    /// Identity of the source.
    pub uid: Uuid,
    /// The version that the change is based on; any when absent.
    pub expected_version: Option<i64>,
    /// Its settings. At most [`crate::MAX_PART_BYTES`].
    pub settings: Bytes,
    /// When.
    pub at: Timestamp,
}

/// Where a refresh is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshState {
    /// It runs, as long as its lease has not run out.
    Running,
    /// It is done.
    Succeeded,
    /// It ended with an error, and changed nothing.
    Failed,
    /// Somebody ended it, and it changed nothing.
    Cancelled,
    /// Its process died. What it was about to write is either whole in the graph or not at all.
    Interrupted,
}

/// One run of bringing a source's content in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshRow {
    /// Identity of its source.
    pub source_uid: Uuid,
    /// Its number in the source, from 1, never given again.
    pub number: i64,
    /// Where it is.
    pub state: RefreshState,
    /// Who began it: a resource name.
    pub actor: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Until when it is believed to run unless it says so again.
    pub lease_until: Timestamp,
    /// Somebody asked for its end.
    pub cancel_asked: bool,
    /// The graph service's encoding of its progress, and in the end of its result.
    pub report: Bytes,
}

/// A refresh that is to begin.
#[derive(Clone, Debug)]
pub struct NewRefresh {
    /// Identity of its source.
    pub source_uid: Uuid,
    /// Who begins it: a resource name.
    pub actor: String,
    /// When. A refresh whose lease ran out before this instant does not run any more.
    pub at: Timestamp,
    /// Until when it is believed to run.
    pub lease_until: Timestamp,
    /// How many ended refreshes of the source are kept; when it begins, older ones are forgotten.
    pub keep: u32,
}

/// What became of the wish to begin a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It runs now.
    New(RefreshRow),
    /// Another one runs.
    Busy(RefreshRow),
}

/// Keeps sources. See the promises in the crate's documentation.
#[async_trait]
pub trait SourceStore: Requests {
    /// Creates a source. `AlreadyExists` if the id is taken in the graph; `NotFound` of "graph".
    async fn create_source(
        &self,
        source: NewSource,
        remember: Option<Remember>,
    ) -> Result<Written<SourceRow>>;

    /// The source of that id.
    async fn get_source(&self, graph_uid: Uuid, id: &str) -> Result<SourceRow>;

    /// Sources of a graph by id, those after `after` (all when empty), at most `limit`.
    async fn list_sources(&self, graph_uid: Uuid, after: &str, limit: u32) -> Result<Vec<SourceRow>>;

    /// How many sources a graph has.
    async fn count_sources(&self, graph_uid: Uuid) -> Result<u64>;

    /// Changes a source's settings. `Stale` if `expected_version` is given and not the source's.
    async fn update_source(&self, update: SourceUpdate) -> Result<SourceRow>;

    /// Deletes a source with the history of its refreshes, and gives it as it was. `Stale` if
    /// `expected_version` is given and not the source's. With its graph a source is gone at once, too.
    async fn delete_source(
        &self,
        graph_uid: Uuid,
        id: &str,
        expected_version: Option<i64>,
    ) -> Result<SourceRow>;

    /// Begins a refresh, unless one runs whose lease holds; of several that begin at once exactly one wins.
    /// One whose lease ran out becomes `Interrupted`, ended when its lease did. `NotFound` of "source".
    async fn begin_refresh(&self, refresh: NewRefresh) -> Result<Begun>;

    /// Says that a refresh still runs: until when, and how far it is. Gives its row, in which it sees whether
    /// its end was asked for. `NotFound` if it is not there or not `Running`: somebody took it for dead.
    async fn renew_refresh(
        &self,
        source_uid: Uuid,
        number: i64,
        lease_until: Timestamp,
        report: Bytes,
    ) -> Result<RefreshRow>;

    /// Ends a refresh: any state but `Running`. `NotFound` if it is not there or not `Running`.
    async fn end_refresh(
        &self,
        source_uid: Uuid,
        number: i64,
        state: RefreshState,
        report: Bytes,
        at: Timestamp,
    ) -> Result<RefreshRow>;

    /// Asks for the end of a refresh, and gives its row. One that ended already stays as it is.
    async fn cancel_refresh(&self, source_uid: Uuid, number: i64) -> Result<RefreshRow>;

    /// The refresh of that number.
    async fn get_refresh(&self, source_uid: Uuid, number: i64) -> Result<RefreshRow>;

    /// Refreshes of a source, newest first: those before the number `before` (all when 0), at most `limit`. None
    /// if there is no such source.
    async fn list_refreshes(&self, source_uid: Uuid, before: i64, limit: u32) -> Result<Vec<RefreshRow>>;
}
