//! What the agent services' processes write to each other.

use std::{collections::HashMap, sync::Mutex};

use prost::{Enumeration, Message};
use tokio::sync::oneshot;
use uuid::Uuid;
use weft_proto::weft::agent::v1::{HostAnswer, HostQuestion};

/// Questions whose answers are waited for.
pub(crate) type Letters = Mutex<HashMap<Uuid, oneshot::Sender<Letter>>>;

/// One letter.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Letter {
    /// Names the question: the bytes of a UUID.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    /// The process that asks; empty in an answer.
    #[prost(string, tag = "2")]
    pub(crate) asker: String,
    /// The agent's identity.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) agent: Vec<u8>,
    /// How long the answer may take, in milliseconds.
    #[prost(uint64, tag = "4")]
    pub(crate) patience_ms: u64,
    #[prost(message, optional, tag = "5")]
    pub(crate) question: Option<HostQuestion>,
    #[prost(message, optional, tag = "6")]
    pub(crate) answer: Option<HostAnswer>,
    /// Why there is no answer.
    #[prost(enumeration = "Fault", tag = "7")]
    pub(crate) fault: i32,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum Fault {
    None = 0,
    /// The agent is not connected there.
    NotHere = 1,
    Silent = 2,
    Busy = 3,
    Failed = 4,
}

/// Those whose answers are waited for, held.
pub(crate) fn lock(letters: &Letters) -> std::sync::MutexGuard<'_, HashMap<Uuid, oneshot::Sender<Letter>>> {
    letters.lock().expect("nobody panics with it")
}
