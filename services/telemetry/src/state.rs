//! What the service holds, and every RPC works on.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use uuid::Uuid;
use weft_bus::Bus;
use weft_kit::{Clock, Ids, Lifecycle, egress::Egress, seal::Seal};
use weft_series::{Batch, promql::Limits};
use weft_store::{AlertStore, TelemetryStore, objects::Objects};

use crate::{
    Error, Options,
    alerts::{board::Boards, rule::Keeper},
    events::{Kind, chunk::Chunk, incoming::NewChunk, rate::Rates, repeats::Repeats, scan},
    ingest::delta::Deltas,
    samples::{
        incoming::{Content, Incoming, Progress, Reporters},
        policy::Policies,
        projects::{Projects, Shared},
        query::{Cached, View},
    },
};

/// What may wait to be written, in KiB of memory.
const ROOM: usize = 256 << 10;
/// How many may wait.
const WAITING: usize = 1_024;
/// Chunks of logs that one who watches may be behind.
const BEHIND: usize = 64;

/// A chunk of logs that has arrived, and its project.
pub(crate) type Arrival = (Arc<str>, Arc<Chunk>);

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where the log and the rows of segments are kept.
    pub store: Arc<dyn TelemetryStore>,
    /// Where rules, silences and alerts are kept.
    pub alerts: Arc<dyn AlertStore>,
    /// Where segments are kept.
    pub objects: Objects,
    /// Where other services hear of alerts.
    pub bus: Arc<dyn Bus>,
    /// The mesh's secret: what seals secrets of webhooks is derived from it.
    pub mesh_secret: [u8; 32],
    /// Who has the log, for the store: a name that no process has which may run at the same time. Where a database is
    /// one process's alone it is always the same, so that the next process need not wait for the lease of one that was
    /// killed.
    pub owner: String,
    /// The time.
    pub clock: Clock,
    /// New identities.
    pub ids: Ids,
    /// The process's life.
    pub lifecycle: Lifecycle,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Deps").finish_non_exhaustive()
    }
}

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn TelemetryStore>,
    pub(crate) alert_store: Arc<dyn AlertStore>,
    pub(crate) cached: Arc<Cached>,
    pub(crate) bus: Arc<dyn Bus>,
    /// What calls webhooks.
    pub(crate) egress: Egress,
    /// What seals their secrets.
    pub(crate) seal: Seal,
    /// What clients are shown of alerts.
    pub(crate) alerts: Boards,
    /// Under which epoch this process has the log; 0 while it has not.
    pub(crate) epoch: watch::Sender<i64>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) lifecycle: Lifecycle,
    /// Who has the log, for the store.
    pub(crate) owner: String,
    pub(crate) projects: Projects,
    /// How long samples are kept, and how they are thinned out.
    pub(crate) policies: Arc<Policies>,
    /// Whether all that was acknowledged is in memory.
    pub(crate) is_ready: AtomicBool,
    pub(crate) deltas: Deltas,
    /// How fast projects send logs and spans.
    pub(crate) rates: Rates,
    /// Logs that arrive, for those who watch.
    pub(crate) arrivals: broadcast::Sender<Arrival>,
    repeats: Mutex<Repeats>,
    merged: Mutex<Vec<Uuid>>,
    reporters: Mutex<Reporters>,
    room: Arc<Semaphore>,
    queue: mpsc::Sender<Incoming>,
    /// Taken by the task that writes.
    pub(crate) incoming: tokio::sync::Mutex<mpsc::Receiver<Incoming>>,
}

