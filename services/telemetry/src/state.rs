//! What the service holds, and every RPC works on.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use weft_bus::Bus;
use weft_kit::{Clock, Ids, Lifecycle, egress::Egress};
use weft_series::{Batch, promql::Limits};
use weft_store::{AlertStore, TelemetryStore, objects::Objects};

use crate::{
    Error, Options,
    alerts::{board::Boards, rule::Keeper, seal::Seal},
    ingest::delta::Deltas,
    samples::{
        incoming::{Incoming, Progress, Reporters},
        projects::{Projects, Shared},
        query::{Cached, View},
    },
};

/// What may wait to be written, in KiB of memory.
const ROOM: usize = 256 << 10;
/// How many may wait.
const WAITING: usize = 1_024;

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
    /// Whether all that was acknowledged is in memory.
    pub(crate) is_ready: AtomicBool,
    pub(crate) deltas: Deltas,
    reporters: Mutex<Reporters>,
    room: Arc<Semaphore>,
    queue: mpsc::Sender<Incoming>,
    /// Taken by the task that writes.
    pub(crate) incoming: tokio::sync::Mutex<mpsc::Receiver<Incoming>>,
}

impl State {
    pub(crate) fn open(options: Options, deps: Deps) -> Self {
        let (queue, incoming) = mpsc::channel(WAITING);
        Self {
            cached: Arc::new(Cached::new(deps.objects, options.cache_bytes)),
            owner: deps.owner,
            alert_store: deps.alerts,
            bus: deps.bus,
            egress: Egress::new(options.webhook_networks.clone()),
            seal: Seal::new(&deps.mesh_secret),
            alerts: Boards::default(),
            epoch: watch::Sender::new(0),
            options,
            store: deps.store,
            clock: deps.clock,
            ids: deps.ids,
            lifecycle: deps.lifecycle,
            projects: Projects::default(),
            is_ready: AtomicBool::new(false),
            deltas: Deltas::default(),
            reporters: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM)),
            queue,
            incoming: tokio::sync::Mutex::new(incoming),
        }
    }

    pub(crate) fn reporters(&self) -> MutexGuard<'_, Reporters> {
        self.reporters.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.ready()?;
        let cells: usize =
            batches.iter().map(|(_, batch)| batch.times.len() * (batch.columns.len() + 1)).sum();
        let room = u32::try_from(cells * 8 / 1_024 + 1).unwrap_or(u32::MAX).min(ROOM as u32);
        let room = Arc::clone(&self.room).acquire_many_owned(room).await.map_err(|_| Error::Draining)?;
        let (done, answer) = oneshot::channel();
        let incoming = Incoming { project: project.clone(), batches, progress, done, _room: room };
        self.queue.send(incoming).await.map_err(|_| Error::Draining)?;
        Ok(answer)
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
        let good = now - millis(self.options.retention)..=now + millis(self.options.max_ahead);
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
}
