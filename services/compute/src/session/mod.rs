//! A layout while it runs: one simulation, followed by all who look.
//!
//! - [`engine`] is the simulation with pins and hands: no async, no clock.
//! - [`actor`] drives it: at most so many layouts at once, each in turn; [`step`] is what is done in
//!   a turn, on a blocking thread.
//! - [`follow`] keeps a copy of the graph true, which the engine takes changes from.
//! - [`snapshot`] is what a step leaves behind: immutable, shared by all viewers, encoded once.
//! - [`viewer`] makes one stream of events from the newest snapshot, at its client's rate.
//! - [`layouts`] knows all sessions: opens them on first use, lets go of those nobody needs.
//! - [`positions`] keeps where the nodes are while nothing runs; [`saving`] writes them, for one process at a time.

mod actor;
mod admission;
pub(crate) mod command;
mod engine;
pub(crate) mod follow;
pub(crate) mod layouts;
pub(crate) mod live;
mod meter;
mod positions;
mod ranking;
mod saving;
mod snapshot;
mod step;
mod turns;
pub(crate) mod viewer;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_proto::weft::compute::v1::LayoutState;
use weft_store::{LayoutRow, LayoutStore, LayoutUpdate, SavedUnder, Timestamp};

use self::{
    command::{Answer, Command, Hand},
    follow::Followed,
    live::Live,
    snapshot::{Snapshot, States},
};
pub(crate) use self::{layouts::Layouts, positions::Positions};
use crate::{
    Error,
    domain::{constraints::Constraints, pins::Pins},
    placement::Hold,
};

/// Commands that wait for the next step at most; whoever sends more waits.
const COMMANDS: usize = 256;

/// Why a session is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its layout was deleted.
    Deleted,
    /// Nobody needs it, or another takes its place.
    Unloaded,
    /// Another process has its layout, or may have it: nothing is written any more.
    Lost,
}

/// The handle of a layout in memory. Everything goes to its actor through here.
#[derive(Debug)]
pub(crate) struct Session {
    uid: Uuid,
    commands: mpsc::Sender<Command>,
    live: watch::Sender<Live>,
    frames: watch::Sender<Option<Arc<Snapshot>>>,
    /// What the next frames of differences may build on.
    states: States,
    followed: Arc<Followed>,
    /// The pins as they are.
    pins: Mutex<Arc<Pins>>,
    /// The pins as they were written last. Holding it is the right to write about this layout, so
    /// that what is written last is what is newest.
    written_pins: tokio::sync::Mutex<Arc<Pins>>,
    viewers: AtomicUsize,
    /// Calls and streams that need the session; changed only under the lock of [`Layouts`].
    uses: AtomicUsize,
    hands: AtomicU64,
    end: Mutex<Option<End>>,
    /// Something was changed that the actor should look at.
    wake: Notify,
    /// The actor has gone.
    over: CancellationToken,
    /// What it has of its layout.
    hold: watch::Sender<Hold>,
    /// Saves under its epoch.
    saves: AtomicI64,
    /// Which of them counts.
    saved: Mutex<SavedUnder>,
    /// Given when those who look are to look elsewhere.
    leaving: CancellationToken,
    /// Memory that it has, in MiB.
    memory: AtomicUsize,
    /// Why there was no memory for it, in MiB.
    no_room: Mutex<Option<NoRoom>>,
}

/// Memory that a session would have needed, that there was, and that there is for all, in MiB.
#[derive(Clone, Copy, Debug)]
struct NoRoom {
    needed: u64,
    free: u64,
    limit: u64,
}

impl Session {
    fn new(row: LayoutRow, pins: Pins, leaving: CancellationToken) -> (Arc<Self>, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let pins = Arc::new(pins);
        let mut live = Live::unloaded(Arc::new(row));
        live.state = LayoutState::Loading;
        let session = Self {
            uid: live.row.uid,
            commands,
            live: watch::Sender::new(live),
            frames: watch::Sender::new(None),
            states: States::default(),
            followed: Followed::new(),
            pins: Mutex::new(Arc::clone(&pins)),
            written_pins: tokio::sync::Mutex::new(pins),
            viewers: AtomicUsize::new(0),
            uses: AtomicUsize::new(0),
            hands: AtomicU64::new(0),
            end: Mutex::new(None),
            wake: Notify::new(),
            over: CancellationToken::new(),
            hold: watch::Sender::new(Hold::Asked),
            saves: AtomicI64::new(0),
            saved: Mutex::default(),
            leaving,
            memory: AtomicUsize::new(0),
            no_room: Mutex::default(),
        };
        session.follow_properties();
        (Arc::new(session), receiver)
    }

    /// What it is doing, and how many look.
    pub(crate) fn live(&self) -> (Live, usize) {
        (self.live.borrow().clone(), self.viewers.load(Ordering::Relaxed))
    }

