//! Where graphs are kept: a row for each, a journal of its revisions, and checkpoints.
//!
//! The journal is the truth about a graph's content. Its bytes are the graph service's own; the store keeps
//! their order, their numbering and their atomicity.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// Most bytes in one part of a revision or of a checkpoint. Writers should stay under 1 MiB; the rest is room
/// for a single large element.
pub const MAX_PART_BYTES: usize = 4 << 20;

/// A graph without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphRow {
    /// Id of its project.
    pub project: String,
    /// Id in the project; free again after the graph is deleted.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// Name for people.
    pub display_name: String,
    /// What it is about.
    pub description: String,
    /// A `weft.graph.v1.GraphKind`.
    pub kind: i32,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Newest revision, from 1.
    pub revision: i64,
    /// Oldest revision that the journal holds, from 1. Reading may start after `oldest_revision - 1`.
    pub oldest_revision: i64,
    /// Number of nodes at `revision`.
    pub node_count: i64,
    /// Number of edges at `revision`.
    pub edge_count: i64,
    /// The ordinal that the next new node gets.
    pub next_ordinal: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When `revision` was accepted.
    pub updated: Timestamp,
    /// Counts changes of the graph's own fields, from 1: the number behind its etag.
    pub version: i64,
}

/// A graph to be created, with revision 1.
#[derive(Clone, Debug)]
pub struct NewGraph {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// Name for people.
    pub display_name: String,
    /// What it is about.
    pub description: String,
    /// A `weft.graph.v1.GraphKind`.
    pub kind: i32,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Revision 1 for the journal: one part or more.
    pub parts: Vec<Bytes>,
    /// When.
    pub at: Timestamp,
    /// Who: a resource name.
    pub actor: String,
}

/// New values of a graph's own fields. That is a revision too.
#[derive(Clone, Debug)]
pub struct GraphUpdate {
    /// Identity of the graph.
    pub uid: Uuid,
    /// The version that the change is based on; any when absent.
    pub expected_version: Option<i64>,
    /// The revision that the change is based on: it becomes the next one.
    pub base_revision: i64,
    /// Name for people.
    pub display_name: String,
    /// What it is about.
    pub description: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The new revision for the journal: one part or more.
    pub parts: Vec<Bytes>,
    /// When.
    pub at: Timestamp,
    /// Who: a resource name.
    pub actor: String,
}

/// A new revision of a graph's content.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Identity of the graph.
    pub uid: Uuid,
    /// The revision that the change is based on: it becomes the next one.
    pub base_revision: i64,
    /// The revision for the journal: one part or more, each at most [`MAX_PART_BYTES`].
    pub parts: Vec<Bytes>,
    /// Number of nodes after it.
    pub node_count: i64,
    /// Number of edges after it.
    pub edge_count: i64,
    /// The ordinal that the next new node gets after it.
    pub next_ordinal: i64,
    /// When.
    pub at: Timestamp,
    /// Who: a resource name.
    pub actor: String,
}

/// A place in a journal: everything up to this part of this revision has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The revision.
    pub revision: i64,
    /// The part of it, from 0.
    pub part: i32,
}

impl Position {
    /// The place after a whole revision; after 0 is the journal's beginning.
    pub const fn after_revision(revision: i64) -> Self {
        Self { revision, part: i32::MAX }
    }
}

/// How much of a journal to read at once.
#[derive(Clone, Copy, Debug)]
pub struct JournalLimit {
    /// Most entries.
    pub entries: u32,
    /// Most bytes; one entry comes in any case.
    pub bytes: usize,
}

impl Default for JournalLimit {
    /// 1,000 entries, 4 MiB.
    fn default() -> Self {
        Self { entries: 1_000, bytes: 4 << 20 }
    }
}

/// One part of a revision, as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// The revision.
    pub revision: i64,
    /// Which part of it, from 0.
    pub part: i32,
    /// Whether it is the last one of its revision.
    pub last_part: bool,
    /// When the revision was accepted.
    pub at: Timestamp,
    /// Who made it.
    pub actor: String,
    /// The graph service's encoding of it.
    pub bytes: Bytes,
}

