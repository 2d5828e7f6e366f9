//! What this service refuses, and the status that a client gets for it. `docs/errors/command.md` says
//! what to do about each.

use std::time::Duration;

use tonic::Status;
use weft_jobs::JobsError;
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
        field: &'static str,
        /// What would be right.
        problem: String,
    },
    /// Arguments do not follow the schema of their type: fields, and what is wrong with each.
    #[error("{}", first(violations))]
    BadArguments {
        /// Last part of the type's name.
        command_type: String,
        /// Path and problem.
        violations: Vec<(String, String)>,
    },
    /// A filter cannot be read.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// A page token is not one of this list.
    #[error("page_token: {0}")]
    PageToken(#[from] CursorError),
    /// There is no such command, or not any more.
    #[error("there is no command {0}")]
    CommandNotFound(String),
    /// There is a command of that name already.
    #[error("there is a command {0} already")]
    CommandExists(String),
    /// The command has no such target.
    #[error("there is no target {0}")]
    TargetNotFound(String),
    /// There is no such command type.
    #[error("there is no command type {0}")]
    TypeNotFound(String),
    /// There is a command type of that name already.
    #[error("there is a command type {0} already")]
    TypeExists(String),
    /// The type ships with the mesh.
    #[error("{0} ships with the mesh, and cannot be changed")]
    BuiltIn(String),
    /// Nobody is asked whether the command may start.
    #[error("a command of this type waits for nobody")]
    ApprovalNotRequired,
    /// Whoever created a command cannot let it start.
    #[error("the command is your own: a second person decides")]
    OwnCommand,
    /// Somebody has decided otherwise, or before.
    #[error("{decider} has decided already")]
    AlreadyDecided {
        /// Who.
        decider: String,
    },
    /// The command has ended before anybody had decided.
    #[error("{0} has ended")]
    CommandEnded(String),
    /// The command goes on.
    #[error("{0} has not ended")]
    CommandNotEnded(String),
    /// All targets ended well, or their agents are not there any more.
    #[error("no target of {0} failed whose agent is still in the fleet")]
    NothingToRetry(String),
    /// One of the agents that are named is not there.
    #[error("there is no agent {0}")]
    AgentNotFound(String),
    /// No agent matches the filter.
    #[error("no agent matches the filter")]
    NoAgents,
    /// More agents match than a command may have.
    #[error("{0} agents match; a command may be for 10,000")]
    TooManyAgents(i64),
    /// As many targets wait as may.
    #[error("at most {0} targets may wait")]
    QueueFull(usize),
    /// The type was changed since the client read it.
    #[error("{0} was changed since it was read")]
    EtagMismatch(String),
    /// The request id was used for another request.
    #[error("request_id: was used for another request")]
    RequestIdReused,
    /// A message of a stream came when it may not.
    #[error("{0}")]
    OutOfTurn(&'static str),
    /// Another process has the commands, or the job engine has just begun.
    #[error("the job engine is not ready; try again")]
    NotReady,
    /// The process ends.
    #[error("this process is about to stop; connect again")]
    Draining,
    /// Refused before it came here.
    #[error("{0:?}")]
    Problem(Problem),
    /// Another service, or the way of a message, refused.
    #[error(transparent)]
    Status(Box<Status>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The first of them, as a wrong field is told; the others are in the details.
fn first(violations: &[(String, String)]) -> String {
    violations.first().map(|(field, problem)| format!("{field}: {problem}")).unwrap_or_default()
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<JobsError> for Error {
    fn from(error: JobsError) -> Self {
        match error {
            JobsError::RequestReused => Self::RequestIdReused,
            JobsError::Full { limit } => Self::QueueFull(limit),
            JobsError::Store(error) => Self::Store(error),
            JobsError::NotFound => Self::Store(StoreError::NotFound { what: "command" }),
            _ => Self::NotReady,
        }
    }
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
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::BadField { field, problem } => Problem::bad_field(field, problem),
            Error::BadArguments { command_type, violations } => {
                let problem = Problem::invalid_argument("ARGUMENTS_INVALID", message)
                    .with("command_type", command_type);
                violations.into_iter().fold(problem, |problem, (field, what)| problem.field(field, what))
            }
            Error::Filter(error) => Problem::bad_field("filter", error.to_string()),
            Error::PageToken(error) => Problem::bad_field("page_token", error.to_string()),
            Error::CommandNotFound(name) => {
                Problem::not_found("COMMAND_NOT_FOUND", message).with("name", name)
            }
            Error::CommandExists(name) => {
                Problem::already_exists("COMMAND_ALREADY_EXISTS", message).with("name", name)
            }
            Error::TargetNotFound(name) => Problem::not_found("TARGET_NOT_FOUND", message).with("name", name),
            Error::TypeNotFound(name) => {
                Problem::not_found("COMMAND_TYPE_NOT_FOUND", message).with("name", name)
            }
            Error::TypeExists(name) => {
                Problem::already_exists("COMMAND_TYPE_ALREADY_EXISTS", message).with("name", name)
            }
            Error::BuiltIn(name) => {
                Problem::failed_precondition("COMMAND_TYPE_BUILT_IN", message).with("name", name)
            }
            Error::ApprovalNotRequired => Problem::failed_precondition("APPROVAL_NOT_REQUIRED", message),
            Error::OwnCommand => Problem::permission_denied("OWN_COMMAND", message),
            Error::AlreadyDecided { decider } => {
                Problem::failed_precondition("ALREADY_DECIDED", message).with("decider", decider)
            }
            Error::CommandEnded(name) => {
                Problem::failed_precondition("COMMAND_ENDED", message).with("name", name)
            }
            Error::CommandNotEnded(name) => {
                Problem::failed_precondition("COMMAND_NOT_ENDED", message).with("name", name)
            }
            Error::NothingToRetry(name) => {
                Problem::failed_precondition("NOTHING_TO_RETRY", message).with("name", name)
            }
            Error::AgentNotFound(name) => Problem::not_found("AGENT_NOT_FOUND", message).with("name", name),
            Error::NoAgents => Problem::failed_precondition("NO_AGENTS", message),
            Error::TooManyAgents(count) => {
                Problem::failed_precondition("TOO_MANY_AGENTS", message).with("match_count", count)
            }
            Error::QueueFull(limit) => Problem::resource_exhausted("QUEUE_FULL", message)
                .quota("targets that wait", format!("at most {limit}"))
                .retry_after(Duration::from_secs(10)),
            Error::EtagMismatch(name) => Problem::aborted("ETAG_MISMATCH", message).with("name", name),
            Error::RequestIdReused => Problem::invalid_argument("REQUEST_ID_REUSED", message)
                .field("request_id", "was used for another request"),
            Error::OutOfTurn(_) => Problem::invalid_argument("OUT_OF_TURN", message),
            Error::NotReady => {
                Problem::unavailable("JOBS_NOT_READY", message).retry_after(Duration::from_millis(500))
            }
            Error::Draining => Problem::unavailable("DRAINING", message).retry_after(Duration::from_secs(1)),
            Error::Problem(problem) => problem,
            Error::Status(status) => return *status,
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
        }
        .into()
    }
}
