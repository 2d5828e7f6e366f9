//! Starts runs of workflow graphs by webhook, by time, by event and by hand, each once.
//!
//! A **trigger** is what starts runs of one graph: a webhook, a schedule, or what happens in its project. What comes to
//! it, a request, a tick, an event or somebody's hand, is a **delivery**: a row that is on disk before anybody is told that it was taken, and of which one
//! run is started, whatever dies in between.
//!
//! Invariants:
//! - A delivery that was acknowledged is on disk; its run is started, or its row says why not.
//! - A delivery that comes again starts nothing: its row is found for as long as it is kept. A run is started with a
//!   request id made of the trigger and the delivery, so that it is one run however often it is asked for.
//! - A tick and the time of the next one are one write, of who has the triggers. So are an event and the place up to
//!   which its trigger has looked: what happens while no process runs is found from there.
//! - A run has the rights of who created the trigger or changed it last; by hand, of whoever asks.
//! - Secrets are sealed at rest, and are in no answer, no log and no delivery.
//!
//! Where things are: what can be said without a clock, a disk or a wire in `domain` (signatures in `domain::webhook`,
//! times in `domain::schedule`), the group commit of deliveries in `intake`, what starts runs in `dispatch` (by way of `pending`), what ticks
//! in `scheduler`, what looks for events in `watch`, one file for each RPC in `rpc`. `docs/adr/0020-triggers.md` says why it is shaped like this.

mod config;
mod dispatch;
mod domain;
mod error;
mod intake;
mod limits;
mod looks;
mod meter;
mod news;
mod pending;
mod ready;
mod refusals;
mod room;
mod rpc;
mod scheduler;
mod seal;
mod service;
mod state;
mod task;
mod watch;

pub use config::Options;
pub use error::Error;
pub use service::TriggerService;
pub use state::Deps;
