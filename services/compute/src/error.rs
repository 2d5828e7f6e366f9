//! What this service refuses and fails with, and the status that a client gets for it.

use std::time::Duration;

use tonic::{Code, Status};
use weft_kit::Problem;
use weft_store::{StoreError, Versioned};

use crate::frames::EncodeError;

/// Why a call did not do what it should. `docs/errors/compute.md` lists the reasons for operators.
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
    /// There is no such layout.
    #[error("there is no layout {0}")]
    LayoutNotFound(String),
    /// There is no such graph.
    #[error("there is no graph {0}")]
    GraphNotFound(String),
    /// There is a layout of that name already.
    #[error("there is a layout {0} already")]
    LayoutExists(String),
    /// There is no such node in the graph, as far as this layout has followed it.
    #[error("{field}: the graph has no node {node}")]
    NodeNotFound {
        /// Path of the field.
        field: String,
        /// Key or ordinal.
        node: String,
    },
    /// Somebody else changed the layout or the constraint first.
    #[error("it has changed: its etag is {current} now")]
    EtagMismatch {
        /// The etag it has now.
        current: String,
    },
    /// The request id was used for another request.
    #[error("request_id: was used for another request")]
    RequestIdReused,
    /// A limit is reached.
    #[error("{subject}: at most {limit} {what}")]
    Limit {
        /// Stable reason code.
        reason: &'static str,
        /// What is full.
        subject: String,
        /// How many there may be.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// None of the encodings that the viewer reads can carry the graph.
    #[error("no encoding that the viewer reads can carry the graph: {0}")]
    EncodingTooNarrow(#[from] EncodeError),
    /// The layout is broken, and the call needs it whole.
    #[error("the layout {layout} has failed: {message}")]
    LayoutFailed {
        /// Name of the layout.
        layout: String,
        /// Why it failed.
        message: String,
    },
    /// The first message of an attached stream was not `open`, or a later one was.
    #[error("{0}")]
    OutOfTurn(&'static str),
    /// A message of a stream breaks its contract, or the connection broke off.
    #[error(transparent)]
    Message(#[from] Box<Status>),
    /// There is no such constraint.
    #[error("there is no constraint {0}")]
    ConstraintNotFound(String),
    /// There is a constraint of that name already.
    #[error("there is a constraint {0} already")]
    ConstraintExists(String),
    /// There is no such analysis.
    #[error("there is no analysis {0}")]
    AnalysisNotFound(String),
    /// There is an analysis of that name already.
    #[error("there is an analysis {0} already")]
    AnalysisExists(String),
    /// The values of an analysis were asked for that has none.
    #[error("the analysis {analysis} has no values: it is {state}")]
    NoValues {
        /// Name of the analysis.
        analysis: String,
        /// Where it is, in a word.
        state: &'static str,
    },
    /// A credential may create analyses, but not have them write to the graph.
    #[error("to write to the graph needs the scope graph.write")]
    MayNotWrite,
    /// An analysis would compare more words than there is memory for.
    #[error("{0}: its texts have too many words to be compared")]
    TooMuchText(String),
    /// An analysis would need more memory than there is for it.
    #[error("{subject}: needs about {needed} MiB, and analyses may use {limit}")]
    TooMuchMemory {
        /// What is too large.
        subject: String,
        /// What it would need, in MiB.
        needed: u64,
        /// What there is, in MiB.
        limit: u64,
    },
    /// The places of a layout are needed, and were never saved.
    #[error("the layout {0} has not put the nodes anywhere yet")]
    NotPlaced(String),
    /// What needs a graph without cycles was asked of one that has some.
    #[error("the graph has a cycle of {length} nodes, for example {}", .nodes.join(" → "))]
    Cycle {
        /// How many nodes it has.
        length: usize,
        /// Keys of the first ones.
        nodes: Vec<String>,
    },
    /// An analysis has taken longer than it may.
    #[error("the analysis has taken longer than {0} seconds")]
    TimedOut(u64),
    /// An analysis was ended by somebody.
    #[error("the analysis was cancelled")]
    Cancelled,
    /// Several processes have died with an analysis.
    #[error("the analysis was begun {0} times, and its process died each time")]
    Abandoned(i32),
    /// The program has a fault.
    #[error("the analysis broke down")]
    Panicked,
    /// The graph has changed each time before the values could be written.
    #[error("the graph changes faster than values can be written to it")]
    GraphRestless,
    /// The graph service has refused to write the values.
    #[error("the values could not be written: {}", .0.message())]
    NotWritten(Box<Status>),
    /// There is no memory for one more layout.
    #[error(
        "{layout}: needs about {needed} MiB, and of the {limit} for layouts in this process {free} are free; wait until \
         others are left alone, or have more processes or more memory for layouts (compute.layout_memory_mib)"
    )]
    NoMemory {
        /// Name of the layout.
        layout: String,
        /// What it would need, in MiB.
        needed: u64,
        /// What is left, in MiB.
        free: u64,
        /// What there is for all, in MiB.
        limit: u64,
    },
    /// The layout is on its way from one process to another.
    #[error("the layout moves to another process; try again")]
    Moving,
    /// This process is ending.
    #[error("this process is ending; connect again")]
    Draining,
    /// The graph service does not answer.
    #[error("the graph service does not answer: {0}")]
    GraphUnavailable(String),
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// The stored layout cannot be read.
    #[error("the stored {layout} cannot be read: {what}")]
    Unreadable {
        /// Name of the layout or analysis.
        layout: String,
        /// Which part of it.
        what: &'static str,
    },
}

impl Error {
    pub(crate) fn bad_field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::BadField { field: field.into(), problem: problem.into() }
    }

    /// Translates a store's failure at the layout `name`.
    pub(crate) fn store(name: impl ToString) -> impl FnOnce(StoreError) -> Self {
        move |error| match error {
            StoreError::NotFound { .. } => Self::LayoutNotFound(name.to_string()),
            // Another process has taken it since this one did.
            StoreError::Stale { of: Versioned::Epoch, .. } => Self::Moving,
            StoreError::AlreadyExists { .. } => Self::LayoutExists(name.to_string()),
            StoreError::Stale { current, .. } => Self::EtagMismatch { current: current.to_string() },
            StoreError::Conflict { .. } => Self::RequestIdReused,
            StoreError::Invalid { field, reason } => Self::bad_field(field, reason),
            other => Self::Store(other),
        }
    }

    /// Translates a store's failure at the analysis `name`.
    pub(crate) fn analysis_store(name: impl ToString) -> impl FnOnce(StoreError) -> Self {
        move |error| match error {
            StoreError::NotFound { .. } => Self::AnalysisNotFound(name.to_string()),
            StoreError::AlreadyExists { .. } => Self::AnalysisExists(name.to_string()),
            StoreError::Conflict { .. } => Self::RequestIdReused,
            StoreError::Invalid { field, reason } => Self::bad_field(field, reason),
            other => Self::Store(other),
        }
    }

    /// The stable code that programs tell errors apart by.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::BadField { .. } | Self::Message(_) => "INVALID_FIELD",
            Self::LayoutNotFound(_) => "LAYOUT_NOT_FOUND",
            Self::GraphNotFound(_) => "GRAPH_NOT_FOUND",
            Self::LayoutExists(_) => "LAYOUT_ALREADY_EXISTS",
            Self::NodeNotFound { .. } => "NODE_NOT_FOUND",
            Self::EtagMismatch { .. } => "ETAG_MISMATCH",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::Limit { reason, .. } => reason,
            Self::EncodingTooNarrow(_) => "ENCODING_TOO_NARROW",
            Self::LayoutFailed { .. } => "LAYOUT_FAILED",
            Self::OutOfTurn(_) => "MESSAGE_OUT_OF_TURN",
            Self::ConstraintNotFound(_) => "CONSTRAINT_NOT_FOUND",
            Self::ConstraintExists(_) => "CONSTRAINT_ALREADY_EXISTS",
            Self::AnalysisNotFound(_) => "ANALYSIS_NOT_FOUND",
            Self::AnalysisExists(_) => "ANALYSIS_ALREADY_EXISTS",
            Self::NoValues { .. } => "ANALYSIS_HAS_NO_VALUES",
            Self::MayNotWrite => "SCOPE_REQUIRED",
            Self::TooMuchMemory { .. } | Self::TooMuchText(_) => "ANALYSIS_TOO_LARGE",
            Self::NotPlaced(_) => "LAYOUT_NOT_PLACED",
            Self::Cycle { .. } => "GRAPH_HAS_CYCLE",
            Self::TimedOut(_) => "ANALYSIS_TIMED_OUT",
            Self::Cancelled => "ANALYSIS_CANCELLED",
            Self::Abandoned(_) => "ANALYSIS_ABANDONED",
            Self::GraphRestless => "GRAPH_CHANGES_TOO_FAST",
            Self::NotWritten(_) => "VALUES_NOT_WRITTEN",
            Self::NoMemory { .. } => "NO_MEMORY_FOR_LAYOUT",
            Self::Moving => "LAYOUT_MOVES",
            Self::Draining => "DRAINING",
            Self::GraphUnavailable(_) => "GRAPH_SERVICE_UNAVAILABLE",
            Self::Store(StoreError::Unavailable(_)) => "STORE_UNAVAILABLE",
            Self::Store(StoreError::Corrupt { .. }) | Self::Unreadable { .. } => "STORE_CORRUPT",
            Self::Store(_) | Self::Panicked => "INTERNAL",
        }
    }
}

