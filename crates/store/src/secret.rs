//! Where secrets are kept: sealed by the identity service before they come here, so that no database, backup or
//! replica has one in clear.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// A secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRow {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// The identity service's encoding of what it says of the value.
    pub settings: Bytes,
    /// Counts its changes, from 1: the number behind its etag.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed.
    pub updated: Timestamp,
}

/// A secret to be created.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// What is said of the value. At most [`crate::MAX_PART_BYTES`].
    pub settings: Bytes,
    /// The value, sealed. At most [`crate::MAX_PART_BYTES`].
    pub sealed: Bytes,
    /// When.
    pub at: Timestamp,
}

/// A secret as it should be.
#[derive(Clone, Debug)]
pub struct SecretUpdate {
    /// Its identity.
    pub uid: Uuid,
    /// The version that the change is based on.
    pub expected_version: i64,
    /// What is said of the value from now on.
    pub settings: Bytes,
    /// Another value, sealed; the one before stays where none is given.
    pub sealed: Option<Bytes>,
    /// When.
    pub at: Timestamp,
}

/// The value of a secret, and what decides whether it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// Identity of the secret.
    pub uid: Uuid,
    /// What is said of the value.
    pub settings: Bytes,
    /// The value, sealed.
    pub sealed: Bytes,
}

/// Keeps secrets. See the promises in the crate's documentation.
#[async_trait]
pub trait SecretStore: Requests {
    /// Creates a secret. `AlreadyExists` if the id is taken in the project.
    async fn create_secret(
        &self,
        secret: NewSecret,
        remember: Option<Remember>,
    ) -> Result<Written<SecretRow>>;

    /// The one of that name.
    async fn get_secret(&self, project: &str, id: &str) -> Result<SecretRow>;

    /// Those of a project by id: after `after` (all when empty), at most `limit`.
    async fn list_secrets(&self, project: &str, after: &str, limit: u32) -> Result<Vec<SecretRow>>;

    /// The value of the one of that name.
    async fn sealed_secret(&self, project: &str, id: &str) -> Result<SealedSecret>;

    /// Changes one. `Stale` if `expected_version` is not its version.
    async fn update_secret(&self, update: SecretUpdate) -> Result<SecretRow>;

    /// Deletes one with its value. `Stale` if `expected_version` is given and not its version.
    async fn delete_secret(&self, project: &str, id: &str, expected_version: Option<i64>) -> Result<()>;
}
