//! What steps gave, kept for those that would do the same again.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Result, Timestamp};

/// What a step gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptResult {
    /// Id of its project.
    pub project: String,
    /// Whose steps may have it: a node of a graph, or all that give the same name.
    pub area: String,
    /// Tells what was asked.
    pub digest: [u8; 32],
    /// The owner's encoding of the value. At most [`crate::MAX_PART_BYTES`].
    pub bytes: Bytes,
    /// Name of the execution whose step it was.
    pub maker: String,
    /// When it was kept.
    pub made: Timestamp,
    /// Until when it is good.
    pub expires: Timestamp,
}

/// Which results of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Areas<'a> {
    /// All.
    All,
    /// Those of this area.
    One(&'a str),
    /// Those of areas that begin so.
    Below(&'a str),
}

impl<'a> Areas<'a> {
    /// The one area, and what areas begin with: nothing where that does not matter.
    pub fn parts(self) -> (Option<&'a str>, Option<&'a str>) {
        match self {
            Self::All => (None, None),
            Self::One(area) => (Some(area), None),
            Self::Below(beginning) => (None, Some(beginning)),
        }
    }
}

/// How much a project may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MostKept {
    /// So many results.
    pub count: i64,
    /// So many bytes of them together.
    pub bytes: i64,
}

/// Keeps what steps gave. See the promises in the crate's documentation.
#[async_trait]
pub trait KeptResultStore: Send + Sync {
    /// The result that is good at an instant, if there is one.
    async fn get_result(
        &self,
        project: &str,
        area: &str,
        digest: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<KeptResult>>;

    /// Keeps a result, in place of one that was asked for the same. What the project has beyond `most` is forgotten, the
    /// oldest first.
    async fn put_result(&self, result: KeptResult, most: MostKept) -> Result<()>;

    /// Forgets results that are good no more at an instant, at most `limit`; says how many.
    async fn forget_results(&self, now: Timestamp, limit: u32) -> Result<u64>;

    /// Forgets results of a project; says how many.
    async fn purge_results(&self, project: &str, areas: Areas<'_>) -> Result<u64>;
}
