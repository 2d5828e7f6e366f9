//! What this service refuses, and the status that a client gets for it. `docs/errors/trigger.md` says what to do about
//! each.

use std::time::Duration;

use tonic::Status;
use weft_kit::{Problem, cursor::CursorError, filter::FilterError};
use weft_store::StoreError;

/// Why a call did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of the request is wrong.
    #[error("{field}: {problem}")]
    BadField {
        /// Path of the field.
        field: String,
        /// What would be right.
        problem: String,
    },
    /// A page token is not one of this list.
    #[error("page_token: {0}")]
    PageToken(#[from] CursorError),
    /// There is no such trigger.
    #[error("there is no trigger {0}")]
    NotFound(String),
    /// There is no such delivery, or not any more.
    #[error("there is no delivery {0}")]
    DeliveryNotFound(String),
    /// There is a trigger of that name already.
    #[error("there is a trigger {0} already")]
    Exists(String),
    /// The trigger has changed since it was read.
    #[error("{0} has changed since it was read")]
    EtagMismatch(String),
    /// A filter is wrong.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// A delivery cannot be redelivered.
    #[error("{name} cannot be redelivered: {message}")]
    NotAgain {
        /// A stable word.
        reason: &'static str,
        /// Why not.
        message: &'static str,
        /// The delivery.
        name: String,
    },
    /// The request id was used for another request.
    #[error("this request id was used for another request")]
    RequestIdReused,
    /// The trigger is of another kind than what is asked of it.
    #[error("{0}")]
    WrongKind(&'static str),
    /// A span of time has more ticks than may be made up for at once.
    #[error("there are more than {0} ticks in this span of time")]
    TooManyTicks(usize),
    /// Nothing is at that address.
    #[error("there is no webhook at this address")]
    UnknownToken,
    /// It comes too often; when to come again.
    #[error("too many requests: come again later")]
    TooOften(Duration),
    /// The trigger is paused.
    #[error("this webhook is paused")]
    Paused,
    /// A request is not from whom it should be.
    #[error("{message}")]
    NotVerified {
        /// A stable word.
        reason: &'static str,
        /// What is wrong, without a secret.
        message: &'static str,
        /// Whether a name and a password are asked for.
        basic: bool,
    },
    /// The body is larger than this webhook takes.
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    /// The body is of a kind that no webhook takes.
    #[error("the content may be application/json, application/x-www-form-urlencoded or text/plain")]
    ContentType,
    /// The process ends.
    #[error("this process is about to stop; connect again")]
    Draining,
    /// Refused before it came here, or by another service.
    #[error("{0:?}")]
    Status(Box<Status>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// A field that is wrong and what would be right.
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::BadField { field: field.into(), problem: problem.into() }
    }

    /// That there is no such trigger, or another version of it, in the client's words.
    pub(crate) fn of_trigger(full: &str) -> impl Fn(StoreError) -> Self {
        move |error| match error {
            StoreError::NotFound { .. } => Self::NotFound(full.to_owned()),
            StoreError::Stale { .. } => Self::EtagMismatch(full.to_owned()),
            StoreError::Conflict { .. } => Self::RequestIdReused,
            error => error.into(),
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Status::from(problem).into()
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::BadField { field, problem } => Problem::bad_field(field, problem),
            Error::PageToken(error) => Problem::bad_field("page_token", error.to_string()),
            Error::NotFound(name) => Problem::not_found("TRIGGER_NOT_FOUND", message).with("name", name),
            Error::DeliveryNotFound(name) => {
                Problem::not_found("DELIVERY_NOT_FOUND", message).with("name", name)
            }
            Error::Filter(error) => Problem::bad_field("filter", error.to_string()),
            Error::NotAgain { reason, name, .. } => {
                Problem::failed_precondition(reason, message).with("name", name)
            }
            Error::Exists(name) => {
                Problem::already_exists("TRIGGER_ALREADY_EXISTS", message).with("name", name)
            }
            Error::EtagMismatch(name) => Problem::aborted("ETAG_MISMATCH", message).with("name", name),
            Error::RequestIdReused => Problem::invalid_argument("REQUEST_ID_REUSED", message)
                .field("request_id", "was used for another request"),
            Error::WrongKind(_) => Problem::failed_precondition("WRONG_KIND_OF_TRIGGER", message),
            Error::TooManyTicks(limit) => Problem::invalid_argument("TOO_MANY_TICKS", message)
                .with("limit", limit)
                .field("end_time", format!("there are more than {limit} ticks before it")),
            Error::UnknownToken => Problem::not_found("WEBHOOK_NOT_FOUND", message),
            Error::TooOften(wait) => {
                Problem::resource_exhausted("WEBHOOK_TOO_OFTEN", message).retry_after(wait)
            }
            Error::Paused => Problem::failed_precondition("WEBHOOK_PAUSED", message),
            Error::NotVerified { reason, basic, .. } => {
                let mut status: Status = Problem::unauthenticated(reason, message).into();
                let scheme = if basic { "Basic realm=\"webhook\", charset=\"UTF-8\"" } else { "Signature" };
                status
                    .metadata_mut()
                    .insert("www-authenticate", tonic::metadata::MetadataValue::from_static(scheme));
                return status;
            }
            Error::TooLarge(limit) => {
                Problem::new(tonic::Code::OutOfRange, "WEBHOOK_TOO_LARGE", message).with("limit_bytes", limit)
            }
            Error::ContentType => Problem::unimplemented("WEBHOOK_CONTENT_TYPE", message),
            Error::Draining => Problem::unavailable("DRAINING", message).retry_after(Duration::from_secs(1)),
            Error::Status(status) => return *status,
            Error::Store(StoreError::Unavailable(source)) => {
                tracing::warn!(%source, "the store does not answer");
                Problem::unavailable("STORE_UNAVAILABLE", "the database does not answer")
                    .retry_after(Duration::from_secs(1))
            }
            Error::Store(error) => {
                tracing::error!(%error, "the store failed");
                Problem::internal("STORE_FAILED", "a fault of the server; it has been logged")
            }
        }
        .into()
    }
}
