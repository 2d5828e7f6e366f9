//! What came in, on its way to the log; and how far those who sent it have come.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;
use weft_series::Batch;

use super::projects::Shared;
use crate::{
    Error,
    events::{Kind, incoming::NewChunk},
};

/// How far a source has come is known for so long after it was last heard of.
pub(crate) const REPORTERS_KEPT: Duration = Duration::from_hours(7 * 24);

/// What came in, and is to be written as one.
pub(crate) struct Incoming {
    pub(crate) project: Shared,
    pub(crate) content: Content,
    /// Told when all of it is on disk.
    pub(crate) done: oneshot::Sender<Result<(), Error>>,
    /// Its share of the memory for what waits.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// What it is.
pub(crate) enum Content {
    /// Samples by group, and how far their source has come with them.
    Samples { batches: Vec<(u32, Batch)>, progress: Option<Progress> },
    /// Logs or spans.
    Events(Kind, Box<NewChunk>),
}

/// How far a source of reports has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) source: String,
    pub(crate) incarnation: Uuid,
    pub(crate) sequence: i64,
}

/// How far sources have come, by project and source.
pub(crate) type Reporters = HashMap<(Arc<str>, String), Known>;

/// How far a source has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) incarnation: Uuid,
    pub(crate) sequence: i64,
    /// Whether the rows of the store say so.
    pub(crate) is_sealed: bool,
}
