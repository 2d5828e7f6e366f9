//! Commands for agents: accepted once, kept until they have ended, handed to whoever holds the agents' streams.
//!
//! A **command** is a batch of the job engine (`weft-jobs`), a **target** is one of its jobs, and an agent is a queue
//! that only its own connection serves. A **command type** says what can be asked: a JSON Schema of the arguments,
//! what is done after a failure, how many at a time.
//!
//! Invariants:
//! - A command that was accepted is on disk, with all of its targets; asked again with the same request id it is the
//!   same command.
//! - Arguments follow the schema that their type had when they were accepted.
//! - What a schema marks as secret is sealed on disk, goes to the agent, and is shown nowhere.
//! - A target ends once. What an agent says under a lease that it does not have any more changes nothing.
//! - Agents are told what became of everything that they report, so that they know what to keep.
//!
//! Where things are: one file for each RPC in `rpc`, pure decisions in `domain`, command types in `types`, whom a
//! command is for in `agents`, the lines to processes that hold agents' streams in `lines` and `worker`, every status
//! that a client can get in `error`.

mod agents;
mod config;
mod domain;
mod error;
mod lines;
mod rpc;
mod service;
mod state;
mod task;
mod types;
mod worker;

pub use config::Options;
pub use error::Error;
pub use service::{CommandService, WorkerService};
pub use state::Deps;