impl State {
    pub(crate) fn open(options: Options, deps: Deps) -> Self {
        let (queue, incoming) = mpsc::channel(WAITING);
        let policies = Arc::new(Policies::of(&options));
        Self {
            cached: Arc::new(Cached::new(deps.objects, options.cache_bytes)),
            owner: deps.owner,
            alert_store: deps.alerts,
            bus: deps.bus,
            egress: Egress::new(options.webhook_networks.clone()),
            seal: Seal::new(&deps.mesh_secret, "weft webhook secrets v1"),
            alerts: Boards::default(),
            epoch: watch::Sender::new(0),
            options,
            store: deps.store,
            clock: deps.clock,
            ids: deps.ids,
            lifecycle: deps.lifecycle,
            projects: Projects::new(Arc::clone(&policies)),
            policies,
            is_ready: AtomicBool::new(false),
            deltas: Deltas::default(),
            rates: Rates::default(),
            arrivals: broadcast::Sender::new(BEHIND),
            repeats: Mutex::default(),
            merged: Mutex::default(),
            reporters: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM)),
            queue,
            incoming: tokio::sync::Mutex::new(incoming),
        }
    }

    pub(crate) fn reporters(&self) -> MutexGuard<'_, Reporters> {
        self.reporters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exports of logs and spans that are known.
    pub(crate) fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks that were merged into others, and whose objects are still there.
    pub(crate) fn merged(&self) -> MutexGuard<'_, Vec<Uuid>> {
        self.merged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What looks at rules.
    pub(crate) fn rules(&self) -> Keeper<'_> {
        Keeper { egress: &self.egress, seal: &self.seal, ids: &self.ids }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        weft_store::Timestamp::from(self.clock.now()).as_micros() / 1_000
    }

    /// Refuses while not all that was acknowledged is in memory.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        if self.is_ready.load(Ordering::Acquire) { Ok(()) } else { Err(Error::NotReady) }
    }

    /// Hands samples over to be written. What comes back answers when they are on disk.
    pub(crate) async fn submit(
        &self,
        project: &Shared,
        batches: Vec<(u32, Batch)>,
        progress: Option<Progress>,
    ) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let cells: usize =
            batches.iter().map(|(_, batch)| batch.times.len() * (batch.columns.len() + 1)).sum();
        self.queue(project, Content::Samples { batches, progress }, cells * 8).await
    }

    /// Puts something into the line before the log. What comes back answers when it is on disk.
    async fn queue(
        &self,
        project: &Shared,
        content: Content,
        bytes: usize,
    ) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        self.ready()?;
        let room = u32::try_from(bytes / 1_024 + 1).unwrap_or(u32::MAX).min(ROOM as u32);
        let room = Arc::clone(&self.room).acquire_many_owned(room).await.map_err(|_| Error::Draining)?;
        let (done, answer) = oneshot::channel();
        let incoming = Incoming { project: project.clone(), content, done, _room: room };
        self.queue.send(incoming).await.map_err(|_| Error::Draining)?;
        Ok(answer)
    }

    /// Writes logs or spans, and comes back when they are on disk.
    pub(crate) async fn write_events(
        &self,
        project: &Shared,
        kind: Kind,
        chunks: Vec<NewChunk>,
    ) -> Result<(), Error> {
        self.ready()?;
        let mut answers = Vec::with_capacity(chunks.len());
        for new in chunks {
            let bytes = new.chunk.bytes() + new.packed.len();
            answers.push(self.queue(project, Content::Events(kind, Box::new(new)), bytes).await?);
        }
        for answer in answers {
            answer.await.unwrap_or(Err(Error::NotReady))?;
        }
        Ok(())
    }

    /// Writes samples, and comes back when they are on disk.
    pub(crate) async fn write(&self, project: &Shared, batches: Vec<(u32, Batch)>) -> Result<(), Error> {
        if batches.is_empty() {
            return self.ready();
        }
        let answer = self.submit(project, batches, None).await?;
        answer.await.unwrap_or(Err(Error::NotReady))
    }

    /// Takes rows out whose time cannot be right, or that would be forgotten at once; gives how many samples those
    /// had.
    pub(crate) fn refuse_times(&self, batch: &mut Batch) -> u64 {
        let now = self.now();
        let millis = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 2);
        let good = now - self.policies.longest()..=now + millis(self.options.max_ahead);
        if batch.times.iter().all(|time| good.contains(time)) {
            return 0;
        }
        let before = batch.sample_count();
        let keep: Vec<bool> = batch.times.iter().map(|time| good.contains(time)).collect();
        let mut rows = keep.iter();
        batch.times.retain(|_| rows.next().copied().unwrap_or(false));
        for (_, values) in &mut batch.columns {
            let mut rows = keep.iter();
            values.retain(|_| rows.next().copied().unwrap_or(false));
        }
        (before - batch.sample_count()) as u64
    }

    /// Events of a kind that are older than this are forgotten: nanoseconds since 1970.
    pub(crate) fn oldest(&self, kind: Kind) -> i64 {
        let age = i64::try_from(self.options.keeps(kind).as_nanos()).unwrap_or(i64::MAX);
        (self.now() * 1_000_000).saturating_sub(age)
    }

    /// How much a query may use, from now on.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            series: self.options.query_series,
            samples: self.options.query_samples,
            deadline: Some(std::time::Instant::now() + self.options.query_timeout),
            ..Limits::default()
        }
    }

    /// Runs work that reads samples, where it may take long and may wait for objects.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        project: &str,
        work: impl FnOnce(&View) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.ready()?;
        let project = self.projects.find(project);
        let view =
            View { project, cached: Arc::clone(&self.cached), wait: tokio::runtime::Handle::current() };
        let asked = tokio::task::spawn_blocking(move || work(&view)).await;
        asked.map_err(|_| Error::Query(weft_series::promql::Failure::Source("a query broke off".into())))?
    }

    /// Runs work that looks through logs or spans, where it may take long and may wait for objects.
    pub(crate) async fn look<T: Default + Send + 'static>(
        &self,
        kind: Kind,
        project: &str,
        work: impl FnOnce(&scan::View) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.ready()?;
        let Some(project) = self.projects.find(project) else { return Ok(T::default()) };
        let view = scan::View {
            kind,
            project,
            cached: Arc::clone(&self.cached),
            wait: tokio::runtime::Handle::current(),
            deadline: std::time::Instant::now() + self.options.query_timeout,
        };
        let looked = tokio::task::spawn_blocking(move || work(&view)).await;
        looked.map_err(|_| Error::Query(weft_series::promql::Failure::Source("a search broke off".into())))?
    }
}
