//! Where command types are kept. Commands themselves are jobs ([`crate::jobs`]).

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// A command type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTypeRow {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// The command service's encoding of what it is.
    pub settings: Bytes,
    /// Counts its changes, from 1: the number behind its etag.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// A command type to be created.
#[derive(Clone, Debug)]
pub struct NewCommandType {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// What it is. At most [`crate::MAX_PART_BYTES`].
    pub settings: Bytes,
    /// When.
    pub at: Timestamp,
}

/// A command type as it should be.
#[derive(Clone, Debug)]
pub struct CommandTypeUpdate {
    /// Identity of the type.
    pub uid: Uuid,
    /// The version that the change is based on.
    pub expected_version: i64,
    /// What it is from now on.
    pub settings: Bytes,
    /// When.
    pub at: Timestamp,
}

/// Keeps command types. See the promises in the crate's documentation.
#[async_trait]
pub trait CommandStore: Requests {
    /// Creates a type. `AlreadyExists` if the id is taken in the project.
    async fn create_command_type(
        &self,
        command_type: NewCommandType,
        remember: Option<Remember>,
    ) -> Result<Written<CommandTypeRow>>;

    /// The type of that name.
    async fn get_command_type(&self, project: &str, id: &str) -> Result<CommandTypeRow>;

    /// Types of a project by id: those after `after` (all when empty), at most `limit`.
    async fn list_command_types(&self, project: &str, after: &str, limit: u32)
    -> Result<Vec<CommandTypeRow>>;

    /// Changes a type. `Stale` if `expected_version` is not the type's.
    async fn update_command_type(&self, update: CommandTypeUpdate) -> Result<CommandTypeRow>;

    /// Deletes a type. `Stale` if `expected_version` is given and not the type's.
    async fn delete_command_type(&self, project: &str, id: &str, expected_version: Option<i64>)
    -> Result<()>;
}
