//! What every service of the mesh shares: how it is served, called, guarded, observed and ended.
//!
//! A service crate meets four things of this crate:
//!
//! - [`Call`]: what a handler gets. The caller is known and may call, the message keeps its
//!   contract, the deadline is running.
//! - [`Problem`]: what a handler refuses with. It becomes a gRPC status with details.
//! - [`Clock`], [`Ids`], [`Lifecycle`]: time, identities and tasks, handed in, never global.
//! - [`Peer`]: what a generated client of another service talks to, local or remote.
//!
//! The rest is for whoever assembles a process: [`server`] takes requests in, [`client`] sends
//! them out, [`auth`] knows callers, [`config`] reads settings, [`metrics`] and [`observe`] tell
//! what happens.

mod audience;
pub mod auth;
mod call;
mod caller;
pub mod client;
mod clock;
pub mod config;
pub mod cursor;
pub mod egress;
pub mod filter;
mod ids;
pub mod json;
mod lifecycle;
pub mod metrics;
pub mod observe;
pub mod order;
pub mod paging;
mod peer;
pub mod problem;
mod respond;
pub mod seal;
pub mod server;
mod signal;
pub mod span;
pub mod timeout;
mod together;
pub mod words;

pub use audience::Audience;
pub use call::{Call, Messages};
pub use caller::{Caller, CallerKind, MESH_PROJECT, Role, project_of};
pub use clock::Clock;
pub use ids::Ids;
pub use lifecycle::{Lifecycle, TaskKind};
pub use peer::{BoxError, Peer};
pub use problem::{DOMAIN, Problem};
pub use respond::{Respond, Responding};
