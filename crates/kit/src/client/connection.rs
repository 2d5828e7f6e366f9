//! One connection to a service: made when there is a call, made anew when it has ended, driven by a task of
//! its own.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use h2::{Ping, PingPong, client::SendRequest};
use tokio::sync::{Notify, watch};

use super::{
    dial::{Dial, Driven},
    health::Health,
};
use crate::{Lifecycle, together::together};

/// How often a connection is asked whether it still lives, and how long it has for the answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);

/// One connection to a service.
pub(super) struct Connection {
    dial: Arc<Dial>,
    /// Where to; `None` before the name was resolved: then it is looked up with each attempt.
    pub(super) address: Option<SocketAddr>,
    /// Of its address.
    pub(super) health: Arc<Health>,
    state: Mutex<State>,
    load: Arc<Load>,
}

/// The calls of a connection.
#[derive(Default)]
struct Load {
    /// Those whose answer has not ended.
    calls: AtomicUsize,
    /// Woken when there is none any more.
    idle: Notify,
}

/// A call, counted until this is dropped.
pub(super) struct Busy(Arc<Load>);

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.calls.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

#[derive(Default)]
struct State {
    /// Counts the connections that were made, so that the end of one is not taken for that of the next.
    generation: u64,
    way: Way,
}

#[derive(Default)]
enum Way {
    #[default]
    Closed,
    /// Whoever wants it waits for the same attempt.
    Connecting(watch::Receiver<Option<Attempt>>),
    Open(SendRequest<Bytes>),
}

/// How an attempt to connect ended.
type Attempt = Result<SendRequest<Bytes>, Arc<io::Error>>;

impl Connection {
    pub(super) fn new(dial: Arc<Dial>, address: Option<SocketAddr>, health: Arc<Health>) -> Self {
        Self { dial, address, health, state: Mutex::default(), load: Arc::default() }
    }

    /// Its address, and what tells it from others to the same address.
    pub(super) fn way(self: &Arc<Self>) -> (Option<SocketAddr>, usize) {
        (self.address, Arc::as_ptr(self).addr())
    }

    /// How many calls it has.
    pub(super) fn load(&self) -> usize {
        self.load.calls.load(Ordering::Relaxed)
    }

    /// Counts a call.
    pub(super) fn busy(&self) -> Busy {
        self.load.calls.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(&self.load))
    }

    /// What begins a call on it, once it is there. A call more than its server takes at once waits its turn.
    ///
    /// # Errors
    /// Why it could not be connected.
    pub(super) async fn sender(
        self: &Arc<Self>,
        lifecycle: &Lifecycle,
    ) -> Result<SendRequest<Bytes>, Arc<io::Error>> {
        if let Some(sender) = self.open() {
            return Ok(sender);
        }
        let mut attempt = self.attempt(lifecycle);
        match attempt.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().expect("it was waited for"),
            Err(_) => Err(Arc::new(io::Error::new(io::ErrorKind::ConnectionAborted, "the process ends"))),
        }
    }

    /// It, if it is there and takes calls.
    fn open(&self) -> Option<SendRequest<Bytes>> {
        let mut state = self.lock();
        let Way::Open(sender) = &mut state.way else { return None };
        // Ready at once: only a handle that has begun a call may have to wait.
        let mut context = Context::from_waker(std::task::Waker::noop());
        if let Poll::Ready(Err(_)) = sender.poll_ready(&mut context) {
            // Its server has said GOAWAY, or it has ended.
            state.way = Way::Closed;
            return None;
        }
        Some(sender.clone())
    }

    /// The attempt that is under way, or a new one.
    fn attempt(self: &Arc<Self>, lifecycle: &Lifecycle) -> watch::Receiver<Option<Attempt>> {
        let mut state = self.lock();
        match &state.way {
            Way::Connecting(attempt) => return attempt.clone(),
            Way::Open(sender) => return watch::channel(Some(Ok(sender.clone()))).1,
            Way::Closed => {}
        }
        state.generation += 1;
        let (tell, attempt) = watch::channel(None);
        state.way = Way::Connecting(attempt.clone());
        // A task of its own: whoever began it may give up, and others wait for it too.
        let task = Task {
            connection: Arc::downgrade(self),
            dial: Arc::clone(&self.dial),
            address: self.address,
            generation: state.generation,
            load: Arc::clone(&self.load),
        };
        let life = lifecycle.clone();
        lifecycle.spawn_future(async move { task.run(tell, &life).await });
        attempt
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up how the attempt, or the connection, of `generation` went on.
    fn set(&self, generation: u64, way: Way) {
        let mut state = self.lock();
        if state.generation == generation {
            state.way = way;
        }
    }
}

/// What connects, and then drives the connection until it ends. It does not keep the [`Connection`]: with
/// that, and the last call, it ends too.
struct Task {
    connection: Weak<Connection>,
    dial: Arc<Dial>,
    address: Option<SocketAddr>,
    generation: u64,
    load: Arc<Load>,
}

impl Task {
    async fn run(self, tell: watch::Sender<Option<Attempt>>, life: &Lifecycle) {
        let (sender, driven) = match self.dial.connect(self.address).await {
            Ok(dialled) => dialled,
            Err(error) => {
                self.set(Way::Closed);
                tell.send_replace(Some(Err(Arc::new(error))));
                return;
            }
        };
        self.set(Way::Open(sender.clone()));
        tell.send_replace(Some(Ok(sender)));
        drop(tell);
        let ended = self.drive(driven, life).await;
        self.set(Way::Closed);
        tracing::debug!(address = ?self.address, ?ended, "a connection has ended");
    }

    fn set(&self, way: Way) {
        if let Some(connection) = self.connection.upgrade() {
            connection.set(self.generation, way);
        }
    }

    async fn drive(&self, mut driven: Driven, life: &Lifecycle) -> Result<(), h2::Error> {
        let pings = driven.ping_pong().expect("nobody has taken it");
        let mut driven = pin!(together(driven));
        tokio::select! {
            biased;
            ended = &mut driven => return ended,
            () = unanswered(pings) => {
                tracing::debug!(address = ?self.address, "a connection does not answer any more");
                return Ok(());
            }
            () = self.no_use(life) => {}
        }
        // It ends by itself when nobody can begin a call on it, and the last one has ended.
        self.set(Way::Closed);
        driven.await
    }

    /// Waits until the process ends and there is no call.
    async fn no_use(&self, life: &Lifecycle) {
        life.draining().await;
        loop {
            let idle = self.load.idle.notified();
            if self.load.calls.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

/// Waits until the other side does not answer to a PING.
async fn unanswered(mut pings: PingPong) {
    loop {
        tokio::time::sleep(KEEP_ALIVE).await;
        let answer = tokio::time::timeout(KEEP_ALIVE_ANSWER, pings.ping(Ping::opaque())).await;
        if !matches!(answer, Ok(Ok(_))) {
            return;
        }
    }
}
