//! What the tests and the load generator share.
//!
//! - [`echo`] is a service of every shape of call, and [`runtime`] a runtime around it.
//! - [`mesh`] starts all services in this process, [`process`] the real program; [`database`] finds the
//!   servers that a mesh of several processes needs, [`servers`] starts some that may be killed. [`gateways`] stand beside one another.
//! - [`worker`] does tasks as a program of a client would.
//! - [`client`] calls a mesh, over [`http`], [`socket`] and [`wire`] also in ways that no decent client
//!   would, and [`refused`] reads what it gets for it. [`graphs`], [`layouts`] and
//!   [`workflows`] are short words for common calls.

pub mod client;
pub mod database;
pub mod echo;
pub mod gateways;
pub mod graphs;
pub mod http;
pub mod layouts;
pub mod mesh;
pub mod process;
pub mod refused;
pub mod runtime;
pub mod servers;
pub mod socket;
pub mod wire;
pub mod worker;
pub mod workflows;
