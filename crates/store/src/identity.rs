//! Where credentials are kept: digests of API keys, sealed signing keys, one-use tickets. Never a secret.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// What it is for.
    pub display_name: String,
    /// A `weft.identity.v1.Role`.
    pub role: i32,
    /// Areas and verbs that it is narrowed to; empty: not narrowed.
    pub scopes: Vec<String>,
    /// SHA-256 of the secret.
    pub digest: [u8; 32],
    /// When it was created.
    pub created: Timestamp,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// When it was used last.
    pub last_used: Option<Timestamp>,
    /// Who created it: a resource name.
    pub creator: String,
}

/// An API key to be created.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// What it is for.
    pub display_name: String,
    /// A `weft.identity.v1.Role`.
    pub role: i32,
    /// Areas and verbs that it is narrowed to.
    pub scopes: Vec<String>,
    /// SHA-256 of the secret; no two keys have the same.
    pub digest: [u8; 32],
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
    /// Who creates it: a resource name.
    pub creator: String,
}

/// That a key was used.
#[derive(Clone, Copy, Debug)]
pub struct KeyUse {
    /// Identity of the key.
    pub uid: Uuid,
    /// When.
    pub at: Timestamp,
}

/// A key that signs access tokens, or did.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// Key id, as in a token's header.
    pub kid: String,
    /// The private key, sealed by the identity service.
    pub private: Bytes,
    /// The public key.
    pub public: Bytes,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it signs nothing new.
    pub retired: Option<Timestamp>,
}

impl std::fmt::Debug for SigningKeyRow {
    /// Leaves the private key out, sealed as it is: rows end up in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeyRow")
            .field("kid", &self.kid)
            .field("created", &self.created)
            .field("retired", &self.retired)
            .finish_non_exhaustive()
    }
}

/// A signing key to be kept.
#[derive(Clone)]
pub struct NewSigningKey {
    /// Key id; no two keys have the same.
    pub kid: String,
    /// The private key, sealed by the identity service.
    pub private: Bytes,
    /// The public key.
    pub public: Bytes,
    /// When.
    pub at: Timestamp,
}

impl std::fmt::Debug for NewSigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSigningKey").field("kid", &self.kid).field("at", &self.at).finish_non_exhaustive()
    }
}

/// A ticket to be kept.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// SHA-256 of the secret; no two tickets have the same.
    pub digest: [u8; 32],
    /// Whom it stands for, as the identity service encodes it.
    pub principal: Bytes,
    /// From when on it is refused.
    pub expires: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// An attempt to use a ticket.
#[derive(Clone, Copy, Debug)]
pub struct Redemption {
    /// SHA-256 of the secret.
    pub digest: [u8; 32],
    /// When.
    pub at: Timestamp,
    /// Id of the request. A repeat with the same id within a minute of the first use gets the same answer.
    pub request_id: Option<Uuid>,
}

/// Keeps credentials. See the promises in the crate's documentation.
#[async_trait]
pub trait IdentityStore: Requests {
    /// Creates an API key. `AlreadyExists` if its id or its digest is taken.
    async fn create_api_key(&self, key: NewApiKey, remember: Option<Remember>) -> Result<Written<ApiKeyRow>>;

    /// The key of that name.
    async fn get_api_key(&self, project: &str, id: &str) -> Result<ApiKeyRow>;

    /// The key whose secret has this digest, revoked and expired ones too.
    async fn api_key_by_digest(&self, digest: &[u8; 32]) -> Result<ApiKeyRow>;

    /// Keys of a project by id, those after `after` (all when empty), at most `limit`.
    async fn list_api_keys(&self, project: &str, after: &str, limit: u32) -> Result<Vec<ApiKeyRow>>;

    /// Revokes a key. One that is revoked stays as it is.
    async fn revoke_api_key(&self, project: &str, id: &str, at: Timestamp) -> Result<ApiKeyRow>;

    /// Notes when keys were used; earlier uses than the one noted, and keys that are gone, change nothing.
    async fn touch_api_keys(&self, uses: &[KeyUse]) -> Result<()>;

    /// All signing keys, retired ones too, newest first.
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRow>>;

    /// The key that signs now: the newest that is not retired, or else the candidate, which is then kept.
    /// Several processes that start on an empty database get the same one.
    async fn ensure_signing_key(&self, candidate: NewSigningKey) -> Result<SigningKeyRow>;

    /// Adds a signing key and retires all others, as one. `AlreadyExists` if the id is taken.
    async fn rotate_signing_key(
        &self,
        key: NewSigningKey,
        remember: Option<Remember>,
    ) -> Result<Written<SigningKeyRow>>;

    /// Retires a signing key. One that is retired stays as it is.
    async fn retire_signing_key(&self, kid: &str, at: Timestamp) -> Result<SigningKeyRow>;

    /// Removes signing keys that were retired before an instant, when no token of theirs can be good any more.
    async fn forget_signing_keys(&self, retired_before: Timestamp) -> Result<u64>;

    /// Keeps a ticket. `AlreadyExists` if its digest is taken.
    async fn add_ticket(&self, ticket: NewTicket, remember: Option<Remember>) -> Result<Written<()>>;

    /// Uses a ticket up, and gives whom it stands for. `NotFound` if there is none or it has expired;
    /// `Conflict` if it was used, unless this is a repeat.
    async fn redeem_ticket(&self, redemption: Redemption) -> Result<Bytes>;

    /// Removes tickets that expired before an instant, at most `limit`, and says how many.
    async fn purge_tickets(&self, expired_before: Timestamp, limit: u32) -> Result<u64>;
}
