//! The engine as services see it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hashbrown::HashMap;
use tokio::sync::{mpsc, oneshot, watch};
use weft_kit::{Clock, Ids, Lifecycle, TaskKind};
use weft_store::{BatchCount, BatchFilter, JobOutput, JobStore, StoreError, Timestamp, check};

use crate::{
    domain::model::JobKey,
    engine::{Engine, Parts},
    error::JobsError,
    message::{Attach, Attached, Message, Submission, WorkerEvent, WorkerId, WorkerMessage},
    options::Options,
    view::{BatchView, JobView, Progress},
    watchers::Watchers,
};

/// How many messages may wait for the engine; more callers wait for a place.
const QUEUE: usize = 4_096;
/// How often what is older than its retention is looked for, and how much of it goes in one write.
const SWEEP: Duration = Duration::from_mins(10);
const SWEEP_BATCHES: u32 = 50;

/// What the engine needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where jobs are kept.
    pub store: Arc<dyn JobStore>,
    /// What time it is.
    pub clock: Clock,
    /// Identities, and chance.
    pub ids: Ids,
    /// The life that its tasks belong to.
    pub lifecycle: Lifecycle,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deps").finish_non_exhaustive()
    }
}

/// The engine of one shard. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    messages: mpsc::Sender<Message>,
    store: Arc<dyn JobStore>,
    watchers: Arc<Watchers>,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").finish_non_exhaustive()
    }
}

