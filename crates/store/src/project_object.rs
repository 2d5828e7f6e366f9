//! Where it is kept which objects a project has. Their bytes are in [`crate::objects`], under the identity of their
//! content: a write puts them there first, and then turns the row to them.
//!
//! What no row has (yet, or any more) is *loose*: it is noted before its bytes are written, so that what a process
//! leaves behind when it dies is found and removed. Until it is, it counts to what its project may have.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Result, Timestamp};

/// An object of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectObjectRow {
    /// Identity that is never used again.
    pub uid: Uuid,
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// Identity of its content.
    pub content: Uuid,
    /// Bytes of the content.
    pub size: i64,
    /// The owner's encoding of what else it says of it.
    pub settings: Bytes,
    /// Counts its writes, from 1: the number behind its etag.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was written.
    pub updated: Timestamp,
}

/// An object as it should be.
#[derive(Clone, Debug)]
pub struct NewProjectObject {
    /// A fresh identity, for the case that there is none of that name.
    pub uid: Uuid,
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// Identity of its content, which was noted as loose.
    pub content: Uuid,
    /// Bytes of the content.
    pub size: i64,
    /// What else is said of it. At most [`crate::MAX_PART_BYTES`].
    pub settings: Bytes,
    /// What must be there for it to be written.
    pub only: Only,
    /// Most objects of the project, with this one.
    pub most_objects: i64,
    /// Most bytes that are stored for the project, with this one and with what is loose.
    pub most_bytes: i64,
    /// When.
    pub at: Timestamp,
    /// From when on the content that it replaces may be removed.
    pub loose_from: Timestamp,
}

/// Content that no object has yet.
#[derive(Clone, Debug)]
pub struct LooseContent {
    /// Its identity, which no other content ever had.
    pub content: Uuid,
    /// Id of the project whose object it is to be.
    pub project: String,
    /// Bytes of it that are about to be there.
    pub size: i64,
    /// Most bytes that are stored for the project, with these and with what else is loose.
    pub most_bytes: i64,
    /// From when on it may be removed.
    pub from: Timestamp,
}

/// What must be there for an object to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Whatever is there.
    Always,
    /// There is none of that name.
    IfAbsent,
    /// There is one with this version.
    IfVersion(i64),
}

/// What has become of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutObject {
    /// It is there.
    Done(ProjectObjectRow),
    /// The project would have more objects than it may.
    TooMany,
    /// More bytes would be stored for the project than may be.
    TooLarge,
}

/// Keeps which objects projects have. See the promises in the crate's documentation.
#[async_trait]
pub trait ProjectObjectStore: Send + Sync {
    /// Notes content of which so much is about to be written, or that more of it is; it may be removed from an instant
    /// on, unless a row has it by then. `false` where more bytes would be stored for the project than may be: nothing
    /// changes then.
    async fn note_loose_content(&self, content: LooseContent) -> Result<bool>;

    /// Changes from when on content may be removed. `false` where it is not noted (any more), as none is that a row has:
    /// so whoever does not know whether its object was written can ask for its removal and harms nothing.
    async fn reschedule_loose_content(&self, content: Uuid, from: Timestamp) -> Result<bool>;

    /// Turns a row to its content, which is loose no more; what it replaces is from then on. `AlreadyExists`, `NotFound`
    /// and `Stale` where `only` does not hold; `Conflict` if the content is not noted (any more). Nothing changes then.
    async fn put_object(&self, object: NewProjectObject) -> Result<PutObject>;

    /// The one of that name.
    async fn get_object(&self, project: &str, id: &str) -> Result<ProjectObjectRow>;

    /// Those of a project by id whose ids begin with `prefix`: after `after` (all when empty), at most `limit`.
    async fn list_objects(
        &self,
        project: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ProjectObjectRow>>;

    /// Deletes one; its content may be removed from an instant on. `Stale` if `expected_version` is given and not its
    /// version.
    async fn delete_object(
        &self,
        project: &str,
        id: &str,
        expected_version: Option<i64>,
        loose_from: Timestamp,
    ) -> Result<()>;

    /// Content that may be removed at an instant and that no row has, the longest due first, at most `limit`.
    async fn loose_contents(&self, at: Timestamp, limit: u32) -> Result<Vec<Uuid>>;

    /// Forgets content that was removed.
    async fn forget_content(&self, content: Uuid) -> Result<()>;
}
