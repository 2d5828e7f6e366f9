//! Runs workflow graphs durably: a journal of step events for each run, and a state that is a fold over it.
//!
//! A **workflow** is a graph whose nodes have kinds (`kinds`, one file each) with typed ports. An **execution** is one
//! run of it; a **step** is one of its nodes at work.
//!
//! Invariants:
//! - An execution that was accepted is on disk; asked again with the same request id it is the same execution.
//! - What a step gave is on disk before anything that follows from it acts outside, or is told to anybody.
//! - A step that has ended is not run again, whatever processes die, unless somebody retries it by hand.
//! - Every outward call of a step carries the same idempotency key, however often it is begun.
//! - The value of a secret is in no journal, no log and no answer.
//! - Waiting for a time, a signal or a person is a row on disk and nothing else.
//!
//! Where things are: the rules of a run in `domain` (pure: no clock, no disk, no wire), what nodes do in `kinds`, the
//! one task that owns a shard of executions in `engine` (with the tasks of workers, who speak in `rpc/attach_worker`), which of several processes has which shard in `placement`, workflows read from their graphs in `definitions`, one file for
//! each RPC in `rpc`, secrets in requests and in what comes of them in `secrets`, files of projects in `objects`, results of steps for those that would do the same again in `kept`, every status that a client can get in `error`. `docs/adr/0018-executions.md` says why it is shaped
//! like this.

mod config;
mod definitions;
mod domain;
mod engine;
mod error;
mod kept;
mod kinds;
mod objects;
mod placement;
mod rpc;
mod secrets;
mod service;
mod state;
mod task;
mod worker_service;

pub use config::Options;
pub use error::Error;
pub use objects::ObjectService;
pub use service::ExecutionService;
pub use state::Deps;
pub use worker_service::WorkerService;