impl Jobs {
    /// Starts the engine of a shard. It takes the shard as soon as nobody else has it; calls wait until then.
    pub fn start(shard: i32, options: Options, deps: Deps) -> Self {
        let (messages, received) = mpsc::channel(QUEUE);
        let watchers = Arc::new(Watchers::default());
        let retention = options.retention;
        let parts = Arc::new(Parts {
            number: shard,
            owner: deps.ids.short(),
            options,
            store: Arc::clone(&deps.store),
            clock: deps.clock.clone(),
            ids: deps.ids.clone(),
            watchers: Arc::clone(&watchers),
        });
        let received = Arc::new(tokio::sync::Mutex::new(received));
        deps.lifecycle.spawn("jobs", TaskKind::Background, move |life| {
            let (parts, received) = (Arc::clone(&parts), Arc::clone(&received));
            async move {
                let mut messages = received.lock().await;
                let ended = match open(&parts, &mut messages, &life).await {
                    Ok(Some(engine)) => Box::pin(engine.run(&mut messages, &life)).await,
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                };
                // Whoever waits is told to try again.
                while messages.try_recv().is_ok() {}
                ended
            }
        });
        let (store, clock) = (Arc::clone(&deps.store), deps.clock);
        deps.lifecycle.spawn("jobs-sweep", TaskKind::Background, move |life| {
            let (store, clock) = (Arc::clone(&store), clock.clone());
            async move {
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(SWEEP) => {}
                        () = life.draining() => return Ok::<_, StoreError>(()),
                    }
                    let before = Timestamp::from(clock.now()).before(retention);
                    while !life.is_draining() && store.forget_batches(before, SWEEP_BATCHES).await? > 0 {}
                }
            }
        });
        Self(Arc::new(Inner { messages, store: deps.store, watchers }))
    }

    async fn call<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<T, JobsError>>) -> Message,
    ) -> Result<T, JobsError> {
        let (answer, answered) = oneshot::channel();
        self.0.messages.send(message(answer)).await.map_err(|_| JobsError::NotReady)?;
        answered.await.map_err(|_| JobsError::NotReady)?
    }

    /// Accepts jobs: they are on disk when this answers. A repeat of a request gets the batch of the first.
    pub async fn submit(&self, new: Submission) -> Result<BatchView, JobsError> {
        new.check()?;
        self.call(|answer| Message::Submit(Box::new(new), answer)).await
    }

    /// Cancels the jobs of a batch that have not ended, or one of them. Those that execute are asked to stop.
    /// [`JobsError::NotFound`] if there are none.
    pub async fn cancel(&self, batch: i64, number: Option<u32>) -> Result<(), JobsError> {
        self.call(|answer| Message::Cancel { batch, number, answer }).await
    }

    /// Lets a held batch go, and changes its note. [`JobsError::NotFound`] if it is not held (any more).
    pub async fn release(&self, batch: i64, note: Bytes) -> Result<(), JobsError> {
        self.decide(batch, true, note).await
    }

    /// Cancels a held batch, and changes its note. [`JobsError::NotFound`] if it is not held (any more).
    pub async fn decline(&self, batch: i64, note: Bytes) -> Result<(), JobsError> {
        self.decide(batch, false, note).await
    }

    async fn decide(&self, batch: i64, goes: bool, note: Bytes) -> Result<(), JobsError> {
        check::bytes("note", &note)?;
        self.call(|answer| Message::Decide { batch, goes, note, answer }).await
    }

    /// A worker comes. Also gives those of the jobs it believes to have that are not its any more.
    pub async fn attach(&self, attach: Attach) -> Result<(Connection, Vec<(JobKey, u32)>), JobsError> {
        let Attached { worker, lost, events } = self.call(|answer| Message::Attach(attach, answer)).await?;
        Ok((Connection { worker, events, sender: Sender { worker, jobs: self.clone() } }, lost))
    }

    /// How far batches are; those that have ended are left out.
    pub async fn progress(&self, batches: Vec<i64>) -> Result<HashMap<i64, Progress>, JobsError> {
        self.call(|answer| Message::Progress(batches, answer)).await
    }

    /// What the jobs of a batch are handed to workers with; nothing where there is no such batch any more.
    pub async fn payload(&self, batch: i64) -> Result<Option<Bytes>, JobsError> {
        Ok(self.0.store.payloads(&[batch]).await?.pop().map(|(_, payload)| payload))
    }

    /// The batch that a request has made, if there is one. [`JobsError::RequestReused`] if its digest is another.
    pub async fn of_request(
        &self,
        request: &Bytes,
        digest: &[u8; 32],
    ) -> Result<Option<BatchView>, JobsError> {
        let found = self.0.store.find_batches(&[], std::slice::from_ref(request)).await?;
        let Some(row) = found.into_iter().next() else { return Ok(None) };
        if row.batch.request.as_ref().is_none_or(|(_, known)| known != digest) {
            return Err(JobsError::RequestReused);
        }
        Ok(Some(row.try_into()?))
    }

    /// The batch of that name.
    pub async fn get(&self, project: &str, name: &str) -> Result<BatchView, JobsError> {
        Ok(self.0.store.get_batch(project, name).await?.try_into()?)
    }

    /// Batches of a project, the newest first: those with a number below `before`, at most `limit`.
    pub async fn list(
        &self,
        project: &str,
        filter: &BatchFilter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<BatchView>, JobsError> {
        let rows = self.0.store.list_batches(project, filter, before, limit).await?;
        Ok(rows.into_iter().map(BatchView::try_from).collect::<Result<_, _>>()?)
    }

    /// Counts the batches of a project that were accepted at an instant or later.
    pub async fn count(&self, project: &str, since: Timestamp) -> Result<Vec<BatchCount>, JobsError> {
        Ok(self.0.store.count_batches(project, since).await?)
    }

    /// Jobs of a batch by number: those from `from`, at most `limit`.
    pub async fn jobs(&self, batch: i64, from: u32, limit: u32) -> Result<Vec<JobView>, JobsError> {
        let rows = self.0.store.list_jobs(batch, from.cast_signed(), limit).await?;
        Ok(rows.into_iter().map(JobView::try_from).collect::<Result<_, _>>()?)
    }

    /// Jobs of a batch that have changed after a place: flush and number of the last one that is known.
    pub async fn changed(
        &self,
        batch: i64,
        after: (i64, u32),
        limit: u32,
    ) -> Result<Vec<JobView>, JobsError> {
        let rows = self.0.store.changed_jobs(batch, (after.0, after.1.cast_signed()), limit).await?;
        Ok(rows.into_iter().map(JobView::try_from).collect::<Result<_, _>>()?)
    }

    /// Output of a job after a place: attempt and sequence of the last piece that is known.
    pub async fn outputs(
        &self,
        key: JobKey,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<JobOutput>, JobsError> {
        Ok(self.0.store.outputs(key.batch, key.number.cast_signed(), after, limit).await?)
    }

    /// Changes whenever something of a batch has. Look at the store after subscribing, and after each change.
    pub fn watch(&self, batch: i64) -> watch::Receiver<i64> {
        self.0.watchers.watch(batch)
    }
}

/// Waits for the shard, and opens it. While another process has it, whoever asks is told to try again.
async fn open<'a>(
    parts: &'a Parts,
    messages: &mut mpsc::Receiver<Message>,
    life: &Lifecycle,
) -> Result<Option<Engine<'a>>, StoreError> {
    loop {
        match Engine::open(parts).await {
            Ok(engine) => return Ok(Some(engine)),
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        // Another process has it. Looked at again when its lease may have ended.
        let look = tokio::time::sleep(parts.options.shard_lease / 3);
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = &mut look => break,
                () = life.draining() => return Ok(None),
                // Dropped, and its caller knows.
                refused = messages.recv() => if refused.is_none() { return Ok(None) },
            }
        }
    }
}

/// A worker's connection. When it is dropped the worker's jobs are given to others.
#[derive(Debug)]
pub struct Connection {
    worker: WorkerId,
    events: mpsc::Receiver<WorkerEvent>,
    sender: Sender,
}

/// The way from a worker to the engine.
#[derive(Clone, Debug)]
pub struct Sender {
    worker: WorkerId,
    jobs: Jobs,
}

impl Connection {
    /// What the worker is told next; nothing when the engine ends the connection.
    pub async fn next(&mut self) -> Option<WorkerEvent> {
        self.events.recv().await
    }

    /// The way back.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }
}

impl Sender {
    /// Says something to the engine. What a connection says that has ended is not heard.
    pub async fn send(&self, message: WorkerMessage) -> Result<(), JobsError> {
        message.check()?;
        self.jobs
            .0
            .messages
            .send(Message::Worker(self.worker, message))
            .await
            .map_err(|_| JobsError::NotReady)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let message = Message::Detach(self.worker);
        // Where the queue is full, the worker's lease ends instead.
        drop(self.sender.jobs.0.messages.try_send(message));
    }
}
