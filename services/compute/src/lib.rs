//! Computation on graphs: live layouts, shared by everybody who looks, analyses, and live communities.
//!
//! # Promise
//! - **One simulation for all viewers** of a layout, which follows its graph as that changes.
//! - **A keyframe at once** for whoever comes late, and the newest frame at each viewer's own rate:
//!   one that reads slowly skips frames, and nobody waits for it.
//! - **Nothing that is not finite** ever leaves a layout.
//! - **A restart continues** where the nodes were: positions are saved when a layout settles, stops
//!   and ends, and every half minute while it runs.
//! - **An accepted analysis is not lost**: it is kept before the answer, and begun again where its
//!   process dies. Layouts come before analyses.
//! - **Bounded**: graphs, pins, viewers, sessions and running steps all have a limit with a typed
//!   error (`docs/errors/compute.md`).
//!
//! # Layout
//! ```text
//! config.rs   what an operator can set
//! error.rs    what is refused, and the status for it
//! service.rs  the contract's methods, one line each
//! rpc/        one file for each method
//! analysis/   jobs that compute on a whole graph
//! communities/ communities that are kept up to date while their graph changes
//! domain/     names, parameters, pins, the copy of a graph: decided without waiting
//! frames/     positions as bytes, both ways (docs/position-frames.md)
//! session/    a layout while it runs
//! placement/  which of several processes has which layout
//! ```
//!
//! # Example
//! ```no_run
//! # fn example(
//! #     store: std::sync::Arc<dyn weft_store::LayoutStore>,
//! #     analyses: std::sync::Arc<dyn weft_store::AnalysisStore>,
//! #     objects: weft_store::objects::Objects,
//! #     graph: weft_kit::Peer,
//! # ) -> Result<(), weft_compute::BadOption> {
//! use weft_compute::{ComputeService, Deps, Options};
//! use weft_kit::{Clock, Ids, Lifecycle};
//!
//! let lifecycle = Lifecycle::new();
//! let sharing = None;
//! let deps =
//!     Deps { store, analyses, objects, graph, sharing, clock: Clock::system(), ids: Ids::system(), lifecycle };
//! let service = ComputeService::open(Options::default(), deps)?;
//! let analyses = service.analyses().into_server();
//! let layouts = service.into_server();
//! # let _ = (layouts, analyses);
//! # Ok(())
//! # }
//! ```

mod analysis;
mod analysis_service;
mod communities;
mod config;
mod domain;
mod error;
pub mod frames;
mod placement;
mod rpc;
mod service;
mod session;

pub use analysis_service::AnalysisService;
pub use config::{BadOption, Options};
pub use error::Error;
pub use placement::Sharing;
pub use service::{ComputeService, Deps};
