//! The processes of a service that share its work: who is there, and where they are reached.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Result, Timestamp};

/// A process of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// Identity of this life of the process.
    pub uid: Uuid,
    /// Where others reach it, for example `http://10.0.0.7:8080`.
    pub address: String,
    /// It gives away what it has, and takes nothing else.
    pub draining: bool,
}

/// Keeps which processes there are. What a member has counts for as long as its lease. See the promises in the crate's
/// documentation.
#[async_trait]
pub trait MemberStore: Send + Sync {
    /// Writes a member of a service with its lease, forgets those of the service whose lease was over at `at`, and gives all that
    /// are left, by uid. A member that was forgotten may come back; what it had may have been taken meanwhile.
    async fn keep_member(
        &self,
        service: &str,
        member: MemberRow,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MemberRow>>;

    /// Forgets a member, so that nobody waits for the end of its lease.
    async fn remove_member(&self, uid: Uuid) -> Result<()>;
}
