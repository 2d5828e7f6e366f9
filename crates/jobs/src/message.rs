//! What is said to the engine, and by it to workers.

use bytes::Bytes;
use hashbrown::HashMap;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use weft_store::{MAX_PART_BYTES, StoreError, check};

use crate::{
    codec,
    domain::model::{JobKey, Outcome, Stop, Terms},
    error::JobsError,
    view::{BatchView, Progress},
};

/// Jobs to be accepted together, under one name.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Id of their project.
    pub project: String,
    /// Name in the project; made up where it is absent: `x` and a hexadecimal number. A name that looks like that is
    /// refused.
    pub name: Option<String>,
    /// A fresh identity.
    pub uid: Uuid,
    /// What kind of work, for lists and counts.
    pub kind: String,
    /// Under which terms.
    pub terms: Terms,
    /// Where each job runs. At least one, at most [`MAX_BATCH_JOBS`].
    pub queues: Vec<String>,
    /// What each job is handed to workers with. At most [`weft_store::MAX_PART_BYTES`], as everything that is bytes.
    pub payload: Bytes,
    /// For the service that submits: comes back with the batch.
    pub note: Bytes,
    /// Which request this is, and the digest of it: a repeat gets the batch that the first one made. No two projects
    /// share a request's name, so a service begins it with the project's.
    pub request: Option<(Bytes, [u8; 32])>,
}

/// How long names of projects, batches and requests may be, in bytes: databases index them.
const MAX_NAME_BYTES: usize = 512;
/// How many jobs a batch has at most.
pub const MAX_BATCH_JOBS: usize = 10_000;

impl Submission {
    /// Whether the store can keep it. One that it cannot would take down the flush that it shares with others.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check::text("project", &self.project)?;
        check::text("kind", &self.kind)?;
        check::bytes("note", &self.note)?;
        check::bytes("payload", &self.payload)?;
        check::bytes("terms", &codec::terms_to_bytes(&self.terms))?;
        if let Some(name) = &self.name {
            check::text("name", name)?;
            let made_up = name.strip_prefix('x').is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|letter| letter.is_ascii_hexdigit())
            });
            if made_up {
                return Err(StoreError::Invalid { field: "name", reason: "looks like one that is made up" });
            }
        }
        let names = [Some(self.project.len()), self.name.as_ref().map(String::len)];
        let request = self.request.as_ref().map(|(request, _)| request.len());
        if names.into_iter().chain([request]).flatten().any(|length| length > MAX_NAME_BYTES) {
            return Err(StoreError::Invalid { field: "name", reason: "or project or request is too long" });
        }
        if !(1..=MAX_BATCH_JOBS).contains(&self.queues.len()) {
            return Err(StoreError::Invalid { field: "queues", reason: "are none, or more than 10,000" });
        }
        self.queues.iter().try_for_each(|queue| check::text("queue", queue))
    }

    /// About how much of a flush it takes, in bytes.
    fn weight(&self) -> usize {
        let queues: usize = self.queues.iter().map(|queue| queue.len() + 64).sum();
        self.payload.len() + self.note.len() + queues
    }
}

impl WorkerMessage {
    /// Whether the store can keep it, as for a submission.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Reports(reports) => reports.iter().try_for_each(|report| match &report.outcome {
                // An outcome is its result, reason and message, and a little more.
                Outcome::Completed { result } if result.len() > MAX_OUTCOME_BYTES => Err(TOO_LARGE),
                Outcome::Failed { reason, message, result, .. }
                    if reason.len() + message.len() + result.len() > MAX_OUTCOME_BYTES =>
                {
                    Err(TOO_LARGE)
                }
                _ => Ok(()),
            }),
            Self::Output(pieces) => pieces.iter().try_for_each(|piece| check::bytes("bytes", &piece.bytes)),
            Self::Alive | Self::Serve(_) | Self::Unserve(_) | Self::Slots(_) => Ok(()),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Reports(reports) => reports.iter().map(|report| 64 + report.outcome.weight()).sum(),
            Self::Output(pieces) => pieces.iter().map(|piece| 64 + piece.bytes.len()).sum(),
            Self::Alive | Self::Serve(_) | Self::Unserve(_) | Self::Slots(_) => 0,
        }
    }
}

