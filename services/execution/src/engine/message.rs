//! What the engine is told.

use std::sync::Arc;

use serde_json::Value as Json;
use tokio::sync::oneshot;
use weft_store::{ExecutionRow, NewExecution};

use crate::{
    Error,
    domain::{event::Value, fault::StepError, plan::Plan, run::Run},
};

pub(super) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// Looks at what is in memory of an execution.
pub(crate) type View = Box<dyn FnOnce(Option<(&ExecutionRow, &Run)>) + Send>;

/// Told when an execution ends.
pub(crate) type Ended = oneshot::Sender<weft_proto::weft::execution::v1::Execution>;

/// An execution to accept. Its number is the engine's to give.
pub(crate) struct Creation {
    pub(crate) execution: NewExecution,
    pub(crate) plan: Arc<Plan>,
    pub(crate) input: Value,
    pub(crate) ended: Option<Ended>,
}

/// What somebody wants of an execution.
pub(crate) enum Asked {
    Cancel,
    Terminate,
    Pause,
    Resume,
    Signal { name: String, value: Value, once: Option<String> },
    Retry { from: Option<u32>, newest: Option<Newest>, once: Option<String> },
    Decide { step: u32, approved: bool, answer: Json },
}

/// Another workflow to go on with.
pub(crate) struct Newest {
    pub(crate) definition: i64,
    pub(crate) revision: i64,
    pub(crate) plan: Arc<Plan>,
}

/// How an attempt of a step ended.
pub(super) struct Outcome {
    /// Of the turn that has ended with it.
    pub(super) ticket: u64,
    pub(super) execution: i64,
    pub(super) step: u32,
    pub(super) generation: u32,
    pub(super) result: Result<Json, StepError>,
}

pub(super) enum Message {
    Create(Box<Creation>, Answer<ExecutionRow>),
    Ask(i64, Box<Asked>, Answer<()>),
    Look(i64, View),
    Performed(Box<Outcome>),
}
