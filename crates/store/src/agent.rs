//! Where the fleet is kept: its agents, with what the agent service knows of them, and the tokens that they
//! join with.
//!
//! Every change of an agent takes the next number of one row, the fleet's revision, and holds that row until
//! it is on disk: so whoever reads the agents after a revision misses none. Where an agent is now is kept, and
//! not how it came there; one that was removed stays for a while without its content, so that followers learn
//! of it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// An enrolment token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrollmentTokenRow {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// What it is for.
    pub display_name: String,
    /// SHA-256 of the secret.
    pub digest: [u8; 32],
    /// How many agents may join with it.
    pub max_uses: i32,
    /// How many have.
    pub use_count: i32,
    /// Labels of agents that join with it.
    pub labels: BTreeMap<String, String>,
    /// When it was created.
    pub created: Timestamp,
    /// From when on it is refused.
    pub expires: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// Who created it: a resource name.
    pub creator: String,
}

/// An enrolment token to be created.
#[derive(Clone, Debug)]
pub struct NewEnrollmentToken {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// What it is for.
    pub display_name: String,
    /// SHA-256 of the secret; no two tokens have the same.
    pub digest: [u8; 32],
    /// How many agents may join with it; at least 1.
    pub max_uses: i32,
    /// Labels of agents that join with it.
    pub labels: BTreeMap<String, String>,
    /// When.
    pub at: Timestamp,
    /// From when on it is refused.
    pub expires: Timestamp,
    /// Who creates it: a resource name.
    pub creator: String,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// Its public key.
    pub public_key: [u8; 32],
    /// Identity of the token that it joined with.
    pub token_uid: Uuid,
    /// The fleet's revision at which it changed last.
    pub revision: i64,
    /// The agent service's encoding of the rest; empty once it is removed.
    pub record: Bytes,
    /// When something was heard from it last, to some minutes.
    pub last_seen: Option<Timestamp>,
    /// When it joined.
    pub created: Timestamp,
    /// When it was removed.
    pub deleted: Option<Timestamp>,
}

/// An agent that joins.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// SHA-256 of its enrolment token's secret.
    pub token_digest: [u8; 32],
    /// Id of the token's project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// Its public key; no two agents that are there have the same.
    pub public_key: [u8; 32],
    /// The agent service's encoding of the rest. At most [`crate::MAX_PART_BYTES`].
    pub record: Bytes,
    /// When.
    pub at: Timestamp,
}

/// A change of an agent.
#[derive(Clone, Debug)]
pub struct AgentUpdate {
    /// Identity of the agent.
    pub uid: Uuid,
    /// The revision that the change is based on.
    pub expected_revision: i64,
    /// The agent service's encoding as it is from now on. At most [`crate::MAX_PART_BYTES`].
    pub record: Bytes,
    /// When something was heard from the agent last, where that is later than what is kept.
    pub last_seen: Option<Timestamp>,
    /// A document that is kept with the change, in place of the one of its kind.
    pub document: Option<AgentDocument>,
}

/// Something large that is kept of an agent beside its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentDocument {
    /// Which of the agent's it is.
    pub kind: &'static str,
    /// What it says. At most [`crate::MAX_PART_BYTES`].
    pub content: Bytes,
}

/// That something was heard from an agent.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Identity of the agent.
    pub uid: Uuid,
    /// When.
    pub at: Timestamp,
}

/// How far the fleet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// The newest revision; 0 before the first agent.
    pub revision: i64,
    /// Removals up to this revision are forgotten: whoever follows from an earlier one must begin anew.
    pub forgotten: i64,
}

/// Keeps the fleet. See the promises in the crate's documentation.
#[async_trait]
pub trait AgentStore: Requests {
    /// Creates an enrolment token. `AlreadyExists` if its id or its digest is taken.
    async fn create_enrollment_token(
        &self,
        token: NewEnrollmentToken,
        remember: Option<Remember>,
    ) -> Result<Written<EnrollmentTokenRow>>;

    /// The token whose secret has this digest, revoked, expired and used ones too.
    async fn enrollment_token_by_digest(&self, digest: &[u8; 32]) -> Result<EnrollmentTokenRow>;

    /// Tokens of a project by id, those after `after` (all when empty), at most `limit`.
    async fn list_enrollment_tokens(
        &self,
        project: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<EnrollmentTokenRow>>;

    /// Revokes a token. One that is revoked stays as it is.
    async fn revoke_enrollment_token(
        &self,
        project: &str,
        id: &str,
        at: Timestamp,
    ) -> Result<EnrollmentTokenRow>;

    /// Removes tokens that expired before an instant, at most `limit`, and says how many.
    async fn purge_enrollment_tokens(&self, expired_before: Timestamp, limit: u32) -> Result<u64>;

    /// Lets an agent join, and counts a use of its token, as one. The token is no other project's; `NotFound`
    /// if there is none, or it is expired or revoked, `Conflict` if it is used up. `AlreadyExists` with "agent"
    /// if the id is taken, with "agent key" if another agent has the key. An agent with this key that joined
    /// with this token before is given as it is, and nothing is counted, whatever has become of the token.
    async fn enroll_agent(&self, agent: NewAgent) -> Result<AgentRow>;

    /// Agents of all projects that changed after a revision, removed ones too, by revision, at most `limit`.
    async fn agents_after(&self, revision: i64, limit: u32) -> Result<Vec<AgentRow>>;

    /// How far the fleet is.
    async fn fleet(&self) -> Result<Fleet>;

    /// Changes an agent, and keeps a document of it, as one. `Stale` if it is at another revision, `NotFound` if it is gone.
    async fn update_agent(&self, update: AgentUpdate) -> Result<AgentRow>;

    /// A document of an agent: none where none of that kind was kept, or the agent is gone.
    async fn agent_document(&self, uid: Uuid, kind: &str) -> Result<Option<Bytes>>;

    /// Removes an agent and its documents: its id and its key are free. `Stale` if it is at another revision,
    /// `NotFound` if it is gone.
    async fn delete_agent(&self, uid: Uuid, expected_revision: i64, at: Timestamp) -> Result<AgentRow>;

    /// Notes when agents were heard; earlier times than the one noted, and agents that are gone, change
    /// nothing. Makes no revision.
    async fn touch_agents(&self, seen: &[Seen]) -> Result<()>;

    /// Forgets agents that were removed before an instant, at most `limit`, and says how many.
    async fn purge_agents(&self, deleted_before: Timestamp, limit: u32) -> Result<u64>;
}