impl JournalEntry {
    /// Where reading goes on after this entry.
    pub const fn position(&self) -> Position {
        if self.last_part {
            Position::after_revision(self.revision)
        } else {
            Position { revision: self.revision, part: self.part }
        }
    }
}

/// The whole of a graph at one revision, which spares reading the journal up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The revision.
    pub revision: i64,
    /// How many parts it has; they are read one by one.
    pub part_count: i32,
    /// Size of all parts in bytes.
    pub bytes: i64,
}

/// The newest revision of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Identity of the graph.
    pub uid: Uuid,
    /// Its newest revision.
    pub revision: i64,
}

/// What one call of [`GraphStore::sweep_deleted`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// How many rows of deleted graphs were removed.
    pub rows: u64,
    /// Whether nothing of a deleted graph is left.
    pub done: bool,
}

/// Keeps graphs. See the promises in the crate's documentation.
#[async_trait]
pub trait GraphStore: Requests {
    /// Creates a graph with revision 1. `AlreadyExists` if the id is taken.
    async fn create_graph(&self, graph: NewGraph, remember: Option<Remember>) -> Result<Written<GraphRow>>;

    /// The graph of that name.
    async fn get_graph(&self, project: &str, id: &str) -> Result<GraphRow>;

    /// Graphs of a project by id, those after `after` (all when empty), at most `limit`.
    async fn list_graphs(&self, project: &str, after: &str, limit: u32) -> Result<Vec<GraphRow>>;

    /// How many graphs a project has.
    async fn count_graphs(&self, project: &str) -> Result<u64>;

    /// Changes a graph's own fields, as its next revision. `Stale` by `Version` if `expected_version` is not
    /// the graph's, else by `Revision` if `base_revision` is not.
    async fn update_graph(
        &self,
        update: GraphUpdate,
        remember: Option<Remember>,
    ) -> Result<Written<GraphRow>>;

    /// Deletes a graph with all its content and history, and gives its row as it was. It is gone at once for
    /// every reader, its sources too, and its id is free; its journal is removed by
    /// [`GraphStore::sweep_deleted`]. `Stale` if `expected_version` is given and not the graph's.
    async fn delete_graph(&self, project: &str, id: &str, expected_version: Option<i64>) -> Result<GraphRow>;

    /// Appends a revision, and gives its number, which is `base_revision + 1`. `Stale` if that is not the
    /// graph's next one: of several writers on one base exactly one wins.
    async fn append(&self, commit: Commit, remember: Option<Remember>) -> Result<Written<i64>>;

    /// The journal's entries after a place, in order, without a gap. Empty at the journal's end. `Compacted` if
    /// entries after that place were removed.
    async fn journal(&self, uid: Uuid, after: Position, limit: JournalLimit) -> Result<Vec<JournalEntry>>;

    /// The newest revisions of those of the given graphs that exist, in no particular order, in one statement.
    async fn revisions(&self, uids: &[Uuid]) -> Result<Vec<Revision>>;

    /// Saves the whole of a graph at a revision it has. It takes effect as one, with its last part, and
    /// replaces the one before; one that is not newer than that changes nothing.
    async fn save_checkpoint(&self, uid: Uuid, revision: i64, parts: Vec<Bytes>) -> Result<()>;

    /// The graph's checkpoint, if it has one.
    async fn load_checkpoint(&self, uid: Uuid) -> Result<Option<Checkpoint>>;

    /// One part of a checkpoint, from 0. `Stale` by `Checkpoint` if a newer one has replaced it: start again.
    async fn checkpoint_part(&self, uid: Uuid, revision: i64, part: i32) -> Result<Bytes>;

    /// Removes the journal's entries up to and including a revision, and says how many. The graph's checkpoint
    /// must be at that revision or a newer one (`Conflict`), so that nothing is lost.
    async fn trim_journal(&self, uid: Uuid, up_to_revision: i64) -> Result<u64>;

    /// Removes what is left of deleted graphs, at most `limit` rows. Called in the background.
    async fn sweep_deleted(&self, limit: u32) -> Result<Swept>;
}
