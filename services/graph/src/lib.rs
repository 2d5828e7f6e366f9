//! Graphs of typed nodes and edges: kept, changed by numbered revisions, searched, analysed, watched.
//!
//! Promises:
//! - **An answer means that it is on disk.** A change is a revision of the graph's journal; the
//!   journal is the truth, memory only reads it. What is in memory equals the journal after any kill.
//! - **A revision is whole or not at all**, for readers, watchers and after a crash.
//! - **Nothing is lost or doubled on the way to a watcher**: it resumes from any revision that the
//!   journal still has, and is told when it has not.
//! - **Everything is bounded**: graphs, elements, batches, imports, answers, watchers and memory each
//!   have a limit in [`Options`], and a refusal that names it.
//!
//! Where things are: one file for each RPC in `rpc`, pure logic in [`domain`] (memory, plans of
//! changes, filter, search, queries), loaded graphs and the way of a revision in `live`, file formats in
//! [`formats`], folders that graphs are brought up to date from in `source`, what runs in the background in `task`, every status that a client can get in `error`.
//!
//! ```no_run
//! # async fn example(deps: weft_graph::Deps) -> Result<(), Box<dyn std::error::Error>> {
//! use weft_graph::{GraphService, Options};
//!
//! let service = GraphService::open(Options::default(), deps)?;
//! let routes = tonic::service::Routes::new(service.into_server());
//! # drop(routes); Ok(()) }
//! ```

mod config;
pub mod domain;
mod error;
pub mod formats;
mod intake;
mod live;
mod rpc;
mod service;
mod source;
mod source_service;
mod state;
mod task;

pub use config::{FolderOptions, GraphLimits, Options};
pub use error::Error;
pub use service::GraphService;
pub use source_service::SourceService;
pub use state::Deps;
