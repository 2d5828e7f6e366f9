//! The processes of a service that share its work over one store, and calls that find the one that has what they are about.
//!
//! ```text
//! members.rs  the processes that are there, and the lease of this one
//! ring.rs     which process something belongs to, if nobody has it
//! origin.rs   a call that is handed on, once, in its caller's name
//! ```
//!
//! A process is a *member* for as long as it prolongs its lease. Who has what is the affair of each service, which writes it down
//! beside what it writes, under an epoch: a layout, a shard of executions. What somebody has counts for as long as their lease.

mod members;
mod origin;
mod ring;

use std::sync::Arc;

use uuid::Uuid;
use weft_kit::Peer;
use weft_store::{MemberStore, StoreError};

pub use crate::{
    members::Members,
    origin::{Origin, is_lost, is_unreachable},
};

/// How another process is called, by the address that it has made known. The caller's credential goes with each call.
pub type Dial = Arc<dyn Fn(&str) -> Result<Peer, String> + Send + Sync>;

/// What a process needs to share work with others.
#[derive(Clone)]
pub struct Sharing {
    /// Where it is kept who is there.
    pub store: Arc<dyn MemberStore>,
    /// The service whose work it is: its processes are told apart from those of others by it.
    pub service: &'static str,
    /// Identity of this life of the process.
    pub uid: Uuid,
    /// Where the others reach this process, for example `http://10.0.0.7:8080`.
    pub address: String,
    /// How the others are called.
    pub dial: Dial,
}

impl std::fmt::Debug for Sharing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { service, uid, address, .. } = self;
        formatter
            .debug_struct("Sharing")
            .field("service", service)
            .field("uid", uid)
            .field("address", address)
            .finish_non_exhaustive()
    }
}

/// Where a call is answered.
#[derive(Debug)]
pub enum Place {
    /// By this process.
    Here,
    /// By another one.
    There {
        /// How it is called.
        peer: Peer,
        /// It has what the call is about. Otherwise it would only be its turn to take it.
        held: bool,
    },
}

/// Why it cannot be known where something is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This process was silent for so long that others may take what it has.
    #[error("the lease of this process is over")]
    Lapsed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
