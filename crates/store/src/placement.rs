//! Which process simulates which layout, so that never two do.
//!
//! A process of the compute service is a [member](crate::MemberStore) for as long as it prolongs its lease. A layout has a *hold*: who
//! has it, and under which epoch. Each time it is taken the epoch grows, and whoever writes with an older one is refused
//! ([`LayoutUpdate::held`](crate::LayoutUpdate::held), [`PlacementStore::record_save`]): a process that was silent for longer than
//! its lease, and does not know it, changes nothing.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Result, Timestamp};

/// Which saved positions of a layout count: those of a save that was recorded. 0 and 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SavedUnder {
    /// Epoch of the hold under which they were saved.
    pub epoch: i64,
    /// Number of the save.
    pub number: i64,
}

/// Who has a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// The member that has it; absent when it was given back. A member whose lease is over has it no more.
    pub holder: Option<Uuid>,
    /// How often it was taken.
    pub epoch: i64,
    /// Which saved positions count.
    pub saved: SavedUnder,
}

/// A layout that moved when it lost its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanRow {
    /// Identity of the layout.
    pub layout: Uuid,
    /// Id of its project.
    pub project: String,
    /// Id of its graph.
    pub graph: String,
    /// Id in the graph.
    pub id: String,
}

/// Keeps who has which layout. See the promises in the crate's documentation.
#[async_trait]
pub trait PlacementStore: Send + Sync {
    /// Who has a layout; nothing where nobody ever had it.
    async fn get_hold(&self, layout: Uuid) -> Result<Option<HoldRow>>;

    /// Takes a layout under a new epoch: one that nobody has, that `holder` has itself, or whose member's lease was over at
    /// `at`. `AlreadyExists` while another member has it, `NotFound` if there is no such layout.
    async fn take_hold(&self, layout: Uuid, holder: Uuid, at: Timestamp) -> Result<HoldRow>;

    /// Gives a layout back, and says whether it still moves. Nothing happens under an older epoch.
    async fn leave_hold(&self, layout: Uuid, epoch: i64, awake: bool) -> Result<()>;

    /// Makes the positions of a save the ones that count, and gives those that counted before. `Stale` if the layout was
    /// taken since `epoch`: then nothing has changed. `NotFound` if it was deleted.
    async fn record_save(&self, layout: Uuid, epoch: i64, number: i64, awake: bool) -> Result<SavedUnder>;

    /// Layouts that should be running, moved when they were saved last, and that nobody has, or a member whose lease was over at
    /// `at`: those after `after` by uid, at most `limit`.
    async fn orphans(&self, at: Timestamp, after: Uuid, limit: u32) -> Result<Vec<OrphanRow>>;
}
