//! Sessions: what a client comes back to after its connection broke off.
//!
//! A session is a socket's task that goes on without a socket. Whoever comes back hands its new socket to that
//! task; here is where it is found.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use weft_kit::Ids;

use super::{deflate::Deflated, frame::Protocol, settings::Settings};

/// A client's connection.
pub(super) type Connection = WebSocketStream<Deflated<TokioIo<Upgraded>>>;

/// A client that is back.
pub(super) struct Return {
    pub(super) connection: Connection,
    pub(super) settings: Settings,
    pub(super) caller: Arc<str>,
    /// How many messages of the session it has.
    pub(super) received: u64,
}

/// The sessions of a gateway. They live no longer than its process.
#[derive(Debug)]
pub(crate) struct Sessions {
    ids: Ids,
    /// Most sessions without a connection.
    most_waiting: usize,
    open: Mutex<HashMap<[u8; 32], Open>>,
}

/// One caller may have this part of the sessions that wait: whoever drops sockets must not take the place
/// of all others.
const PART_OF_A_CALLER: usize = 16;

#[derive(Debug)]
struct Open {
    caller: Arc<str>,
    protocol: Protocol,
    door: mpsc::Sender<Box<Return>>,
    is_waiting: bool,
}

/// A session, as its task has it. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Session {
    /// What the client comes back with: a secret.
    pub(super) id: String,
    pub(super) caller: Arc<str>,
    sessions: Arc<Sessions>,
    door: mpsc::Receiver<Box<Return>>,
}

impl Sessions {
    /// No sessions; at most so many will be kept without a connection.
    pub(crate) fn new(ids: Ids, most_waiting: usize) -> Self {
        Self { ids, most_waiting, open: Mutex::default() }
    }

    /// Begins one.
    pub(super) fn begin(self: &Arc<Self>, caller: Arc<str>, protocol: Protocol) -> Session {
        let id = self.ids.secret();
        // One that knocks while another is let in finds the place taken, and begins anew.
        let (knock, door) = mpsc::channel(1);
        let open = Open { caller: Arc::clone(&caller), protocol, door: knock, is_waiting: false };
        self.open().insert(digest(&id), open);
        Session { id, caller, sessions: Arc::clone(self), door }
    }

    /// Hands a client's new connection to its session. Given back where there is none: unknown, over,
    /// somebody else's and of the other sub-protocol are all the same to a client.
    pub(super) fn hand_over(&self, id: &str, back: Box<Return>) -> Result<(), Box<Return>> {
        let open = self.open();
        // By digest: how long a comparison takes tells nothing about a secret.
        match open.get(&digest(id)) {
            Some(open) if open.caller == back.caller && open.protocol == back.settings.protocol => {
                open.door.try_send(back).map_err(mpsc::error::TrySendError::into_inner)
            }
            _ => Err(back),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<[u8; 32], Open>> {
        // Nothing panics while it is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// The client, when it is back. May be given up and called again.
    pub(super) async fn knocked(&mut self) -> Box<Return> {
        match self.door.recv().await {
            Some(back) => back,
            // The registry has the other end for as long as the session lives.
            None => std::future::pending().await,
        }
    }

    /// Whether there is room for it to wait for its client.
    pub(super) fn may_wait(&self) -> bool {
        let mut open = self.sessions.open();
        let waiting = open.values().filter(|open| open.is_waiting);
        let (all, own) =
            waiting.fold((0, 0), |(all, own), open| (all + 1, own + usize::from(open.caller == self.caller)));
        let most = self.sessions.most_waiting;
        let may = all < most && own < most.div_ceil(PART_OF_A_CALLER);
        if may && let Some(open) = open.get_mut(&digest(&self.id)) {
            open.is_waiting = true;
        }
        may
    }

    /// Its client is back.
    pub(super) fn goes_on(&self) {
        if let Some(open) = self.sessions.open().get_mut(&digest(&self.id)) {
            open.is_waiting = false;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sessions.open().remove(&digest(&self.id));
    }
}

fn digest(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}
