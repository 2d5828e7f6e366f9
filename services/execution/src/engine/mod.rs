//! The engines as RPCs see them: one task for each shard of executions that this process has, and messages to it.

mod admission;
mod counting;
mod engines;
mod known;
mod limits;
mod live;
mod lives;
mod message;
mod meter;
mod outward;
mod pace;
mod remote;
mod room;
mod shard;
mod turns;
mod watchers;
mod workers;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use uuid::Uuid;
use weft_kit::{Clock, Ids, Lifecycle, TaskKind};
use weft_store::{ExecutionRow, ExecutionStore, StoreError, objects::Objects};

pub(crate) use counting::keys;
pub(crate) use engines::Engines;
pub(crate) use limits::Limits;
pub(crate) use live::load;
pub(crate) use message::{Asked, Attach, Attached, Creation, Newest, OfLimits, OfWorkers, Said};
use message::{Message, View};
pub(crate) use meter::Meter;
pub(crate) use outward::bounded;
pub(crate) use room::Room;
use shard::Shard;
pub(crate) use turns::Turns;
use watchers::Watchers;
pub(crate) use workers::{About, Handed, Line, Progress, Token, Told, Workers};

use crate::{
    Error, Options,
    definitions::Definitions,
    domain::{gate::Gate, run::Run, run_limit::RunLimit},
    kept::Kept,
    kinds::Outside,
};

/// How many messages may wait for the engine; more callers wait for a place.
const QUEUE: usize = 16_384;
/// How long between two looks whether a shard can be had that another process still has.
const LOOK: Duration = Duration::from_millis(500);

/// What the engines of a process work with.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) shard: i32,
    /// Of so many.
    pub(crate) shards: i32,
    /// Whether no other process can have them.
    pub(crate) is_alone: bool,
    pub(crate) owner: Uuid,
    /// What all shards of the process have together.
    pub(crate) room: Arc<Room>,
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn ExecutionStore>,
    pub(crate) objects: Objects,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) outside: Arc<Outside>,
    /// What is counted of workers.
    pub(crate) meter: Arc<Meter>,
    /// What steps gave before.
    pub(crate) kept: Arc<Kept>,
    /// Told when executions have ended, and it is on disk.
    pub(crate) ended: Arc<Notify>,
    /// Told when messages were published, and they are on disk.
    pub(crate) published: Arc<Notify>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) lifecycle: Lifecycle,
}

/// What the process wishes of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    /// To have it.
    has: bool,
    /// Changes where it has to be taken anew, because another process may have had it meanwhile.
    term: u64,
}

/// The engine of one shard.
pub(crate) struct Engine {
    messages: mpsc::Sender<Message>,
    watchers: Arc<Watchers>,
    wish: watch::Sender<Wish>,
    /// The epoch under which this process has the shard; 0 where it has not.
    epoch: Arc<AtomicI64>,
}

impl Engine {
    /// Starts the engine. While the shard is wanted, it takes it as soon as nobody else has it.
    fn start(parts: Parts, is_wanted: bool) -> Self {
        let (messages, received) = mpsc::channel(QUEUE);
        let watchers = Arc::new(Watchers::default());
        let wish = watch::Sender::new(Wish { has: is_wanted, term: 0 });
        let epoch = Arc::new(AtomicI64::new(0));
        let engine = Self {
            messages: messages.clone(),
            watchers: Arc::clone(&watchers),
            wish: wish.clone(),
            epoch: Arc::clone(&epoch),
        };
        let received = Arc::new(tokio::sync::Mutex::new(received));
        let lifecycle = parts.lifecycle.clone();
        let keeper = Arc::new(Keeper {
            parts: Arc::new(parts),
            messages,
            watchers,
            epoch,
            owns: AtomicBool::new(false),
        });
        lifecycle.spawn("executions", TaskKind::Background, move |life| {
            let (keeper, received, wish) = (Arc::clone(&keeper), Arc::clone(&received), wish.subscribe());
            async move { keeper.keep(&mut *received.lock().await, wish, &life).await }
        });
        engine
    }

    /// Says whether this process is to have the shard. One that it is not to have any more is given back soon.
    pub(crate) fn want(&self, has: bool) {
        self.wish.send_if_modified(|wish| std::mem::replace(&mut wish.has, has) != has);
    }

    /// Takes the shard anew, if this process has it under an epoch before that one: another may have had it meanwhile.
    pub(crate) fn renew(&self, epoch: i64) {
        if (1..epoch).contains(&self.epoch.load(Ordering::SeqCst)) {
            self.wish.send_modify(|wish| wish.term += 1);
        }
    }

    /// Whether this process has the shard.
    pub(crate) fn is_open(&self) -> bool {
        self.epoch.load(Ordering::SeqCst) != 0
    }

    /// Until another process is to have the shard, or may have it: what is watched here is not news any more.
    pub(crate) async fn gone(&self) {
        let mut wish = self.wish.subscribe();
        let term = wish.borrow().term;
        // It is kept for as long as this is.
        drop(wish.wait_for(|wish| !wish.has || wish.term != term).await);
    }

