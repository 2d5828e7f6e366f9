//! The engine as RPCs see it: the one task that owns a shard of executions, and messages to it.

mod admission;
mod counting;
mod known;
mod limits;
mod live;
mod lives;
mod message;
mod outward;
mod shard;
mod turns;
mod watchers;

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use weft_kit::{Clock, Ids, Lifecycle, TaskKind};
use weft_store::{ExecutionRow, ExecutionStore, StoreError, objects::Objects};

pub(crate) use counting::keys;
pub(crate) use limits::Limits;
pub(crate) use live::load;
pub(crate) use message::{Asked, Creation, Newest, OfLimits};
use message::{Message, View};
use shard::Shard;
use watchers::Watchers;

use crate::{
    Error, Options,
    definitions::Definitions,
    domain::{gate::Gate, run::Run, run_limit::RunLimit},
    kinds::Outside,
};

/// How many messages may wait for the engine; more callers wait for a place.
const QUEUE: usize = 16_384;

/// What the engine works with.
pub(crate) struct Parts {
    pub(crate) shard: i32,
    pub(crate) owner: String,
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn ExecutionStore>,
    pub(crate) objects: Objects,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) outside: Arc<Outside>,
    /// Told when executions have ended, and it is on disk.
    pub(crate) ended: Arc<Notify>,
    /// Told when messages were published, and they are on disk.
    pub(crate) published: Arc<Notify>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) lifecycle: Lifecycle,
}

/// The engine of one shard.
pub(crate) struct Engine {
    messages: mpsc::Sender<Message>,
    watchers: Arc<Watchers>,
}

impl Engine {
    /// Starts the engine. It takes the shard as soon as nobody else has it.
    pub(crate) fn start(parts: Parts) -> Self {
        let (messages, received) = mpsc::channel(QUEUE);
        let watchers = Arc::new(Watchers::default());
        let engine = Self { messages: messages.clone(), watchers: Arc::clone(&watchers) };
        let received = Arc::new(tokio::sync::Mutex::new(received));
        let lifecycle = parts.lifecycle.clone();
        let parts = Arc::new(parts);
        lifecycle.spawn("executions", TaskKind::Background, move |life| {
            let (parts, received, watchers) =
                (Arc::clone(&parts), Arc::clone(&received), Arc::clone(&watchers));
            let messages = messages.clone();
            async move {
                let mut received = received.lock().await;
                let ended = match open(&parts, &mut received, messages, &watchers, &life).await {
                    Ok(Some(shard)) => Box::pin(shard.run(&mut received, &life)).await,
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                };
                // Whoever waits is told to try again.
                while received.try_recv().is_ok() {}
                ended
            }
        });
        engine
    }

    async fn call<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Message,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(message(answer)).await.map_err(|_| Error::NotReady)?;
        answered.await.map_err(|_| Error::NotReady)?
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

    /// Changes whenever something has happened to an execution that is on disk.
    pub(crate) fn watch(&self, id: i64) -> watch::Receiver<u64> {
        self.watchers.watch(id)
    }
}

/// Waits for the shard, and opens it. While another process has it, whoever asks is told to try again.
async fn open(
    parts: &Arc<Parts>,
    received: &mut mpsc::Receiver<Message>,
    messages: mpsc::Sender<Message>,
    watchers: &Arc<Watchers>,
    life: &Lifecycle,
) -> Result<Option<Shard>, StoreError> {
    loop {
        match Shard::open(Arc::clone(parts), messages.clone(), Arc::clone(watchers)).await {
            Ok(shard) => return Ok(Some(shard)),
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        let look: Duration = parts.options.shard_lease / 3;
        let look = tokio::time::sleep(look);
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = &mut look => break,
                () = life.draining() => return Ok(None),
                // Dropped, and its caller knows.
                refused = received.recv() => if refused.is_none() { return Ok(None) },
            }
        }
    }
}
