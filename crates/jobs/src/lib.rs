//! The durable job engine: what must not be lost, handed to workers.
//!
//! A command to an agent and a step of a workflow are the same thing: a job that was accepted, waits for its turn, is
//! leased to a worker, and ends once. Jobs are accepted in *batches* of one or many, which share terms (priority, when,
//! how often, how many at once) and a payload; each job goes to a *queue*, and workers say which queues they serve.
//!
//! - *Accepted is on disk*: nobody is told anything before the flush that holds it is. All that happens while one
//!   flush is being written shares the next.
//! - *Disk is the truth, memory is the scheduler*: what may start next is decided from an index in memory, which is
//!   made of the disk's rows at the start. Nothing polls; a backlog costs its memory and nothing else.
//! - *Fair*: projects share by weight, priorities inside a project 16 : 4 : 1, first in first out inside a priority.
//! - *Exact limits*: how many execute under a key is counted from the jobs that do, which are on disk before a worker
//!   hears of them.
//! - *Once*: each hand-over has a number (the fence), and what is said under an old one is refused.
//!
//! `docs/adr/0012-jobs.md` says why it is shaped like this.

mod codec;
mod domain;
mod engine;
mod error;
mod jobs;
mod message;
mod options;
mod view;
mod watchers;

pub use crate::{
    domain::{
        model::{End, JobKey, Limit, Outcome, Priority, Retry, State, Stop, Terms},
        ready::{LaneKey, Limits, Pick, Ready},
    },
    error::JobsError,
    jobs::{Connection, Deps, Jobs, Sender},
    message::{
        Assignment, Attach, MAX_BATCH_JOBS, MAX_OUTCOME_BYTES, Report, Submission, WorkerEvent,
        WorkerMessage, Written,
    },
    options::Options,
    view::{BatchView, JobView, Progress},
};
