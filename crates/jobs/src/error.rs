//! Why the engine does not do what it is asked.

use weft_store::StoreError;

/// What the engine refuses and fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobsError {
    /// There is no such batch, or job, or it has ended.
    #[error("there is no such batch of jobs that has not ended")]
    NotFound,
    /// The name is taken in its project.
    #[error("the name is taken")]
    NameTaken,
    /// The request id was used for another request.
    #[error("the request id was used for another request")]
    RequestReused,
    /// As many jobs are queued as may be.
    #[error("at most {limit} jobs may be queued")]
    Full {
        /// How many.
        limit: usize,
    },
    /// The engine is not ready, has failed, or another process has the shard. Trying again helps.
    #[error("the job engine is not ready")]
    NotReady,
    /// The store failed, or could not keep what was asked ([`StoreError::Invalid`]).
    #[error("the store failed")]
    Store(#[from] StoreError),
}