impl From<weft_members::Error> for Error {
    fn from(error: weft_members::Error) -> Self {
        match error {
            weft_members::Error::Lapsed => Self::Moving,
            weft_members::Error::Store(error) => Self::store("the processes that share layouts")(error),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let reason = error.reason();
        let text = error.to_string();
        let problem = match error {
            Error::BadField { field, problem } => Problem::bad_field(field, problem),
            Error::LayoutNotFound(layout) => Problem::not_found(reason, text).with("layout", layout),
            Error::GraphNotFound(graph) => Problem::not_found(reason, text).with("graph", graph),
            Error::LayoutExists(layout) => Problem::already_exists(reason, text).with("layout", layout),
            Error::NodeNotFound { field, node } => {
                Problem::not_found(reason, text).with("node", node).field(field, "is not in the graph")
            }
            Error::EtagMismatch { current } => Problem::aborted(reason, text).with("etag", current),
            Error::RequestIdReused => {
                Problem::invalid_argument(reason, text).field("request_id", "was used for another request")
            }
            Error::Limit { subject, limit, what, .. } => Problem::resource_exhausted(reason, text)
                .with("limit", limit)
                .quota(subject, format!("at most {limit} {what}")),
            Error::EncodingTooNarrow(EncodeError::TooNarrow { ordinal }) => {
                Problem::failed_precondition(reason, text).with("largest_ordinal", ordinal)
            }
            Error::LayoutFailed { layout, .. } => {
                Problem::failed_precondition(reason, text).with("layout", layout)
            }
            Error::Message(status) => return *status,
            Error::ConstraintNotFound(name) => Problem::not_found(reason, text).with("constraint", name),
            Error::ConstraintExists(name) => Problem::already_exists(reason, text).with("constraint", name),
            Error::AnalysisNotFound(analysis) => Problem::not_found(reason, text).with("analysis", analysis),
            Error::AnalysisExists(analysis) => {
                Problem::already_exists(reason, text).with("analysis", analysis)
            }
            Error::NoValues { analysis, state } => {
                Problem::failed_precondition(reason, text).with("analysis", analysis).with("state", state)
            }
            Error::MayNotWrite => Problem::permission_denied(reason, text).with("scope", "graph.write"),
            Error::TooMuchText(subject) => Problem::resource_exhausted(reason, text)
                .quota(subject, "64 different words a node, on average".to_owned()),
            Error::TooMuchMemory { subject, needed, limit } => {
                let quota = format!("analyses may use {limit} MiB");
                Problem::resource_exhausted(reason, text).with("needed_mib", needed).quota(subject, quota)
            }
            Error::NoMemory { layout, needed, free, limit } => Problem::resource_exhausted(reason, text)
                .with("needed_mib", needed)
                .with("free_mib", free)
                .quota(layout, format!("layouts of a process may use {limit} MiB")),
            Error::NotPlaced(layout) => Problem::failed_precondition(reason, text).with("layout", layout),
            Error::Cycle { length, nodes } => Problem::failed_precondition(reason, text)
                .with("length", length)
                .with("nodes", nodes.join(" ")),
            Error::TimedOut(_) => Problem::new(Code::DeadlineExceeded, reason, text),
            Error::Cancelled => Problem::new(Code::Cancelled, reason, text),
            Error::Abandoned(_) | Error::Panicked => Problem::internal(reason, text),
            Error::GraphRestless => Problem::aborted(reason, text),
            Error::NotWritten(status) => Problem::new(status.code(), reason, text),
            Error::OutOfTurn(_) => Problem::invalid_argument(reason, text),
            Error::Draining | Error::Moving => {
                Problem::unavailable(reason, text).retry_after(Duration::from_millis(100))
            }
            Error::GraphUnavailable(_) => {
                Problem::unavailable(reason, text).retry_after(Duration::from_secs(1))
            }
            Error::Store(source) => store_problem(reason, &source),
            Error::Unreadable { ref layout, .. } => {
                tracing::error!(%layout, %text, "a stored layout cannot be read");
                Problem::data_loss(reason, text)
            }
        };
        problem.into()
    }
}

/// Databases speak of tables and files: that is for the log, not for clients.
fn store_problem(reason: &'static str, error: &StoreError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "the layout store failed");
    match error {
        StoreError::Unavailable(_) => {
            Problem::unavailable(reason, "the database does not answer").retry_after(Duration::from_secs(1))
        }
        StoreError::Corrupt { .. } => Problem::data_loss(reason, "a stored layout cannot be read"),
        _ => Problem::internal(reason, "the layout store failed"),
    }
}
