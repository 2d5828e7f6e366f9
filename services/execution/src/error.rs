//! What this service refuses, and the status that a client gets for it. `docs/errors/execution.md` says
//! what to do about each.

use std::time::Duration;

use tonic::Status;
use weft_kit::{Problem, cursor::CursorError, filter::FilterError};
use weft_store::StoreError;

use crate::domain::fault::Fault;

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
    /// What the run is given does not follow the schema of its workflow: path and problem.
    #[error("{}", first(violations))]
    BadInput {
        /// Path and problem of each.
        violations: Vec<(String, String)>,
    },
    /// A filter cannot be read.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// A page token is not one of this list.
    #[error("page_token: {0}")]
    PageToken(#[from] CursorError),
    /// There is no such execution, or not any more.
    #[error("there is no execution {0}")]
    ExecutionNotFound(String),
    /// There is an execution of that name already.
    #[error("there is an execution {0} already")]
    ExecutionExists(String),
    /// The execution has no such step.
    #[error("there is no step {0}")]
    StepNotFound(String),
    /// There is no such graph.
    #[error("there is no graph {0}")]
    GraphNotFound(String),
    /// The graph is not one that is executed.
    #[error("{0} is no workflow graph")]
    NotAWorkflow(String),
    /// The workflow cannot be run.
    #[error("{graph} cannot be run: {}", told(faults))]
    WorkflowInvalid {
        /// The graph.
        graph: String,
        /// What is wrong: node and problem.
        faults: Vec<(String, String)>,
    },
    /// The graph has another revision than was asked for.
    #[error("{graph} has revision {newest} now")]
    RevisionMismatch {
        /// The graph.
        graph: String,
        /// Its newest revision.
        newest: i64,
    },
    /// The execution cannot do that as it stands.
    #[error("{0}")]
    WrongState(&'static str),
    /// As many executions are at work as may be.
    #[error("at most {0} executions may be at work")]
    TooMany(usize),
    /// As many executions of the project are at work as may be.
    #[error("at most {0} executions of a project may be at work")]
    TooManyOfProject(usize),
    /// There is no such limit of runs.
    #[error("there is no run limit {0}")]
    RunLimitNotFound(String),
    /// There is a limit of runs of that name already.
    #[error("there is a run limit {0} already")]
    RunLimitExists(String),
    /// A limit of runs has changed since it was read.
    #[error("{0} has changed since it was read")]
    RunLimitChanged(String),
    /// A project has as many limits of runs as it may.
    #[error("a project may have at most {0} run limits")]
    TooManyRunLimits(usize),
    /// More executions have not ended than a new limit of runs can count.
    #[error("more than {0} executions that it would limit have not ended")]
    TooManyToCount(usize),
    /// As many executions wait for limits of runs as may.
    #[error("at most {0} executions of a project may wait for run limits")]
    TooManyWaiting(usize),
    /// A limit of runs lets nothing wait, and is reached.
    #[error("the run limit {0} is reached")]
    RunLimitReached(String),
    /// A project has as many workers as it may.
    #[error("at most {0} workers of a project may be attached")]
    TooManyWorkers(usize),
    /// A worker says something that is not its turn to say.
    #[error("{0}")]
    OutOfTurn(&'static str),
    /// A worker was silent for too long.
    #[error("nothing came for too long; connect again")]
    NoHeartbeat,
    /// A worker's stream has lasted as long as one may, or as its credential.
    #[error("the stream has lasted as long as one may; connect again")]
    ComeBack,
    /// A worker has come by another stream.
    #[error("the worker has come again, by another stream")]
    WorkerReplaced,
    /// The request id was used for another request.
    #[error("request_id: was used for another request")]
    RequestIdReused,
    /// The engine failed before it was known what became of the call.
    #[error("it is not known whether that was done; ask again, with the same request id where there is one")]
    Interrupted,
    /// Another process has the executions, or this one has just begun.
    #[error("executions are not ready; try again")]
    NotReady,
    /// The process ends.
    #[error("this process is about to stop; connect again")]
    Draining,
    /// Refused before it came here.
    #[error("{0:?}")]
    Problem(Problem),
    /// Another service refused.
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

fn told(faults: &[(String, String)]) -> String {
    let first = faults.first().map(|(node, problem)| format!("{node}: {problem}")).unwrap_or_default();
    match faults.len() {
        0 | 1 => first,
        more => format!("{first}, and {} more", more - 1),
    }
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

    /// A workflow that cannot be run.
    pub(crate) fn workflow(graph: &str, faults: &[Fault]) -> Self {
        let faults = faults.iter().filter(|fault| !fault.warning).take(100);
        let place = |fault: &Fault| match (&fault.property, &fault.port) {
            (property, _) if !property.is_empty() => format!("{}.{property}", fault.node),
            (_, port) if !port.is_empty() => format!("{}:{port}", fault.node),
            _ => fault.node.clone(),
        };
        let faults = faults.map(|fault| (place(fault), format!("{}: {}", fault.reason, fault.message)));
        Self::WorkflowInvalid { graph: graph.to_owned(), faults: faults.collect() }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::BadField { field, problem } => Problem::bad_field(field, problem),
            Error::BadInput { violations } => {
                let problem = Problem::invalid_argument("INPUT_INVALID", message);
                violations.into_iter().fold(problem, |problem, (field, what)| problem.field(field, what))
            }
            Error::Filter(error) => Problem::bad_field("filter", error.to_string()),
            Error::PageToken(error) => Problem::bad_field("page_token", error.to_string()),
            Error::ExecutionNotFound(name) => {
                Problem::not_found("EXECUTION_NOT_FOUND", message).with("name", name)
            }
            Error::ExecutionExists(name) => {
                Problem::already_exists("EXECUTION_ALREADY_EXISTS", message).with("name", name)
            }
            Error::StepNotFound(name) => Problem::not_found("STEP_NOT_FOUND", message).with("name", name),
            Error::GraphNotFound(name) => Problem::not_found("GRAPH_NOT_FOUND", message).with("name", name),
            Error::NotAWorkflow(name) => {
                Problem::failed_precondition("NOT_A_WORKFLOW", message).with("name", name)
            }
            Error::WorkflowInvalid { graph, faults } => {
                let problem = Problem::failed_precondition("WORKFLOW_INVALID", message).with("graph", graph);
                faults.into_iter().fold(problem, |problem, (place, what)| problem.field(place, what))
            }
            Error::RevisionMismatch { graph, newest } => {
                Problem::aborted("REVISION_MISMATCH", message).with("graph", graph).with("revision", newest)
            }
            Error::WrongState(_) => Problem::failed_precondition("WRONG_STATE", message),
            Error::TooMany(limit) => Problem::resource_exhausted("TOO_MANY_EXECUTIONS", message)
                .quota("executions at work", format!("at most {limit}"))
                .retry_after(Duration::from_secs(5)),
            Error::TooManyOfProject(limit) => Problem::resource_exhausted("TOO_MANY_EXECUTIONS", message)
                .quota("executions of the project at work", format!("at most {limit}"))
                .retry_after(Duration::from_secs(5)),
            Error::RunLimitNotFound(name) => {
                Problem::not_found("RUN_LIMIT_NOT_FOUND", message).with("name", name)
            }
            Error::RunLimitExists(name) => {
                Problem::already_exists("RUN_LIMIT_ALREADY_EXISTS", message).with("name", name)
            }
            Error::RunLimitChanged(name) => Problem::aborted("ETAG_MISMATCH", message).with("name", name),
            Error::TooManyRunLimits(limit) => Problem::resource_exhausted("TOO_MANY_RUN_LIMITS", message)
                .quota("run limits of the project", format!("at most {limit}")),
            Error::TooManyToCount(limit) => Problem::resource_exhausted("TOO_MANY_TO_COUNT", message)
                .quota("executions that have not ended", format!("at most {limit}")),
            Error::TooManyWaiting(limit) => Problem::resource_exhausted("TOO_MANY_EXECUTIONS", message)
                .quota("executions of the project that wait for run limits", format!("at most {limit}"))
                .retry_after(Duration::from_secs(5)),
            Error::RunLimitReached(name) => {
                Problem::failed_precondition("RUN_LIMIT_REACHED", message).with("run_limit", name)
            }
            Error::TooManyWorkers(limit) => Problem::resource_exhausted("TOO_MANY_WORKERS", message)
                .quota("workers of the project", format!("at most {limit}"))
                .retry_after(Duration::from_secs(5)),
            Error::OutOfTurn(_) => Problem::invalid_argument("OUT_OF_TURN", message),
            Error::NoHeartbeat => {
                Problem::unavailable("NO_HEARTBEAT", message).retry_after(Duration::from_secs(1))
            }
            Error::ComeBack => Problem::unavailable("COME_BACK", message),
            Error::WorkerReplaced => Problem::aborted("WORKER_REPLACED", message),
            Error::RequestIdReused => Problem::invalid_argument("REQUEST_ID_REUSED", message)
                .field("request_id", "was used for another request"),
            Error::NotReady => {
                Problem::unavailable("EXECUTIONS_NOT_READY", message).retry_after(Duration::from_millis(500))
            }
            Error::Interrupted => Problem::unavailable("EXECUTIONS_INTERRUPTED", message)
                .retry_after(Duration::from_millis(500)),
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
