//! Which graphs are loaded? Found by name, loaded once, unloaded when memory is short.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hashbrown::HashMap;
use prost::Message;
use tokio::sync::OnceCell;
use weft_bus::{Bus, Received, Subscription};
use weft_kit::{Clock, Lifecycle};
use weft_proto::weft::graph::v1::GraphRevision;
use weft_store::{GraphRow, GraphStore};

use super::{
    Live, checkpoint, graph_name,
    load::{catch_up, gone, load},
};
use crate::{Error, Options};

/// The topic of the bus that tells other services of every change of every graph: a [`GraphRevision`].
const REVISIONS: &str = "graph.revisions";

/// All graphs that this process has in memory.
pub(crate) struct Graphs {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn GraphStore>,
    pub(super) bus: Arc<dyn Bus>,
    pub(crate) clock: Clock,
    pub(crate) life: Lifecycle,
    loaded: Mutex<HashMap<String, Slot>>,
    uses: AtomicU64,
}

/// A graph that is loaded or being loaded: whoever comes meanwhile waits for the same.
type Slot = Arc<OnceCell<Arc<Live>>>;

impl Graphs {
    pub(crate) fn new(
        options: Options,
        store: Arc<dyn GraphStore>,
        bus: Arc<dyn Bus>,
        clock: Clock,
        life: Lifecycle,
    ) -> Arc<Self> {
        let loaded = Mutex::default();
        Arc::new(Self { options, store, bus, clock, life, loaded, uses: AtomicU64::new(0) })
    }

    /// The graph of that name, loaded if it is not.
    pub(crate) async fn get(self: &Arc<Self>, name: &str) -> Result<Arc<Live>, Error> {
        let (project, id) = split_name(name)?;
        let slot = {
            let mut loaded = self.loaded.lock().expect("nobody panics with it");
            if let Some(slot) = loaded.get(name) {
                Arc::clone(slot)
            } else {
                let slot = Slot::default();
                loaded.insert(name.to_owned(), Arc::clone(&slot));
                slot
            }
        };
        if let Some(live) = slot.get() {
            return self.in_use(live);
        }
        // Boxed, or every call of a graph that is loaded would carry the room of loading it.
        let live = Box::pin(slot.get_or_try_init(|| async {
            let row = self.store.get_graph(project, id).await.map_err(|error| gone(name, error))?;
            self.load(row).await
        }))
        .await;
        match live {
            Ok(live) => self.in_use(live),
            Err(error) => {
                let mut loaded = self.loaded.lock().expect("nobody panics with it");
                if loaded
                    .get(name)
                    .is_some_and(|current| Arc::ptr_eq(current, &slot) && !current.initialized())
                {
                    loaded.remove(name);
                }
                Err(error)
            }
        }
    }

    /// A loaded graph for a call, unless it was deleted meanwhile.
    fn in_use(&self, live: &Arc<Live>) -> Result<Arc<Live>, Error> {
        if live.head().gone {
            self.forget(live);
            return Err(Error::GraphNotFound(live.name.clone()));
        }
        live.used.store(self.uses.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        Ok(Arc::clone(live))
    }

    /// A graph's own fields; does not load its content.
    pub(crate) async fn row(self: &Arc<Self>, name: &str) -> Result<GraphRow, Error> {
        let slot = self.loaded.lock().expect("nobody panics with it").get(name).cloned();
        if let Some(live) = slot.as_ref().and_then(|slot| slot.get()).filter(|live| !live.head().gone) {
            return live.read(|content| content.row.clone()).await;
        }
        let (project, id) = split_name(name)?;
        self.store.get_graph(project, id).await.map_err(|error| gone(name, error))
    }

    async fn load(self: &Arc<Self>, row: GraphRow) -> Result<Arc<Live>, Error> {
        let name = graph_name(&row.project, &row.id);
        let events = self.bus.subscribe(&topic(row.uid)).await;
        let (content, growth) = load(&*self.store, row).await?;
        let live = Arc::new(Live::new(name, content));
        *live.journal.lock().expect("nobody panics with it") = growth;
        self.tell_watchers(&live);
        match events {
            Ok(events) => self.follow(&live, events),
            Err(error) => tracing::warn!(%error, "no notifications; the database is asked instead"),
        }
        self.unload_if_short(&live);
        Ok(live)
    }

    /// Tells those who watch of every change, for as long as the graph is loaded.
    fn tell_watchers(&self, live: &Live) {
        let (mut changes, watchers) = (live.watch_head(), Arc::clone(&live.watchers));
        let head = changes.clone();
        let life = self.life.clone();
        self.life.spawn_future(async move {
            loop {
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    // Or the end of the process would wait for every graph that is loaded.
                    () = life.draining() => return,
                }
                // What is told of a later change meanwhile is not told again in the next round.
                changes.mark_unchanged();
                watchers.tell(|| *head.borrow()).await;
            }
        });
    }

