//! What analyses share: the store, the threads that they are computed on, and who runs here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use quick_cache::{Weighter, sync::Cache};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Notify, Semaphore, watch};
use tonic::Code;
use uuid::Uuid;
use weft_kit::{Clock, Ids, Lifecycle, Peer};
use weft_proto::weft::{
    compute::v1::Analysis,
    graph::v1::{GetGraphRequest, Graph, graph_service_client::GraphServiceClient},
};
use weft_store::{AnalysisStore, LayoutStore, StoreError, Timestamp, objects::Objects};

use super::{
    control::{Control, Stop},
    table::{self, Table},
};
use crate::{Error, Options, session::Positions};

/// How much less an analysis' thread gets of a core that a layout wants too: the value of `nice`, with which
/// Linux gives it a ninth of the other's share.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.01, 0.05, 0.2, 1.0, 5.0, 20.0, 60.0, 300.0];

/// Everything that analyses share.
pub(crate) struct Analyses {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn AnalysisStore>,
    pub(crate) layouts: Arc<dyn LayoutStore>,
    pub(crate) objects: Objects,
    pub(crate) positions: Positions,
    pub(crate) graph: GraphServiceClient<Peer>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) meter: Meter,
    /// This process, among those that share a store.
    pub(super) owner: Uuid,
    pool: Arc<ThreadPool>,
    /// MiB that nobody has.
    pub(crate) memory: Arc<Semaphore>,
    /// Somebody has accepted an analysis here, or given one back.
    pub(crate) offered: Notify,
    /// Changes when an analysis begins or ends here.
    pub(crate) changed: watch::Sender<()>,
    /// Acceptances take turns, so that a project's limit is exact in one process.
    pub(crate) accepting: tokio::sync::Mutex<()>,
    running: Mutex<HashMap<Uuid, Running>>,
    tables: Cache<Uuid, Arc<Table>, Bytes>,
}

/// An analysis that runs here.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) control: Arc<Control>,
    /// How it stands.
    pub(crate) states: watch::Receiver<Analysis>,
}

/// Counters of the analyses of one service.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(super) running: Gauge,
    pub(super) succeeded: Counter,
    pub(super) failed: Counter,
    pub(super) cancelled: Counter,
    pub(super) compute_duration: Histogram,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            running: Gauge::default(),
            succeeded: Counter::default(),
            failed: Counter::default(),
            cancelled: Counter::default(),
            compute_duration: Histogram::new(BUCKETS),
        }
    }
}

impl Meter {
    /// Shows the counters in a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("analyses_running", "Analyses that run here", self.running.clone());
        registry.register("analyses_succeeded", "Analyses that succeeded", self.succeeded.clone());
        registry.register("analyses_failed", "Analyses that ended with an error", self.failed.clone());
        registry.register("analyses_cancelled", "Analyses that somebody ended", self.cancelled.clone());
        registry.register_with_unit(
            "analysis_compute_duration",
            "Time that an analysis computed",
            Unit::Seconds,
            self.compute_duration.clone(),
        );
    }
}

/// Weighs values by their memory.
#[derive(Clone)]
struct Bytes;

impl Weighter<Uuid, Arc<Table>> for Bytes {
    fn weight(&self, _uid: &Uuid, table: &Arc<Table>) -> u64 {
        table.bytes() as u64 + 1
    }
}

