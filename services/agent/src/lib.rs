//! The fleet: who belongs to it, how each agent is, and the streams that they keep open.
//!
//! An agent joins with an **enrolment token** and a key that it made itself; what it calls with are
//! short-lived access tokens, which it gets by signing a challenge. For as long as it lives it keeps a
//! stream open; a program's **session** goes on over lost connections.
//!
//! Invariants:
//! - A token lets in as many agents as it says, however many come at once; a private key never leaves its host.
//! - One program holds an agent's session. A second one with the same key, while the first still answers, is
//!   refused, and both are told of.
//! - What changes an agent is on disk before it is told; heartbeats are not written, but every few minutes.
//! - A change is a numbered revision: whoever watches misses none and needs no journal, because an agent as it is
//!   now stands for all that it was.
//! - No clock of an agent is relied on.
//!
//! Where things are: one file for each RPC in `rpc`, pure decisions in `domain`, the fleet in memory in
//! `fleet`, open streams in `sessions`, what processes say to each other in `notices`, what is asked of an agent about its
//! host in `host`, and in `mail` where another process holds its stream, collectors that speak OpAMP in
//! `opamp`, the line to the command service in `work`, what runs in the background in `task`, every status that a client can get in `error`.

mod collector_service;
mod config;
mod domain;
mod error;
mod fleet;
mod host;
mod host_service;
mod letter;
mod line;
mod mail;
mod notices;
mod opamp;
mod rpc;
mod service;
mod sessions;
mod state;
mod task;
mod work;

pub use collector_service::CollectorService;
pub use config::Options;
pub use error::Error;
pub use host_service::HostService;
pub use service::AgentService;
pub use state::Deps;
