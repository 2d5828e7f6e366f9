//! What does a loaded graph hold, and how is it read and changed?

use std::sync::{
    Arc, Mutex, OnceLock, RwLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::sync::watch;
use uuid::Uuid;
use weft_kit::Audience;
use weft_proto::weft::graph::v1::{Change, Graph, GraphStatistics, change};
use weft_store::{GraphRow, Timestamp};

use super::recent::{Recent, RevisionParts};
use crate::{
    Error,
    domain::{
        memory::{ApplyError, Memory},
        search::{Document, SearchIndex},
    },
};

/// If a revision changes more than one of so many nodes, the search index is made anew when it is
/// next asked for: that is cheaper than to take so many nodes out of it.
const REINDEX_SHARE: usize = 8;

/// A graph at its newest revision.
pub(crate) struct Content {
    /// The graph's own fields.
    pub(crate) row: GraphRow,
    /// Nodes and edges.
    pub(crate) memory: Memory,
    /// Made when it is first asked for.
    search: OnceLock<Arc<SearchIndex>>,
    /// Of this revision; made when it is first asked for.
    pub(crate) statistics: OnceLock<Arc<GraphStatistics>>,
    /// Heap bytes of `memory`: measured now and then, and added to in between.
    measured: u64,
    added: u64,
}

/// One revision, decoded.
pub(crate) struct Revision {
    pub(crate) number: i64,
    pub(crate) changes: Vec<Change>,
    pub(crate) graph: Option<Graph>,
    pub(crate) at: Timestamp,
    pub(crate) parts: Arc<[bytes::Bytes]>,
}

/// Where a graph is, for those who wait for it to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its newest revision.
    pub(crate) revision: i64,
    /// It was deleted.
    pub(crate) gone: bool,
}

/// A loaded graph.
pub(crate) struct Live {
    pub(crate) name: String,
    pub(crate) uid: Uuid,
    content: RwLock<Content>,
    /// Held by whoever writes or catches up, over the journal and the memory.
    writer: tokio::sync::Mutex<()>,
    head: watch::Sender<Head>,
    /// Those who are told what `head` says.
    pub(super) watchers: Arc<Audience<Head>>,
    recent: Mutex<Recent>,
    /// When it was used last, in the counter of `Graphs`.
    pub(super) used: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) journal: Mutex<JournalGrowth>,
    pub(super) checkpointing: AtomicBool,
}

/// How much the journal has grown since the last checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct JournalGrowth {
    pub(super) revisions: u64,
    pub(super) bytes: u64,
    pub(super) checkpoint_bytes: u64,
}

impl Content {
    pub(super) fn new(row: GraphRow, memory: Memory) -> Self {
        let measured = memory.memory_bytes() as u64;
        Self { row, memory, search: OnceLock::new(), statistics: OnceLock::new(), measured, added: 0 }
    }

    /// The newest revision.
    pub(crate) fn revision(&self) -> i64 {
        self.row.revision
    }

    /// Heap bytes of nodes and edges, nearly.
    pub(crate) fn graph_bytes(&self) -> u64 {
        self.measured + self.added
    }

    /// Applies revisions in their order.
    pub(super) fn apply_all(&mut self, revisions: &[Revision]) -> Result<(), ApplyError> {
        revisions.iter().try_for_each(|revision| self.apply(revision))
    }

    fn apply(&mut self, revision: &Revision) -> Result<(), ApplyError> {
        let nodes_changed = revision.changes.iter().filter(|change| {
            matches!(change.change, Some(change::Change::UpsertNode(_) | change::Change::DeleteNode(_)))
        });
        let many = nodes_changed.count() > 64.max(self.memory.table().node_count() as usize / REINDEX_SHARE);
        let mut search = if many { None } else { self.search.take() };
        self.search = OnceLock::new();
        self.statistics = OnceLock::new();
        for change in &revision.changes {
            match search.as_mut().map(Arc::make_mut) {
                Some(index) => apply_indexed(&mut self.memory, index, revision.number, change)?,
                None => self.memory.apply_one(revision.number, change)?,
            }
        }
        self.memory.advance(revision.number);
        if let Some(index) = search {
            self.search = OnceLock::from(index);
        }
        self.row.revision = revision.number;
        self.row.updated = revision.at;
        self.row.node_count = self.memory.table().node_count() as i64;
        self.row.edge_count = self.memory.table().edge_count() as i64;
        self.row.next_ordinal = i64::from(self.memory.table().next_ordinal());
        if let Some(graph) = &revision.graph {
            self.row.display_name.clone_from(&graph.display_name);
            self.row.description.clone_from(&graph.description);
            self.row.labels = graph.labels.clone().into_iter().collect();
            if let Some(version) = super::meta::version_of_etag(&graph.etag) {
                self.row.version = version;
            }
        }
        self.added += revision.parts.iter().map(|part| part.len() as u64).sum::<u64>();
        if self.added > self.measured / 8 + (64 << 10) {
            self.measured = self.memory.memory_bytes() as u64;
            self.added = 0;
        }
        Ok(())
    }

    fn total_bytes(&self) -> u64 {
        self.graph_bytes() + self.search.get().map_or(0, |index| index.memory_bytes() as u64)
    }
}

