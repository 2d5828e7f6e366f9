//! What this service refuses, and the status that a client gets for it.

use std::time::Duration;

use tonic::Status;
use weft_kit::Problem;
use weft_store::StoreError;

/// Why a call did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of the request is wrong.
    #[error("{field}: {problem}")]
    BadField {
        /// Path of the field.
        field: &'static str,
        /// What would be right.
        problem: String,
    },
    /// There is no such key.
    #[error("there is no API key {0}")]
    KeyNotFound(String),
    /// There is a key of that name already.
    #[error("there is an API key {0} already")]
    KeyExists(String),
    /// The caller holds less than what it wants to give away.
    #[error("{0}")]
    MoreThanHeld(String),
    /// The credential is not good.
    #[error("the {0} is unknown, expired, used or revoked")]
    BadCredential(&'static str),
    /// Renewed for as long as it may be.
    #[error("the session is over; sign in again")]
    SessionOver,
    /// There is no such secret.
    #[error("there is no secret {0}")]
    SecretNotFound(String),
    /// There is a secret of that name already.
    #[error("there is a secret {0} already")]
    SecretExists(String),
    /// The secret was sealed in another mesh.
    #[error("{0} was sealed in another mesh: set its value again")]
    SecretUnreadable(String),
    /// It has changed since it was read.
    #[error("{0} has changed since it was read")]
    EtagMismatch(String),
    /// The request id was used for another request.
    #[error("request_id: was used for another request")]
    RequestIdReused,
    /// Refused before it came here.
    #[error("{0:?}")]
    Problem(Problem),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored cannot be opened with the mesh key.
    #[error("the signing key {0} cannot be opened with this mesh key")]
    Unsealable(String),
}

impl Error {
    /// A field that is wrong and what would be right.
    pub(crate) fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Self::BadField { field, problem: problem.into() }
    }

    /// That a request id was used for another request, in the client's words.
    pub(crate) fn reused(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::RequestIdReused,
            error => error.into(),
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::BadField { field, problem } => Problem::bad_field(field, problem),
            Error::KeyNotFound(name) => Problem::not_found("API_KEY_NOT_FOUND", message).with("name", name),
            Error::KeyExists(name) => {
                Problem::already_exists("API_KEY_ALREADY_EXISTS", message).with("name", name)
            }
            Error::MoreThanHeld(_) => Problem::permission_denied("MORE_THAN_HELD", message),
            Error::BadCredential(_) => Problem::unauthenticated("CREDENTIAL_INVALID", message),
            Error::SessionOver => Problem::unauthenticated("SESSION_OVER", message),
            Error::SecretNotFound(name) => Problem::not_found("SECRET_NOT_FOUND", message).with("name", name),
            Error::SecretExists(name) => {
                Problem::already_exists("SECRET_ALREADY_EXISTS", message).with("name", name)
            }
            Error::SecretUnreadable(name) => {
                Problem::data_loss("SECRET_UNREADABLE", message).with("name", name)
            }
            Error::EtagMismatch(name) => Problem::aborted("ETAG_MISMATCH", message).with("name", name),
            Error::RequestIdReused => Problem::invalid_argument("REQUEST_ID_REUSED", message)
                .field("request_id", "was used for another request"),
            Error::Problem(problem) => problem,
            Error::Store(StoreError::Unavailable(source)) => {
                tracing::warn!(%source, "the store does not answer");
                Problem::unavailable("STORE_UNAVAILABLE", "the database does not answer")
                    .retry_after(Duration::from_secs(1))
            }
            Error::Store(StoreError::Invalid { field, reason }) => Problem::bad_field(field, reason),
            Error::Store(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(%error, "what is stored cannot be read");
                Problem::data_loss("STORE_CORRUPT", "what is stored cannot be read; it has been logged")
            }
            Error::Store(error) => {
                tracing::error!(%error, "the store failed");
                Problem::internal("STORE_FAILED", "a fault of the server; it has been logged")
            }
            Error::Unsealable(kid) => {
                tracing::error!(%kid, "a signing key cannot be opened with this mesh key");
                Problem::internal("SIGNING_KEY_SEALED", "a fault of the server; it has been logged")
            }
        }
        .into()
    }
}