    async fn call<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Message,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(message(answer)).await.map_err(|_| Error::NotReady)?;
        answered.await.map_err(|_| Error::Interrupted)?
    }

    /// Accepts an execution: it is on disk when this answers. A repeat of a request gets the first one's.
    pub(crate) async fn create(&self, creation: Creation) -> Result<ExecutionRow, Error> {
        self.call(|answer| Message::Create(Box::new(creation), answer)).await
    }

    /// Does something with an execution; what came of it is on disk when this answers.
    pub(crate) async fn ask(&self, id: i64, asked: Asked) -> Result<(), Error> {
        self.call(|answer| Message::Ask(id, Box::new(asked), answer)).await
    }

    /// What is in memory of an execution, as `look` sees it; nothing where it is not.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        id: i64,
        look: impl FnOnce(&ExecutionRow, &Run) -> T + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let (answer, answered) = oneshot::channel();
        let view: View = Box::new(move |seen| {
            // Fails when the caller has gone away.
            drop(answer.send(seen.map(|(row, run)| look(row, run))));
        });
        self.messages.send(Message::Look(id, view)).await.map_err(|_| Error::NotReady)?;
        answered.await.map_err(|_| Error::NotReady)
    }

    /// Creates, changes or deletes a limit of runs: it is on disk, and counts, when this answers.
    pub(crate) async fn of_limits(&self, wanted: OfLimits) -> Result<Arc<RunLimit>, Error> {
        self.call(|answer| Message::OfLimits(Box::new(wanted), answer)).await
    }

    /// What `look` sees of the limits of runs, and of what waits for them.
    pub(crate) async fn look_at_limits<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Limits, &Gate) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        // Fails when the caller has gone away.
        let view = Box::new(move |limits: &Limits, gate: &Gate| drop(answer.send(look(limits, gate))));
        self.messages.send(Message::LookAtLimits(view)).await.map_err(|_| Error::NotReady)?;
        answered.await.map_err(|_| Error::NotReady)
    }

    /// A worker comes.
    pub(crate) async fn attach(&self, attach: Attach) -> Result<Attached, Error> {
        self.call(|answer| Message::OfWorkers(OfWorkers::Attach(Box::new(attach), answer))).await
    }

    /// A worker says something. Where the shard is not here any more nobody hears it, and its stream ends.
    pub(crate) async fn hear(&self, line: Line, said: Said) -> Result<(), Error> {
        let message = Message::OfWorkers(OfWorkers::Said(line, said));
        self.messages.send(message).await.map_err(|_| Error::NotReady)
    }

    /// What `look` sees of workers, and of what waits for them.
    pub(crate) async fn look_at_workers<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Workers, &Turns) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        // Fails when the caller has gone away.
        let view = Box::new(move |workers: &Workers, turns: &Turns| drop(answer.send(look(workers, turns))));
        self.messages.send(Message::LookAtWorkers(view)).await.map_err(|_| Error::NotReady)?;
        answered.await.map_err(|_| Error::NotReady)
    }

    /// Changes whenever something has happened to an execution that is on disk.
    pub(crate) fn watch(&self, id: i64) -> watch::Receiver<u64> {
        self.watchers.watch(id)
    }
}

/// Takes a shard, works for it and gives it back, as the process wishes.
struct Keeper {
    parts: Arc<Parts>,
    messages: mpsc::Sender<Message>,
    watchers: Arc<Watchers>,
    epoch: Arc<AtomicI64>,
    /// Whether the store may have this process as the shard's owner.
    owns: AtomicBool,
}

/// A shard is open until its task ends, however it does.
struct Closes<'a>(&'a AtomicI64);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

impl Keeper {
    async fn keep(
        &self,
        received: &mut mpsc::Receiver<Message>,
        mut wish: watch::Receiver<Wish>,
        life: &Lifecycle,
    ) -> Result<(), Infallible> {
        loop {
            let wished = *wish.borrow_and_update();
            let ends = life.is_draining();
            let done = if wished.has && !ends {
                self.work(received, (&mut wish, wished.term), life).await
            } else {
                self.give_back().await
            };
            // Whoever waits is told to try again.
            while let Ok(message) = received.try_recv() {
                message.refuse();
            }
            if let Err(error) = &done {
                tracing::warn!(%error, shard = self.parts.shard, "a shard of executions is not kept; it is tried again");
            }
            let owns = self.owns.load(Ordering::SeqCst);
            if ends && !owns {
                return Ok(());
            }
            let look = tokio::time::sleep(if matches!(done, Ok(true)) { Duration::ZERO } else { LOOK });
            tokio::pin!(look);
            loop {
                tokio::select! {
                    () = &mut look, if wished.has || owns => break,
                    changed = wish.changed() => if changed.is_err() { return Ok(()) } else { break },
                    () = life.draining(), if !ends => break,
                    asked = received.recv() => match asked {
                        Some(message) => message.refuse(),
                        None => return Ok(()),
                    },
                }
            }
        }
    }

    /// Works for the shard, if it can be had. Whether it was.
    async fn work(
        &self,
        received: &mut mpsc::Receiver<Message>,
        (wish, term): (&mut watch::Receiver<Wish>, u64),
        life: &Lifecycle,
    ) -> Result<bool, StoreError> {
        self.owns.store(true, Ordering::SeqCst);
        let opened = Shard::open(Arc::clone(&self.parts), self.messages.clone(), Arc::clone(&self.watchers));
        let shard = match opened.await {
            Ok(shard) => shard,
            Err(StoreError::AlreadyExists { .. }) => {
                self.owns.store(false, Ordering::SeqCst);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.epoch.store(shard.owned.epoch, Ordering::SeqCst);
        let _closes = Closes(&self.epoch);
        Box::pin(shard.run(received, life, (wish, term))).await?;
        Ok(true)
    }

    /// Gives the shard back, if the store may have this process as its owner: nobody else can take it as long as it does.
    async fn give_back(&self) -> Result<bool, StoreError> {
        if self.owns.load(Ordering::SeqCst) {
            self.parts.store.leave_executions(self.parts.shard, self.parts.owner).await?;
            self.owns.store(false, Ordering::SeqCst);
        }
        Ok(false)
    }
}