/// How large what an attempt leaves may be: result, reason and message together, in bytes.
pub const MAX_OUTCOME_BYTES: usize = MAX_PART_BYTES - 64;

const TOO_LARGE: StoreError =
    StoreError::Invalid { field: "outcome", reason: "is larger than 4 MiB less 64 bytes" };

impl Outcome {
    fn weight(&self) -> usize {
        match self {
            Self::Completed { result } => result.len(),
            Self::Failed { reason, message, result, .. } => reason.len() + message.len() + result.len(),
            Self::Cancelled => 0,
        }
    }
}

impl Message {
    /// About how much of a flush it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Submit(new, _) => new.weight(),
            Self::Decide { note, .. } => note.len(),
            Self::Worker(_, message) => message.weight(),
            Self::Cancel { .. } | Self::Progress(..) | Self::Attach(..) | Self::Detach(_) => 0,
        }
    }
}

/// A job in a worker's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Which.
    pub key: JobKey,
    /// The lease: goes back with everything that is said about it.
    pub fence: u32,
    /// How many attempts have failed before: the same number again is the same attempt, handed over anew.
    pub failures: u32,
    /// The queue that it came from.
    pub queue: String,
    /// What kind of work.
    pub kind: String,
    /// Id of its project.
    pub project: String,
    /// Name of its batch.
    pub batch_name: String,
    /// What to do.
    pub payload: Bytes,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which job.
    pub key: JobKey,
    /// Under which lease.
    pub fence: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a job has written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Which job.
    pub key: JobKey,
    /// Under which lease.
    pub fence: u32,
    /// Counts the pieces of an attempt from 1, without gaps. One that came before under the same lease is left out.
    pub sequence: i64,
    /// Which stream.
    pub stream: i32,
    /// What.
    pub bytes: Bytes,
}

/// A worker that comes.
#[derive(Clone, Debug)]
pub struct Attach {
    /// Its name, the same after a restart. Another connection of that name is ended.
    pub worker: String,
    /// How many jobs it takes at a time.
    pub slots: u32,
    /// What it serves.
    pub queues: Vec<String>,
    /// What it is still working on, with the leases: what it does not name is given to others.
    pub running: Vec<(JobKey, u32)>,
}

/// What a worker says.
#[derive(Clone, Debug)]
pub enum WorkerMessage {
    /// That it lives. Everything else says so too.
    Alive,
    /// It serves these queues too.
    Serve(Vec<String>),
    /// It does not serve these any more.
    Unserve(Vec<String>),
    /// It takes so many jobs at a time from now on.
    Slots(u32),
    /// Attempts have ended.
    Reports(Vec<Report>),
    /// Jobs have written something.
    Output(Vec<Written>),
}

/// What a worker is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// Jobs to start.
    Jobs(Vec<Assignment>),
    /// Jobs to stop, and why.
    Stop(Vec<(JobKey, u32, Stop)>),
    /// Reports that are on disk (true), or were refused because the lease is not the worker's (false).
    Recorded(Vec<(JobKey, u32, bool)>),
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, JobsError>>;

/// What is said to the engine.
pub(crate) enum Message {
    Submit(Box<Submission>, Answer<BatchView>),
    Cancel {
        batch: i64,
        number: Option<u32>,
        answer: Answer<()>,
    },
    Progress(Vec<i64>, Answer<HashMap<i64, Progress>>),
    /// Of a held batch: it goes, or is cancelled.
    Decide {
        batch: i64,
        goes: bool,
        note: Bytes,
        answer: Answer<()>,
    },
    Attach(Attach, Answer<Attached>),
    Worker(WorkerId, WorkerMessage),
    Detach(WorkerId),
}

/// Which connection. Numbers begin anew when a shard is opened again, so the epoch goes with them: what a connection
/// of before says late is not taken for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkerId {
    pub(crate) epoch: i64,
    pub(crate) number: u32,
}

/// A connection, as the engine gives it.
pub(crate) struct Attached {
    pub(crate) worker: WorkerId,
    pub(crate) lost: Vec<(JobKey, u32)>,
    pub(crate) events: mpsc::Receiver<WorkerEvent>,
}
