//! What this service refuses, and the status that a client gets for it. `docs/errors/graph.md` says
//! what to do about each.

use std::time::Duration;

use tonic::Status;
use weft_kit::Problem;
use weft_store::StoreError;

use crate::{
    domain::{
        change::{Fault, PlanError},
        filter::FilterError,
        memory::{ApplyError, CheckpointError},
    },
    formats::FormatError,
};

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
    /// A filter cannot be read.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// There is no such graph, or not any more.
    #[error("there is no graph {0}")]
    GraphNotFound(String),
    /// There is a graph of that name already.
    #[error("there is a graph {0} already")]
    GraphExists(String),
    /// There is no such node.
    #[error("there is no node {key:?}")]
    NodeNotFound {
        /// The field that names it.
        field: String,
        /// Its key.
        key: String,
    },
    /// A batch of changes does not fit the graph.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The graph is at another revision than the client expects, or somebody else keeps being faster.
    #[error("the graph is at revision {current}")]
    RevisionMismatch {
        /// Where it is.
        current: i64,
    },
    /// A resource's own fields were changed since the client read them.
    #[error("{0} was changed since it was read")]
    EtagMismatch(String),
    /// The journal does not reach back that far.
    #[error("revisions before {oldest} are not kept any more; take a snapshot")]
    RevisionCompacted {
        /// The oldest revision that can be sent.
        oldest: i64,
    },
    /// The graph is not there yet.
    #[error("the graph is at revision {current} and has not come that far")]
    RevisionInFuture {
        /// Where it is.
        current: i64,
    },
    /// The request id was used for another request.
    #[error("request_id: was used for another request")]
    RequestIdReused,
    /// A limit of the project or of this process is reached.
    #[error("{description}")]
    Quota {
        /// Stable name of the limit.
        reason: &'static str,
        /// Whose limit it is.
        subject: String,
        /// Which limit, and how high it is.
        description: String,
        /// It passes by itself.
        passes: bool,
    },
    /// There is no such source, or not any more.
    #[error("there is no source {0}")]
    SourceNotFound(String),
    /// There is a source of that name already.
    #[error("there is a source {0} already")]
    SourceExists(String),
    /// There is no such refresh, or it is not kept any more.
    #[error("there is no refresh {0}")]
    RefreshNotFound(String),
    /// The source is being refreshed.
    #[error("{0} runs; wait for its end, or cancel it")]
    RefreshRunning(String),
    /// The configuration opens no such folder to the project.
    #[error("no folder {0} is open to the project; the configuration opens folders")]
    FolderNotFound(String),
    /// The folder cannot be opened.
    #[error("{folder} cannot be opened: {problem}")]
    FolderUnavailable {
        /// Resource name of the folder.
        folder: String,
        /// Why.
        problem: String,
    },
    /// There is nothing to read in the folder.
    #[error("{0} has no files that the source asks for; nothing was changed")]
    FolderEmpty(String),
    /// A file in a folder cannot be read.
    #[error("{path:?} in {folder} {problem}")]
    FileUnreadable {
        /// Resource name of the folder.
        folder: String,
        /// Path in it.
        path: String,
        /// Why.
        problem: String,
    },
    /// Somebody ended it.
    #[error("it was cancelled")]
    Cancelled,
    /// A file cannot be read.
    #[error("{0}")]
    Format(#[from] FormatError),
    /// An import's messages do not come in their order.
    #[error("{0}")]
    ImportOrder(&'static str),
    /// The client of an import was silent for too long.
    #[error("nothing came for too long; nothing was applied")]
    ImportStalled,
    /// Refused by the runtime, for example because a stream broke off.
    #[error("{0}")]
    Status(Box<Status>),
    /// This process ends; another one takes over.
    #[error("this process is shutting down; connect again")]
    Draining,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored of a graph cannot be read.
    #[error("what is stored of the graph {graph} cannot be read: {problem}")]
    Damaged {
        /// The graph.
        graph: String,
        /// What is wrong.
        problem: String,
    },
    /// A setting that makes no sense.
    #[error("graph.{0}")]
    Options(String),
    /// A task ended that should not have.
    #[error("an internal task ended early")]
    TaskEnded,
}

impl Error {
    /// A field that is wrong and what would be right.
    pub(crate) fn field(field: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self::BadField { field: field.into(), problem: problem.to_string() }
    }

    pub(crate) fn damaged(graph: &str, problem: impl std::fmt::Display) -> Self {
        Self::Damaged { graph: graph.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn apply(graph: &str, error: &ApplyError) -> Self {
        Self::damaged(graph, error)
    }

    pub(crate) fn checkpoint(graph: &str, error: &CheckpointError) -> Self {
        Self::damaged(graph, error)
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
            Error::Filter(error) => Problem::invalid_argument("FILTER_INVALID", message)
                .field("filter", error.to_string())
                .with("position", error.position),
            Error::GraphNotFound(name) => Problem::not_found("GRAPH_NOT_FOUND", message).with("graph", name),
            Error::GraphExists(name) => {
                Problem::already_exists("GRAPH_ALREADY_EXISTS", message).with("graph", name)
            }
            Error::NodeNotFound { field, key } => {
                Problem::not_found("NODE_NOT_FOUND", message).with("key", key).with("field", field)
            }
            Error::Plan(error) => plan_problem(error),
            Error::RevisionMismatch { current } => {
                Problem::aborted("REVISION_MISMATCH", message).with("revision", current)
            }
            Error::EtagMismatch(name) => Problem::aborted("ETAG_MISMATCH", message).with("name", name),
            Error::RevisionCompacted { oldest } => {
                Problem::out_of_range("REVISION_COMPACTED", message).with("oldest_revision", oldest)
            }
            Error::RevisionInFuture { current } => {
                Problem::out_of_range("REVISION_IN_FUTURE", message).with("revision", current)
            }
            Error::RequestIdReused => Problem::invalid_argument("REQUEST_ID_REUSED", message)
                .field("request_id", "was used for another request"),
            Error::Quota { reason, subject, description, passes } => {
                let problem = Problem::resource_exhausted(reason, message).quota(subject, description);
                if passes { problem.retry_after(Duration::from_secs(1)) } else { problem }
            }
            Error::SourceNotFound(name) => {
                Problem::not_found("SOURCE_NOT_FOUND", message).with("source", name)
            }
            Error::SourceExists(name) => {
                Problem::already_exists("SOURCE_ALREADY_EXISTS", message).with("source", name)
            }
            Error::RefreshNotFound(name) => {
                Problem::not_found("REFRESH_NOT_FOUND", message).with("refresh", name)
            }
            Error::RefreshRunning(name) => {
                Problem::failed_precondition("REFRESH_RUNNING", message).with("refresh", name)
            }
            Error::FolderNotFound(name) => {
                Problem::not_found("FOLDER_NOT_FOUND", message).with("folder", name)
            }
            Error::FolderUnavailable { folder, .. } => {
                Problem::failed_precondition("FOLDER_UNAVAILABLE", message).with("folder", folder)
            }
            Error::FolderEmpty(folder) => {
                Problem::failed_precondition("FOLDER_EMPTY", message).with("folder", folder)
            }
            Error::FileUnreadable { folder, path, .. } => {
                Problem::failed_precondition("FILE_UNREADABLE", message)
                    .with("folder", folder)
                    .with("path", path)
            }
            Error::Cancelled => Problem::aborted("REFRESH_CANCELLED", message),
            Error::Format(error) => format_problem(&error),
            Error::ImportOrder(problem) => {
                Problem::invalid_argument("IMPORT_ORDER", problem).field("piece", problem)
            }
            Error::ImportStalled => Problem::aborted("IMPORT_STALLED", message),
            Error::Status(status) => return *status,
            Error::Draining => Problem::unavailable("DRAINING", message).retry_after(Duration::ZERO),
            Error::Store(error) => store_problem(error),
            Error::Damaged { .. } => {
                tracing::error!(%message, "what is stored of a graph cannot be read");
                Problem::data_loss("STORE_CORRUPT", "what is stored cannot be read; it has been logged")
            }
            Error::Options(_) | Error::TaskEnded => {
                tracing::error!(%message, "the graph service failed");
                Problem::internal("INTERNAL", "the graph service failed; it has been logged")
            }
        }
        .into()
    }
}

fn plan_problem(error: PlanError) -> Problem {
    let message = error.to_string();
    let PlanError { field, fault } = error;
    match fault {
        Fault::Invalid(reason) => Problem::bad_field(field, reason),
        Fault::NodeNotFound(key) => {
            Problem::not_found("NODE_NOT_FOUND", message).with("key", key).with("field", field)
        }
        Fault::EdgeNotFound => Problem::not_found("EDGE_NOT_FOUND", message).with("field", field),
        Fault::EndNotFound(key) => {
            Problem::failed_precondition("EDGE_END_NOT_FOUND", message).with("key", key).with("field", field)
        }
        Fault::Limit { what, limit, .. } => {
            let reason = match what {
                "nodes" => "TOO_MANY_NODES",
                "edges" => "TOO_MANY_EDGES",
                "edge_types" => "TOO_MANY_EDGE_TYPES",
                "graph_bytes" => "GRAPH_TOO_LARGE",
                _ => "GRAPH_EXHAUSTED",
            };
            Problem::resource_exhausted(reason, message.clone()).quota(field, message).with("limit", limit)
        }
    }
}

fn format_problem(error: &FormatError) -> Problem {
    let message = error.to_string();
    let problem = match error {
        FormatError::TooLarge { limit, .. } => {
            Problem::resource_exhausted("IMPORT_TOO_LARGE", message.clone())
                .quota("import", message)
                .with("limit", limit)
        }
        FormatError::UnsafePath { .. } => {
            Problem::invalid_argument("PATH_UNSAFE", message.clone()).field("file.path", message)
        }
        FormatError::Unsupported { .. } => Problem::invalid_argument("FORMAT_UNSUPPORTED", message),
        FormatError::Syntax { .. }
        | FormatError::Encoding { .. }
        | FormatError::Truncated { .. }
        | FormatError::Refused { .. } => Problem::invalid_argument("FILE_INVALID", message),
    };
    match error.position() {
        Some(at) => problem.with("path", &at.path).with("line", at.line),
        None => problem,
    }
}

fn store_problem(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable(source) => {
            tracing::warn!(%source, "the store does not answer");
            Problem::unavailable("STORE_UNAVAILABLE", "the database does not answer")
                .retry_after(Duration::from_secs(1))
        }
        StoreError::Invalid { field, reason } => Problem::bad_field(field, reason),
        error @ StoreError::Corrupt { .. } => {
            tracing::error!(%error, "what is stored cannot be read");
            Problem::data_loss("STORE_CORRUPT", "what is stored cannot be read; it has been logged")
        }
        error => {
            tracing::error!(%error, "the store failed");
            Problem::internal("INTERNAL", "the graph service failed; it has been logged")
        }
    }
}