impl Analyses {
    /// # Panics
    /// If the system gives no threads.
    pub(crate) fn new(
        options: Options,
        (store, layouts): (Arc<dyn AnalysisStore>, Arc<dyn LayoutStore>),
        (objects, positions): (Objects, Positions),
        graph: Peer,
        (clock, ids, lifecycle): (Clock, Ids, Lifecycle),
    ) -> Arc<Self> {
        Arc::new(Self {
            owner: ids.uuid(),
            pool: Arc::new(pool(options.analysis_threads)),
            memory: Arc::new(Semaphore::new(options.analysis_memory_mib as usize)),
            tables: Cache::with_weighter(64, u64::from(options.analysis_cache_mib) << 20, Bytes),
            options,
            store,
            layouts,
            objects,
            positions,
            graph: GraphServiceClient::new(graph),
            clock,
            ids,
            lifecycle,
            meter: Meter::default(),
            offered: Notify::new(),
            changed: watch::Sender::new(()),
            accepting: tokio::sync::Mutex::default(),
            running: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// Threads that an analysis is computed on.
    pub(crate) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// An analysis that runs here.
    pub(crate) fn running(&self, uid: Uuid) -> Option<Running> {
        self.lock().get(&uid).cloned()
    }

    pub(super) fn begun(&self, uid: Uuid, running: Running) {
        self.lock().insert(uid, running);
        self.meter.running.inc();
        self.changed.send_replace(());
    }

    pub(super) fn over(&self, uid: Uuid) {
        self.lock().remove(&uid);
        self.meter.running.dec();
        self.changed.send_replace(());
    }

    /// Asks an analysis to end, if it runs here.
    pub(crate) fn stop(&self, uid: Uuid, why: Stop) {
        if let Some(running) = self.running(uid) {
            running.control.stop(why);
        }
    }

    pub(super) fn stop_all(&self, why: Stop) {
        for running in self.lock().values() {
            running.control.stop(why);
        }
    }

    /// A graph as it is now.
    ///
    /// # Errors
    /// There is none of that name, or the graph service does not answer.
    pub(crate) async fn find_graph(&self, name: &str) -> Result<Graph, Error> {
        let answer = self.graph.clone().get_graph(GetGraphRequest { name: name.to_owned() }).await;
        answer.map(tonic::Response::into_inner).map_err(|status| match status.code() {
            Code::NotFound => Error::GraphNotFound(name.to_owned()),
            _ => Error::GraphUnavailable(status.message().to_owned()),
        })
    }

    /// Computes `what` on the threads of the analyses.
    ///
    /// # Errors
    /// That of the work; it panicked.
    pub(crate) async fn on_threads<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let pool = Arc::clone(&self.pool);
        tokio::task::spawn_blocking(move || pool.install(work)).await.unwrap_or_else(|panic| {
            tracing::error!(analysis = what, %panic, "an analysis panicked");
            Err(Error::Panicked)
        })
    }

    /// The values of an analysis that has so many rows.
    ///
    /// # Errors
    /// They are not there any more, or cannot be read.
    pub(crate) async fn table(&self, uid: Uuid, rows: usize, name: &str) -> Result<Arc<Table>, Error> {
        let lost = || Error::Unreadable { layout: name.to_owned(), what: "values" };
        let read = async {
            let table = table::load(&self.objects, uid, rows).await.map_err(Error::Store)?;
            table.map(Arc::new).ok_or_else(lost)
        };
        self.tables.get_or_insert_async(&uid, read).await
    }

    /// Forgets an analysis and its values, whatever it is doing. Whether it was there.
    pub(crate) async fn forget(&self, uid: Uuid) -> Result<bool, StoreError> {
        let found = match self.store.delete_analysis(uid).await {
            Ok(()) => true,
            Err(StoreError::NotFound { .. }) => false,
            Err(error) => return Err(error),
        };
        self.stop(uid, Stop::Lost);
        self.tables.remove(&uid);
        // What a job saves after this is forgotten by the job, which finds that it is gone.
        if let Err(error) = table::delete(&self.objects, uid).await {
            tracing::warn!(analysis = %uid, %error, "the values of an analysis are left over");
        }
        self.changed.send_replace(());
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Running>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Threads that give way to all others of the process.
fn pool(threads: usize) -> ThreadPool {
    let threads = match threads {
        0 => thread::available_parallelism().map_or(1, std::num::NonZero::get),
        given => given,
    };
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|number| format!("analysis-{number}"))
        .start_handler(|_| give_way())
        .build()
        .expect("the system gives threads")
}

#[cfg(target_os = "linux")]
fn give_way() {
    // On Linux the id of a thread stands for that thread alone. Where it is refused, nothing is lost but order.
    let me = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(me), NICENESS) {
        tracing::debug!(%error, "a thread for analyses keeps its usual priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

impl std::fmt::Debug for Analyses {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Analyses").field("running", &self.lock().len()).finish_non_exhaustive()
    }
}
