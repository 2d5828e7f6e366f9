//! What the engine is told.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value as Json;
use tokio::sync::oneshot;
use uuid::Uuid;
use weft_store::{ExecutionRow, NewExecution, RunLimitRow};

use super::{
    limits::Limits,
    turns::Turns,
    workers::{About, Line, Progress, Result as TaskResult, Tell, Token, Workers},
};
use crate::{
    Error,
    domain::{
        event::Value,
        fault::StepError,
        gate::Gate,
        plan::Plan,
        run::Run,
        run_limit::{Kept, RunLimit},
    },
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
    /// The execution that has made it, where it was kept.
    pub(super) cached_from: Option<String>,
}

/// What somebody wants of the limits of runs.
pub(crate) enum OfLimits {
    /// A new one. Without a name it gets the one that is made up here.
    Create {
        row: RunLimitRow,
        /// What runs that there were before count under.
        keys: HashMap<i64, String>,
    },
    /// Another version, if it is still the one that was seen.
    Update {
        project: String,
        id: String,
        etag: String,
        change: ChangeOfLimit,
    },
    Delete {
        project: String,
        id: String,
        etag: String,
    },
}

/// What an update makes of a limit.
pub(crate) type ChangeOfLimit = Box<dyn Fn(&RunLimit) -> Result<Kept, Error> + Send>;

/// Looks at limits of runs, and at what waits for them.
pub(crate) type ViewOfLimits = Box<dyn FnOnce(&Limits, &Gate) + Send>;

/// Looks at workers, and at what waits for them.
pub(crate) type ViewOfWorkers = Box<dyn FnOnce(&Workers, &Turns) + Send>;

/// A worker that comes.
pub(crate) struct Attach {
    pub(crate) about: About,
    /// The session that it had.
    pub(crate) session: Option<Uuid>,
    /// The tasks that it has, as it says.
    pub(crate) tokens: Vec<String>,
    pub(crate) tell: Tell,
}

/// A worker that has come.
pub(crate) struct Attached {
    pub(crate) line: Line,
    pub(crate) uid: Uuid,
    pub(crate) session: Uuid,
    pub(crate) resumed: bool,
}

/// What a worker says.
pub(crate) enum Said {
    Results(Vec<TaskResult>),
    Progress(Vec<(Token, Progress)>),
    Slots(u32),
    Leave,
    /// Its stream has ended.
    Away,
}

/// What is told of workers.
pub(crate) enum OfWorkers {
    Attach(Box<Attach>, Answer<Attached>),
    Said(Line, Said),
}

pub(super) enum Message {
    OfLimits(Box<OfLimits>, Answer<Arc<RunLimit>>),
    LookAtLimits(ViewOfLimits),
    Create(Box<Creation>, Answer<ExecutionRow>),
    Ask(i64, Box<Asked>, Answer<()>),
    Look(i64, View),
    Performed(Box<Outcome>),
    OfWorkers(OfWorkers),
    LookAtWorkers(ViewOfWorkers),
}

impl Message {
    /// The engine does not have the shard: nothing was done, and whoever asks is told so.
    pub(super) fn refuse(self) {
        // Each fails when the caller has gone away; whoever looks sees that nobody answers.
        match self {
            Self::OfLimits(_, answer) => drop(answer.send(Err(Error::NotReady))),
            Self::Create(_, answer) => drop(answer.send(Err(Error::NotReady))),
            Self::Ask(_, _, answer) => drop(answer.send(Err(Error::NotReady))),
            Self::OfWorkers(OfWorkers::Attach(_, answer)) => drop(answer.send(Err(Error::NotReady))),
            // Workers find out by themselves that the shard is gone.
            Self::OfWorkers(OfWorkers::Said(..))
            | Self::Look(..)
            | Self::LookAtLimits(_)
            | Self::LookAtWorkers(_)
            | Self::Performed(_) => {}
        }
    }
}
