//! What can happen to a run. The run's state is what these, one after the other, make of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::fault::StepError;

/// A value that goes from step to step.
pub(crate) type Value = Arc<Json>;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// The run began, with what it was given.
    Began { input: Value },
    /// A step gave a value and has ended.
    Gave {
        step: u32,
        /// Where it goes on; `out` when not said.
        port: Option<String>,
        /// Absent: what the step was given, as it was.
        value: Option<Value>,
    },
    /// A step gave what one of another run has given, which was kept, and has ended.
    Recalled {
        step: u32,
        /// Absent: what the step was given, as it was.
        value: Option<Value>,
        /// Name of the execution that has made it.
        from: String,
    },
    /// An attempt of a step failed.
    Failed {
        step: u32,
        error: StepError,
        /// When it is tried again; absent: never.
        again_at: Option<i64>,
    },
    /// A step waits.
    Waits { step: u32, wait: Wait },
    /// A step with a body goes into it; with a value in place of what it was given.
    Entered { step: u32, value: Option<Value> },
    /// A loop goes round once more, with what the last round gave.
    Round { step: u32 },
    /// A signal came.
    Signal { name: String, value: Value, once: Option<String> },
    /// Somebody, or a failure, holds the run.
    Paused,
    /// It goes on.
    Resumed,
    /// Somebody ended it.
    Cancelled,
    /// Somebody ended it at once.
    Terminated,
    /// It took too long.
    TimedOut,
    /// A limit of runs keeps it from starting; until it has started, nothing begins.
    Queued,
    /// Limits of runs let it start.
    Started,
    /// A limit of runs ended it.
    Dropped { error: StepError },
    /// Somebody lets it go on from steps that failed, or from one step; with another plan, if it has a number.
    Retried { from: Option<u32>, definition: Option<i64>, once: Option<String> },
}

/// What a step waits for: whatever comes first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wait {
    /// An instant, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<i64>,
    /// A signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signal: Option<String>,
    /// A person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<Approval>,
}

/// What a person is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Approval {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) form: Json,
}
