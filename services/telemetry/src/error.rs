//! What this service refuses, and the status that a client gets for it. `docs/errors/telemetry.md` says
//! what to do about each.

use std::time::Duration;

use tonic::Status;
use weft_kit::{Problem, cursor::CursorError};
use weft_series::promql::Failure;
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
    /// A page token is not one of this list.
    #[error("page_token: {0}")]
    PageToken(#[from] CursorError),
    /// A query has no answer.
    #[error("{0}")]
    Query(#[from] Failure),
    /// What was sent cannot be read as what it is said to be.
    #[error("the samples cannot be read: {0}")]
    Samples(String),
    /// What was sent is too large when it is unpacked.
    #[error("the samples take more than {0} bytes when they are unpacked")]
    TooLarge(usize),
    /// All of the samples were refused, because the project has as many series as it may.
    #[error("the project may have {0} series")]
    TooManySeries(usize),
    /// What was sent cannot be read as logs or spans.
    #[error("the export cannot be read: {0}")]
    Export(String),
    /// The project sends logs and spans faster than it may.
    #[error("the project may send {limit} bytes of logs and spans a second")]
    TooFast {
        /// Bytes a second.
        limit: u64,
        /// When it may be tried again.
        wait: Duration,
    },
    /// No span of this trace is kept.
    #[error("there is no {0}")]
    TraceNotFound(String),
    /// The caller may not report for this source.
    #[error("{0} may not report for {1}")]
    NotTheSource(String, String),
    /// A message of a stream came when it may not.
    #[error("{0}")]
    OutOfTurn(&'static str),
    /// There is no such rule or silence.
    #[error("there is no {0}")]
    NotFound(String),
    /// Its name is taken.
    #[error("there is {0} already")]
    Exists(String),
    /// It has changed since.
    #[error("{0} has changed since")]
    EtagMismatch(String),
    /// A request id was used for another request.
    #[error("this request id was used for another request")]
    RequestIdReused,
    /// A webhook has an address that may not be called.
    #[error("the webhook cannot be told: {0}")]
    WebhookRefused(String),
    /// The project has as many rules, or silences, as it may.
    #[error("a project may have {0} of them")]
    TooManyRules(u32),
    /// The log is read, or is another process's.
    #[error("the samples are not ready; try again")]
    NotReady,
    /// The process ends.
    #[error("this process is about to stop; connect again")]
    Draining,
    /// Refused before it came here.
    #[error("{0:?}")]
    Status(Box<Status>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// That a request id was used for another request, in the client's words.
    pub(crate) fn reused(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::RequestIdReused,
            error => error.into(),
        }
    }

    /// A field that is wrong and what would be right.
    pub(crate) fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Self::BadField { field, problem: problem.into() }
    }

    /// That there is no such rule or silence, in the client's words.
    pub(crate) fn of_setting(full: &str) -> impl Fn(StoreError) -> Self {
        move |error| match error {
            StoreError::NotFound { .. } => Self::NotFound(full.to_owned()),
            StoreError::Stale { .. } => Self::EtagMismatch(full.to_owned()),
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
            Error::Query(failure) => query(&failure, message),
            Error::Samples(_) => {
                Problem::invalid_argument("SAMPLES_INVALID", message).field("content", "cannot be read")
            }
            Error::TooLarge(limit) => Problem::invalid_argument("SAMPLES_TOO_LARGE", message)
                .with("limit_bytes", limit)
                .field("content", "is too large when it is unpacked"),
            Error::TooManySeries(limit) => Problem::resource_exhausted("TOO_MANY_SERIES", message)
                .with("limit", limit)
                .quota("series of the project", format!("at most {limit}")),
            Error::Export(_) => {
                Problem::invalid_argument("EXPORT_INVALID", message).field("content", "cannot be read")
            }
            Error::TooFast { limit, wait } => Problem::resource_exhausted("EVENT_RATE_EXCEEDED", message)
                .with("limit_bytes_per_second", limit)
                .quota("logs and spans of the project", format!("at most {limit} bytes a second"))
                .retry_after(wait),
            Error::TraceNotFound(name) => Problem::not_found("TRACE_NOT_FOUND", message).with("name", name),
            Error::NotTheSource(_, source) => {
                Problem::permission_denied("NOT_THE_SOURCE", message).with("source", source)
            }
            Error::OutOfTurn(_) => Problem::invalid_argument("OUT_OF_TURN", message),
            Error::NotFound(name) => {
                Problem::not_found("ALERT_SETTING_NOT_FOUND", message).with("name", name)
            }
            Error::Exists(name) => {
                Problem::already_exists("ALERT_SETTING_EXISTS", message).with("name", name)
            }
            Error::EtagMismatch(name) => Problem::aborted("ETAG_MISMATCH", message).with("name", name),
            Error::RequestIdReused => Problem::invalid_argument("REQUEST_ID_REUSED", message)
                .field("request_id", "was used for another request"),
            Error::WebhookRefused(problem) => Problem::invalid_argument("WEBHOOK_REFUSED", message)
                .field("alert_rule.webhooks.url", problem),
            Error::TooManyRules(limit) => Problem::resource_exhausted("TOO_MANY_ALERT_SETTINGS", message)
                .with("limit", limit)
                .quota("rules or silences of the project", format!("at most {limit}")),
            Error::NotReady => {
                Problem::unavailable("TELEMETRY_NOT_READY", message).retry_after(Duration::from_millis(500))
            }
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

fn query(failure: &Failure, message: String) -> Problem {
    match failure {
        Failure::Query(reason) => {
            Problem::invalid_argument("QUERY_INVALID", message).field("query", reason.clone())
        }
        Failure::TooMuch { what, most } => Problem::resource_exhausted("QUERY_TOO_LARGE", message)
            .with("limit", most)
            .with("what", what)
            .quota("one query", format!("at most {most} {what}")),
        Failure::TooLong => Problem::new(tonic::Code::DeadlineExceeded, "QUERY_TOO_SLOW", message),
        other => {
            tracing::error!(error = %other, "a query failed");
            Problem::internal("QUERY_FAILED", "a fault of the server; it has been logged")
        }
    }
}