    /// A number for a stream that will hold nodes.
    pub(crate) fn new_hand(&self) -> Hand {
        self.hands.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes over what the store has now. Older parameters or constraints are passed over.
    pub(crate) fn set_row(&self, row: LayoutRow) {
        self.live.send_modify(|live| {
            let known = &live.row;
            if row.version >= known.version && row.constraints_version >= known.constraints_version {
                live.row = Arc::new(row);
            }
        });
        self.follow_properties();
        self.wake.notify_one();
    }

    /// Asks for the properties that say which nodes the constraints concern.
    fn follow_properties(&self) {
        let row = Arc::clone(&self.live.borrow().row);
        if let Some(constraints) = Constraints::decode(&row.constraints) {
            self.followed.want(constraints.properties());
        }
    }

    /// The right to write about this layout.
    pub(crate) async fn writing(&self) -> tokio::sync::MutexGuard<'_, Arc<Pins>> {
        self.written_pins.lock().await
    }

    /// Waits until the graph has been fetched.
    ///
    /// # Errors
    /// The layout has failed.
    pub(crate) async fn loaded(&self) -> Result<(), Error> {
        let mut live = self.live.subscribe();
        let live = tokio::select! {
            decided = live.wait_for(|live| live.state != LayoutState::Loading) => {
                decided.expect("the session holds the sender").clone()
            }
            // Another process has it, or will.
            () = self.leaving.cancelled() => return Err(self.failed()),
            () = self.over.cancelled() => return Err(self.failed()),
        };
        if live.state == LayoutState::Failed { Err(self.failed()) } else { Ok(()) }
    }

    /// The ordinal of the node with a key; `None` where there is none, as far as the graph has been
    /// followed.
    pub(crate) fn ordinal(&self, key: &str) -> Option<u32> {
        self.followed.copy().as_ref()?.ordinal(key)
    }

    /// Sends a command; waits where too many are waiting already.
    ///
    /// # Errors
    /// The layout has failed.
    pub(crate) async fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| self.failed())
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// The layout has failed.
    pub(crate) async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Answer>) -> Command,
    ) -> Result<Answer, Error> {
        let (answer, reply) = oneshot::channel();
        self.send(command(answer)).await?;
        reply.await.map_err(|_| self.failed())
    }

    /// Waits until it is known that no other process has the layout.
    ///
    /// # Errors
    /// Another has it.
    pub(crate) async fn held(&self) -> Result<(), Error> {
        let mut hold = self.hold.subscribe();
        let decided =
            *hold.wait_for(|hold| *hold != Hold::Asked).await.expect("the session holds the sender");
        match decided {
            Hold::Has(_) => Ok(()),
            Hold::Asked | Hold::Lost => Err(self.refusal()),
        }
    }

    /// Why it is not, or no more, simulated here.
    fn refusal(&self) -> Error {
        let no_room = *self.no_room.lock().expect("nobody panics with the lock");
        match no_room {
            Some(NoRoom { needed, free, limit }) => {
                let layout = live::name(&self.live.borrow().row).to_string();
                Error::NoMemory { layout, needed, free, limit }
            }
            None => Error::Moving,
        }
    }

    /// Whether another process has the layout, or may have it.
    pub(crate) fn is_lost(&self) -> bool {
        *self.hold.borrow() == Hold::Lost
    }

    /// The epoch under which it is written about the layout; nothing where there is nobody else.
    pub(crate) fn epoch(&self) -> Option<i64> {
        match *self.hold.borrow() {
            Hold::Has(epoch) => epoch,
            // No epoch is that of a layout.
            Hold::Asked | Hold::Lost => Some(0),
        }
    }

    /// Another process has the layout, or may have it.
    fn lose(&self) {
        self.hold.send_replace(Hold::Lost);
        self.leaving.cancel();
        self.request_end(End::Lost);
    }

    fn failed(&self) -> Error {
        if self.is_lost() {
            return self.refusal();
        }
        if self.leaving.is_cancelled() {
            return Error::Draining;
        }
        let live = self.live.borrow();
        let message = if live.failure.is_empty() { "it is ending".to_owned() } else { live.failure.clone() };
        Error::LayoutFailed { layout: live::name(&live.row).to_string(), message }
    }

    /// Writes the pins to the store if they are not what was written last.
    pub(crate) async fn write_pins(&self, store: &dyn LayoutStore, at: Timestamp) -> Result<(), Error> {
        let mut written = self.writing().await;
        let pins = Arc::clone(&self.pins.lock().expect("nobody panics with the lock"));
        if Arc::ptr_eq(&written, &pins) {
            return Ok(());
        }
        let update = LayoutUpdate {
            uid: self.uid,
            expected_version: None,
            parameters: None,
            desired_state: None,
            pins: Some(pins.encode()),
            constraints: None,
            expected_constraints_version: None,
            held: self.epoch(),
            at,
        };
        let name = live::name(&self.live.borrow().row);
        // Without a request to remember it is always written.
        let _ = store.update_layout(update, None).await.map_err(Error::store(name))?;
        *written = pins;
        Ok(())
    }

    /// Asks the actor to end.
    fn request_end(&self, end: End) {
        *self.end.lock().expect("nobody panics with the lock") = Some(end);
        self.wake.notify_one();
    }

    fn requested_end(&self) -> Option<End> {
        *self.end.lock().expect("nobody panics with the lock")
    }

    /// Whether nothing moves.
    fn at_rest(&self) -> bool {
        !matches!(self.live.borrow().state, LayoutState::Running | LayoutState::Loading)
    }
}