    /// Catches up whenever another process says that it has written, for as long as the graph is
    /// loaded.
    fn follow(self: &Arc<Self>, live: &Arc<Live>, mut events: Subscription) {
        let graphs = Arc::clone(self);
        let weak = Arc::downgrade(live);
        let mut head = live.watch_head();
        self.life.spawn_future(async move {
            loop {
                let event = tokio::select! {
                    event = events.recv() => event,
                    // The sender is gone: the graph was unloaded. Otherwise it is our own writing.
                    changed = head.changed() => match changed {
                        Ok(()) => continue,
                        Err(_) => return,
                    },
                    // Or the end of the process would wait for every graph that is loaded.
                    () = graphs.life.draining() => return,
                };
                let Some(live) = weak.upgrade() else { return };
                match event {
                    Received::Message(message) => {
                        let revision =
                            <[u8; 8]>::try_from(message.as_ref()).map_or(i64::MAX, i64::from_be_bytes);
                        graphs.bring_to(&live, revision).await;
                    }
                    Received::Lagged(_) => graphs.bring_to(&live, i64::MAX).await,
                    Received::Closed => return,
                }
            }
        });
    }

    /// Reads the journal if it has more than this process knows. An error is only logged: the next
    /// notification, the next round of healing or the next write tries again.
    pub(crate) async fn bring_to(self: &Arc<Self>, live: &Arc<Live>, revision: i64) {
        if live.head().gone || (revision <= live.head().revision && revision != DELETED) {
            return;
        }
        let _writer = live.lock_writer().await;
        if revision != DELETED && revision <= live.head().revision {
            return;
        }
        if let Err(error) = self.catch_up(live).await
            && !matches!(error, Error::GraphNotFound(_))
        {
            tracing::warn!(graph = live.name, %error, "cannot catch up with the journal; will try again");
        }
    }

    /// Reads the journal. The caller holds the graph's `writer`.
    pub(crate) async fn catch_up(self: &Arc<Self>, live: &Arc<Live>) -> Result<(), Error> {
        let result = catch_up(&*self.store, live).await;
        match &result {
            Err(Error::GraphNotFound(_)) => {
                live.mark_gone();
                self.forget(live);
            }
            // Half applied: of no further use.
            Err(Error::Damaged { .. }) => self.forget(live),
            _ => {}
        }
        result
    }

    /// Tells everybody that a graph has gone on.
    pub(super) async fn publish(&self, live: &Live, revision: i64) {
        let message = Bytes::copy_from_slice(&revision.to_be_bytes());
        if let Err(error) = self.bus.publish(&topic(live.uid), message).await {
            tracing::warn!(graph = live.name, %error, "a notification was lost; others find out within a second");
        }
        let message = GraphRevision { graph: live.name.clone(), revision, graph_uid: live.uid.to_string() };
        if let Err(error) = self.bus.publish(REVISIONS, message.encode_to_vec().into()).await {
            tracing::warn!(graph = live.name, %error, "a notification was lost; triggers find out within minutes");
        }
    }

    /// Tells everybody that a graph was deleted.
    pub(crate) async fn deleted(&self, name: &str, row: &GraphRow) {
        let live =
            self.loaded.lock().expect("nobody panics with it").get(name).and_then(|slot| slot.get().cloned());
        if let Some(live) = live.filter(|live| live.uid == row.uid) {
            live.mark_gone();
            self.forget(&live);
        }
        let message = Bytes::copy_from_slice(&DELETED.to_be_bytes());
        if let Err(error) = self.bus.publish(&topic(row.uid), message).await {
            tracing::warn!(graph = name, %error, "a notification was lost; others find out within a second");
        }
    }

