//! One target as this agent knows it, from its start until the mesh has its end.

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use weft_kit::json;
use weft_proto::weft::command::v1::{
    CommandState, OutputStream, WorkLease, WorkOutput, WorkResult, WorkStart,
};

use super::journal::{End, Kept};

/// A target.
pub(super) struct Entry {
    pub(super) attempt: i32,
    /// The newest number under which it was handed over: all that is said of it is said under this one.
    pub(super) fence: i32,
    pub(super) once: bool,
    /// Whether it is in the journal: what has no effect is not.
    pub(super) is_kept: bool,
    pub(super) phase: Phase,
    /// All that it has written, so that it can be sent again.
    pub(super) output: Vec<(OutputStream, Bytes)>,
    /// The mesh wants to hear nothing more of it.
    pub(super) is_over: bool,
    /// The attempt that begins when this one has ended.
    pub(super) next: Option<WorkStart>,
}

/// How far it is.
pub(super) enum Phase {
    /// It waits for a place, or runs, until it ends or is told to stop.
    Running(CancellationToken),
    /// It has ended, and the mesh has not said that it knows.
    Ended(End),
}

impl Entry {
    /// What the journal knows of it.
    pub(super) fn kept(&self) -> Option<Kept> {
        let end = match &self.phase {
            Phase::Running(_) => None,
            Phase::Ended(end) => Some(end.clone()),
        };
        self.is_kept.then_some(Kept { attempt: self.attempt, fence: self.fence, once: self.once, end })
    }

    pub(super) fn lease(&self, id: &str) -> WorkLease {
        WorkLease { id: id.to_owned(), fence: self.fence }
    }

    /// How it ended, if it has.
    pub(super) fn result(&self, id: &str) -> Option<WorkResult> {
        let Phase::Ended(end) = &self.phase else { return None };
        Some(WorkResult {
            lease: Some(self.lease(id)),
            state: end.state,
            reason: end.reason.clone(),
            message: end.message.chars().take(2_000).collect(),
            retryable: end.retryable,
            result: end.result.is_object().then(|| json::to_struct(end.result.clone())),
        })
    }

    /// What it has written from a place on.
    pub(super) fn outputs(&self, id: &str, from: usize) -> Vec<WorkOutput> {
        let pieces = (1..).zip(&self.output).skip(from);
        let output = |(sequence, (stream, data)): (i64, &(OutputStream, Bytes))| WorkOutput {
            lease: Some(self.lease(id)),
            sequence,
            stream: (*stream).into(),
            data: data.clone(),
        };
        pieces.map(output).collect()
    }
}

impl End {
    /// It ended well.
    pub(super) fn completed(result: serde_json::Value) -> Self {
        Self {
            state: CommandState::Completed.into(),
            reason: String::new(),
            message: String::new(),
            retryable: false,
            result,
        }
    }

    /// It failed.
    pub(super) fn failed(reason: &str, message: impl Into<String>, retryable: bool) -> Self {
        Self {
            state: CommandState::Failed.into(),
            reason: reason.to_owned(),
            message: message.into(),
            retryable,
            result: serde_json::Value::Null,
        }
    }

    /// It was told to stop, and has.
    pub(super) fn cancelled() -> Self {
        Self {
            state: CommandState::Cancelled.into(),
            reason: String::new(),
            message: String::new(),
            retryable: false,
            result: serde_json::Value::Null,
        }
    }
}