/// Applies one change, and keeps the index up with it.
fn apply_indexed(
    memory: &mut Memory,
    index: &mut SearchIndex,
    revision: i64,
    change: &Change,
) -> Result<(), ApplyError> {
    let key = match &change.change {
        Some(change::Change::UpsertNode(upsert)) => upsert.node.as_ref().map(|node| node.key.as_str()),
        Some(change::Change::DeleteNode(delete)) => Some(delete.key.as_str()),
        _ => None,
    };
    let document = |memory: &Memory| {
        let ordinal = memory.find_node(key?)?;
        Some((ordinal, Document::of(memory.table().node(ordinal)?)))
    };
    let before = document(memory);
    memory.apply_one(revision, change)?;
    let after = document(memory);
    if before != after {
        if let Some((ordinal, document)) = before {
            index.remove(ordinal, &document);
        }
        if let Some((ordinal, document)) = after {
            index.insert(ordinal, &document);
        }
    }
    Ok(())
}

impl Live {
    pub(super) fn new(name: String, content: Content) -> Self {
        let head = Head { revision: content.revision(), gone: false };
        Self {
            name,
            uid: content.row.uid,
            bytes: AtomicU64::new(content.total_bytes()),
            content: RwLock::new(content),
            writer: tokio::sync::Mutex::new(()),
            head: watch::Sender::new(head),
            watchers: Arc::new(Audience::new(head)),
            recent: Mutex::default(),
            used: AtomicU64::new(0),
            journal: Mutex::default(),
            checkpointing: AtomicBool::new(false),
        }
    }

    /// Asks the content something quick. If somebody is changing it, a thread for blocking work
    /// waits, and not one that serves others.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Content) -> T + Send + 'static,
    ) -> Result<T, Error> {
        if let Ok(content) = self.content.try_read() {
            return Ok(ask(&content));
        }
        self.read_long(ask).await
    }

    /// Asks the content something that may take milliseconds.
    pub(crate) async fn read_long<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Content) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let live = Arc::clone(self);
        blocking(move || ask(&live.content.read().expect("nobody panics with it"))).await
    }

    /// The search index, made if there is none. It is made from a snapshot, so that nobody waits;
    /// should the graph go on meanwhile, it is tried again, and at last made while others wait.
    pub(crate) async fn search_index(self: &Arc<Self>) -> Result<Arc<SearchIndex>, Error> {
        for _ in 0..3 {
            let found =
                self.read(|content| (content.search.get().cloned(), content.memory.table().clone())).await?;
            let table = match found {
                (Some(index), _) => return Ok(index),
                (None, table) => table,
            };
            let live = Arc::clone(self);
            let index = blocking(move || {
                let index = Arc::new(SearchIndex::build(&table));
                let content = live.content.read().expect("nobody panics with it");
                if content.revision() != table.revision() {
                    return None;
                }
                let index = Arc::clone(content.search.get_or_init(|| index));
                live.bytes.store(content.total_bytes(), Ordering::Relaxed);
                Some(index)
            });
            if let Some(index) = index.await? {
                return Ok(index);
            }
        }
        self.read_long(|content| {
            Arc::clone(content.search.get_or_init(|| Arc::new(SearchIndex::build(content.memory.table()))))
        })
        .await
    }

    /// Applies revisions that are in the journal: all of them before anybody reads. The caller holds
    /// `writer`.
    pub(super) async fn apply(self: &Arc<Self>, revisions: Vec<Revision>) -> Result<(), Error> {
        let large = revisions.iter().map(|revision| revision.changes.len()).sum::<usize>() > 256;
        if large {
            let live = Arc::clone(self);
            blocking(move || live.apply_now(&revisions)).await?
        } else {
            self.apply_now(&revisions)
        }
    }

    fn apply_now(&self, revisions: &[Revision]) -> Result<(), Error> {
        let mut content = self.content.write().expect("nobody panics with it");
        for revision in revisions {
            content.apply(revision).map_err(|error| Error::apply(&self.name, &error))?;
        }
        let newest = content.revision();
        self.bytes.store(content.total_bytes(), Ordering::Relaxed);
        drop(content);
        {
            let mut recent = self.recent.lock().expect("nobody panics with it");
            let mut growth = self.journal.lock().expect("nobody panics with it");
            for revision in revisions {
                growth.revisions += 1;
                growth.bytes += revision.parts.iter().map(|part| part.len() as u64).sum::<u64>();
                recent.push(RevisionParts { revision: revision.number, parts: Arc::clone(&revision.parts) });
            }
        }
        self.head.send_modify(|head| head.revision = newest);
        Ok(())
    }

    /// Puts other content in place of what could not be caught up with.
    pub(super) fn replace(&self, content: Content) {
        let newest = content.revision();
        self.bytes.store(content.total_bytes(), Ordering::Relaxed);
        *self.content.write().expect("nobody panics with it") = content;
        self.head.send_modify(|head| head.revision = newest);
    }

    /// Tells everybody that the graph was deleted.
    pub(crate) fn mark_gone(&self) {
        self.head.send_modify(|head| head.gone = true);
    }

    /// Waits until nobody else writes or catches up.
    pub(crate) async fn lock_writer(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writer.lock().await
    }

    /// Where the graph is.
    pub(crate) fn head(&self) -> Head {
        *self.head.borrow()
    }

    /// Where the graph is, now and later.
    pub(super) fn watch_head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    /// The same, for one of many: who writes does not wait until all of them know.
    pub(crate) fn watch_among_many(&self) -> watch::Receiver<Head> {
        self.watchers.join()
    }

    /// The revisions after one, if all are still in memory.
    pub(crate) fn recent_after(&self, revision: i64) -> Option<Vec<RevisionParts>> {
        self.recent.lock().expect("nobody panics with it").after(revision)
    }

    /// Heap bytes, nearly.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed) + self.recent.lock().expect("nobody panics with it").bytes() as u64
    }
}

/// Runs something that takes a while on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::TaskEnded)
}