    /// Unloads one graph; calls that have it go on.
    pub(crate) fn forget(&self, live: &Arc<Live>) {
        let mut loaded = self.loaded.lock().expect("nobody panics with it");
        let same =
            loaded.get(&live.name).and_then(|slot| slot.get()).is_some_and(|other| Arc::ptr_eq(other, live));
        if same {
            loaded.remove(&live.name);
        }
    }

    /// The graphs that are loaded now.
    pub(crate) fn loaded(&self) -> Vec<Arc<Live>> {
        self.loaded
            .lock()
            .expect("nobody panics with it")
            .values()
            .filter_map(|slot| slot.get().cloned())
            .collect()
    }

    /// Heap bytes of all loaded graphs, nearly.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.loaded().iter().map(|live| live.memory_bytes()).sum()
    }

    /// Unloads the graphs that were not used longest, but for `keep` and those that are in use,
    /// until the rest fits.
    pub(super) fn unload_if_short(&self, keep: &Arc<Live>) {
        let mut loaded = self.loaded.lock().expect("nobody panics with it");
        let mut bytes: u64 = keep.memory_bytes()
            + loaded.values().filter_map(|slot| slot.get()).map(|live| live.memory_bytes()).sum::<u64>();
        if bytes <= self.options.memory_limit {
            return;
        }
        let mut oldest: Vec<(u64, String, u64)> = loaded
            .iter()
            .filter_map(|(name, slot)| Some((name, slot.get()?)))
            // More owners than the map and the slot: a call or a watcher.
            .filter(|(name, live)| {
                Arc::strong_count(live) == 1
                    && loaded.get(*name).is_some_and(|slot| Arc::strong_count(slot) == 1)
                    && !Arc::ptr_eq(live, keep)
            })
            .map(|(name, live)| (live.used.load(Ordering::Relaxed), name.clone(), live.memory_bytes()))
            .collect();
        oldest.sort_unstable();
        for (_, name, size) in oldest {
            if bytes <= self.options.memory_limit {
                break;
            }
            loaded.remove(&name);
            bytes = bytes.saturating_sub(size);
            tracing::debug!(graph = name, "unloaded");
        }
    }

    /// Looks after the loaded graphs until the end: finds out about revisions whose notification was
    /// lost. Asks the database one question a round, and none while nothing is loaded.
    pub(crate) async fn heal(self: &Arc<Self>) -> Result<(), Error> {
        // What was asked for and given up before it was loaded.
        self.loaded
            .lock()
            .expect("nobody panics with it")
            .retain(|_, slot| slot.initialized() || Arc::strong_count(slot) > 1);
        let loaded = self.loaded();
        if loaded.is_empty() {
            return Ok(());
        }
        let uids: Vec<_> = loaded.iter().map(|live| live.uid).collect();
        let newest: HashMap<_, _> = self
            .store
            .revisions(&uids)
            .await?
            .into_iter()
            .map(|newest| (newest.uid, newest.revision))
            .collect();
        for live in loaded {
            let revision = newest.get(&live.uid).copied().unwrap_or(DELETED);
            self.bring_to(&live, revision).await;
        }
        Ok(())
    }

    /// Writes a checkpoint if the journal has grown enough, in the background.
    pub(super) fn checkpoint_if_due(self: &Arc<Self>, live: &Arc<Live>) {
        if !checkpoint::is_due(live, &self.options) || live.checkpointing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (graphs, live) = (Arc::clone(self), Arc::clone(live));
        self.life.spawn_future(async move {
            if let Err(error) = checkpoint::write(&graphs, &live).await {
                tracing::warn!(graph = live.name, %error, "a checkpoint failed; a later one will do");
                // Not at once again: the next revisions try.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            live.checkpointing.store(false, Ordering::Release);
        });
    }
}

/// In place of a revision: the graph was deleted.
const DELETED: i64 = -1;

/// Where the revisions of a graph are told.
fn topic(uid: uuid::Uuid) -> String {
    format!("graph.{uid}")
}

/// Project and id in a graph's name.
pub(crate) fn split_name(name: &str) -> Result<(&str, &str), Error> {
    name.strip_prefix("projects/")
        .and_then(|rest| rest.split_once("/graphs/"))
        .filter(|(project, id)| !project.is_empty() && !id.is_empty() && !id.contains('/'))
        .ok_or_else(|| Error::field("graph", "must be projects/{project}/graphs/{graph}"))
}
