//! What this service refuses, and the status that a client gets for it. `docs/errors/agent.md` says
//! what to do about each.

use std::time::Duration;

use tonic::Status;
use weft_kit::{Problem, cursor::CursorError, filter::FilterError};
use weft_store::StoreError;

/// When a collector that was not heard may try again: OpAMP asks for no less.
pub(crate) const RETRY: Duration = Duration::from_secs(30);

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
    /// A filter cannot be read.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// A page token is not one of this list.
    #[error("page_token: {0}")]
    PageToken(#[from] CursorError),
    /// There is no such agent, or not any more.
    #[error("there is no agent {0}")]
    AgentNotFound(String),
    /// There is an agent of that name already.
    #[error("there is an agent {0} already")]
    AgentExists(String),
    /// Another agent has the key.
    #[error("another agent has this key; make a new one")]
    KeyInUse,
    /// There is no such enrolment token.
    #[error("there is no enrollment token {0}")]
    TokenNotFound(String),
    /// There is an enrolment token of that name already.
    #[error("there is an enrollment token {0} already")]
    TokenExists(String),
    /// The enrolment token is not good.
    #[error("the enrollment token is unknown, expired or revoked")]
    TokenInvalid,
    /// As many agents have joined with the token as it allows.
    #[error("the enrollment token is used up")]
    TokenUsedUp,
    /// A proof of possession is wrong.
    #[error("{0}")]
    BadProof(&'static str),
    /// The caller is not the agent that it speaks for.
    #[error("only the agent {0} itself may attach as it")]
    NotThisAgent(String),
    /// Another program uses this agent's key, and is connected.
    #[error("another program is connected with this agent's key")]
    KeyUsedTwice,
    /// A later connection of the same program has taken the session over.
    #[error("a newer connection goes on with this session")]
    Replaced,
    /// Nothing was heard from the agent for too long.
    #[error("no heartbeat was heard for too long")]
    NoHeartbeat,
    /// The agent does not read what it is told.
    #[error("the agent reads too slowly")]
    TooSlow,
    /// A message of a stream came when it may not.
    #[error("{0}")]
    OutOfTurn(&'static str),
    /// The agent was changed since the client read it.
    #[error("{0} was changed since it was read")]
    EtagMismatch(String),
    /// The request id was used for another request.
    #[error("request_id: was used for another request")]
    RequestIdReused,
    /// Removals after the client's revision are forgotten.
    #[error("what has changed since that revision is not known any more")]
    Compacted,
    /// The fleet is not that far.
    #[error("the fleet is at revision {0}")]
    RevisionInFuture(i64),
    /// The agent is not connected.
    #[error("{0} is offline")]
    AgentOffline(String),
    /// The agent cannot be asked about its host.
    #[error("the program of {0} is too old to be asked for that")]
    AgentTooOld(String),
    /// The agent's configuration does not allow it.
    #[error("{0}'s agent.toml does not allow it: {1}")]
    HostNotAllowed(String, String),
    /// The agent has no such service.
    #[error("there is no service {0}")]
    ServiceNotFound(String),
    /// The agent knows no such file.
    #[error("there is no knowledge file {0}")]
    KnowledgeFileNotFound(String),
    /// The agent has a service of that name already.
    #[error("there is a service {0} already")]
    ServiceExists(String),
    /// The host does not let its agent do it.
    #[error("the host does not let its agent do it: {0}")]
    HostDenied(String),
    /// The agent does not speak OpAMP.
    #[error("{0} is no collector")]
    NotACollector(String),
    /// The collector does not take what is asked of it.
    #[error("{0} does not take {1}")]
    CollectorCannot(String, &'static str),
    /// A collector says too much.
    #[error("too many messages; wait for half a minute")]
    TooManyMessages,
    /// The agent does not answer.
    #[error("the agent does not answer")]
    AgentSilent,
    /// The agent is asked for too much at once.
    #[error("the agent is asked for too much at once")]
    HostBusy,
    /// The agent could not.
    #[error("the agent could not: {0}")]
    HostFailed(String),
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

impl Error {
    /// A field that is wrong and what would be right.
    pub(crate) fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Self::BadField { field, problem: problem.into() }
    }

    /// An agent's answer to something else than was asked.
    pub(crate) fn unexpected_answer() -> Self {
        Self::HostFailed("its answer is none to what was asked".to_owned())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::BadField { field, problem } => Problem::bad_field(field, problem),
            Error::Filter(error) => Problem::bad_field("filter", error.to_string()),
            Error::PageToken(error) => Problem::bad_field("page_token", error.to_string()),
            Error::AgentNotFound(name) => Problem::not_found("AGENT_NOT_FOUND", message).with("name", name),
            Error::AgentExists(name) => {
                Problem::already_exists("AGENT_ALREADY_EXISTS", message).with("name", name)
            }
            Error::KeyInUse => Problem::already_exists("AGENT_KEY_IN_USE", message),
            Error::TokenNotFound(name) => {
                Problem::not_found("ENROLLMENT_TOKEN_NOT_FOUND", message).with("name", name)
            }
            Error::TokenExists(name) => {
                Problem::already_exists("ENROLLMENT_TOKEN_ALREADY_EXISTS", message).with("name", name)
            }
            Error::TokenInvalid => Problem::unauthenticated("ENROLLMENT_TOKEN_INVALID", message),
            Error::TokenUsedUp => Problem::failed_precondition("ENROLLMENT_TOKEN_USED_UP", message),
            Error::BadProof(_) => Problem::unauthenticated("PROOF_INVALID", message),
            Error::NotThisAgent(name) => {
                Problem::permission_denied("NOT_THIS_AGENT", message).with("name", name)
            }
            Error::KeyUsedTwice => Problem::failed_precondition("KEY_USED_TWICE", message),
            Error::Replaced => Problem::aborted("SESSION_REPLACED", message),
            Error::NoHeartbeat => Problem::unavailable("NO_HEARTBEAT", message),
            Error::TooSlow => Problem::resource_exhausted("AGENT_TOO_SLOW", message),
            Error::OutOfTurn(_) => Problem::invalid_argument("OUT_OF_TURN", message),
            Error::EtagMismatch(name) => Problem::aborted("ETAG_MISMATCH", message).with("name", name),
            Error::RequestIdReused => Problem::invalid_argument("REQUEST_ID_REUSED", message)
                .field("request_id", "was used for another request"),
            Error::Compacted => Problem::out_of_range("FLEET_COMPACTED", message),
            Error::RevisionInFuture(current) => {
                Problem::out_of_range("REVISION_IN_FUTURE", message).with("current_revision", current)
            }
            Error::AgentOffline(name) => {
                Problem::failed_precondition("AGENT_OFFLINE", message).with("name", name)
            }
            Error::AgentTooOld(name) => {
                Problem::failed_precondition("AGENT_TOO_OLD", message).with("name", name)
            }
            Error::HostNotAllowed(name, what) => Problem::failed_precondition("HOST_NOT_ALLOWED", message)
                .with("name", name)
                .with("what", what),
            Error::ServiceNotFound(name) => {
                Problem::not_found("SERVICE_NOT_FOUND", message).with("name", name)
            }
            Error::KnowledgeFileNotFound(name) => {
                Problem::not_found("KNOWLEDGE_FILE_NOT_FOUND", message).with("name", name)
            }
            Error::ServiceExists(name) => {
                Problem::already_exists("SERVICE_ALREADY_EXISTS", message).with("name", name)
            }
            Error::HostDenied(_) => Problem::failed_precondition("HOST_DENIED", message),
            Error::NotACollector(name) => {
                Problem::failed_precondition("NOT_A_COLLECTOR", message).with("name", name)
            }
            Error::CollectorCannot(name, what) => Problem::failed_precondition("COLLECTOR_CANNOT", message)
                .with("name", name)
                .with("what", what),
            Error::TooManyMessages => {
                Problem::resource_exhausted("TOO_MANY_MESSAGES", message).retry_after(RETRY)
            }
            Error::AgentSilent => {
                Problem::unavailable("AGENT_SILENT", message).retry_after(Duration::from_secs(1))
            }
            Error::HostBusy => {
                Problem::resource_exhausted("HOST_BUSY", message).retry_after(Duration::from_secs(1))
            }
            Error::HostFailed(_) => Problem::internal("HOST_FAILED", message),
            Error::Draining => Problem::unavailable("DRAINING", message).retry_after(Duration::from_secs(1)),
            Error::Problem(problem) => problem,
            Error::Status(status) => return *status,
            Error::Store(StoreError::Unavailable(source)) => {
                tracing::warn!(%source, "the store does not answer");
                Problem::unavailable("STORE_UNAVAILABLE", "the database does not answer")
                    .retry_after(Duration::from_secs(1))
            }
            Error::Store(StoreError::Invalid { field, reason }) => Problem::bad_field(field, reason),
            Error::Store(StoreError::Stale { .. }) => {
                Problem::unavailable("AGENT_BUSY", "others change this agent all the time; try again")
                    .retry_after(Duration::from_millis(100))
            }
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
