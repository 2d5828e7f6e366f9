//! Calling other services: in this process or far away, through the same generated client.
//!
//! [`Peers`] finds a service by name. [`remote`] makes a peer out of addresses: several
//! connections, balanced, with retries where the contract allows them, or where no service ever saw
//! the call. [`Outgoing`] adds what every call between services carries: who calls, the trace, the
//! deadline. [`Stranger`] is a service that is no part of the mesh: it gets no credential of ours.

mod attempt;
mod budget;
mod client_tls;
mod connection;
mod dial;
mod exchange;
mod found;
mod health;
#[cfg(test)]
mod hedged;
mod kept;
mod onward;
mod outgoing;
mod peers;
mod pool;
mod remote;
mod retry;
#[cfg(test)]
mod scripted;
mod stranger;
mod unseen;

pub use client_tls::ClientTls;
pub(crate) use client_tls::system_roots;
pub use health::Circuit;
pub use onward::Onward;
pub use outgoing::Outgoing;
pub use peers::Peers;
pub use remote::{Remote, remote};
pub use stranger::Stranger;
