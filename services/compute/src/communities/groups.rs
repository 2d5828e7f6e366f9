//! All communities that are kept up to date here: one of each kind, for all who watch it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use prometheus_client::{
    metrics::{gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::{
    News, keeper,
    watcher::{Rhythm, Watcher},
};
use crate::{Error, analysis::Analyses};

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 9] = [0.000_25, 0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0, 16.0];

/// After this long without anything else a client is given a sign of life.
const SILENCE: Duration = Duration::from_secs(15);

/// Everything that is kept here. Graph service, threads, memory and limits are those of the analyses.
pub(crate) struct Groups {
    pub(super) analyses: Arc<Analyses>,
    pub(super) meter: Meter,
    open: Mutex<HashMap<Key, Arc<Group>>>,
}

/// What makes two watchers watch the same: the identity of the graph, and the bits of the resolution.
type Key = (Uuid, u64);

/// The communities of one graph, for all who watch them.
#[derive(Debug)]
pub(super) struct Group {
    /// Resource name of the graph.
    pub(super) graph: String,
    pub(super) uid: Uuid,
    pub(super) resolution: f64,
    pub(super) news: watch::Sender<News>,
    /// How often each of those who watch wants to be told, by a number of the seat. Changed only under the lock of
    /// [`Groups::open`].
    seats: Mutex<HashMap<u64, Duration>>,
    /// Somebody has come or gone.
    pub(super) seats_changed: Notify,
}

/// A place among those who watch, for as long as this lives.
pub(super) struct Seat {
    groups: Arc<Groups>,
    group: Arc<Group>,
    number: u64,
}

/// What is counted.
#[derive(Debug)]
pub(super) struct Meter {
    groups: Gauge,
    watchers: Gauge,
    pub(super) duration: Histogram,
}

impl Groups {
    pub(crate) fn new(analyses: Arc<Analyses>) -> Arc<Self> {
        let meter =
            Meter { groups: Gauge::default(), watchers: Gauge::default(), duration: Histogram::new(BUCKETS) };
        Arc::new(Self { analyses, meter, open: Mutex::default() })
    }

    /// Shows what is counted in a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let Meter { groups, watchers, duration } = &self.meter;
        registry.register("live_communities", "Graphs whose communities are kept up to date", groups.clone());
        registry.register("community_watchers", "Streams that watch communities", watchers.clone());
        registry.register_with_unit(
            "communities_renewal_duration",
            "Time that it took to bring communities up to date",
            Unit::Seconds,
            duration.clone(),
        );
    }

    /// A stream of the communities of a graph, as it changes.
    ///
    /// # Errors
    /// There is no such graph, or it is too large; too many watch, or too many graphs are watched; the process is ending.
    pub(crate) async fn watch(
        self: &Arc<Self>,
        graph: String,
        resolution: f64,
        interval: Duration,
    ) -> Result<Watcher, Error> {
        let found = self.analyses.find_graph(&graph).await?;
        let uid = Uuid::parse_str(&found.uid)
            .map_err(|_| Error::GraphUnavailable("it gave a graph without an identity".into()))?;
        let (nodes, edges) = (found.node_count.max(0) as usize, found.edge_count.max(0) as usize);
        self.analyses.options.check_size(&graph, nodes, edges)?;
        self.analyses.check_memory(&graph, &keeper::algorithm(), nodes, edges)?;
        let seat = self.seat(graph, uid, resolution, interval)?;
        Ok(Watcher::new(
            seat.group.graph.clone(),
            seat.group.news.subscribe(),
            Rhythm { interval, silence: SILENCE },
            self.analyses.lifecycle.draining_token(),
            Box::new(seat),
        ))
    }

    fn seat(
        self: &Arc<Self>,
        graph: String,
        uid: Uuid,
        resolution: f64,
        interval: Duration,
    ) -> Result<Seat, Error> {
        // Zero has two signs.
        let key = (uid, (resolution + 0.0).to_bits());
        let options = &self.analyses.options;
        let mut open = self.lock();
        if self.analyses.lifecycle.is_draining() {
            return Err(Error::Draining);
        }
        if open.values().map(|group| group.watchers()).sum::<usize>() >= options.max_community_watchers {
            return Err(Error::Limit {
                reason: "TOO_MANY_VIEWERS",
                subject: "streams of communities from this process".into(),
                limit: options.max_community_watchers as u64,
                what: "streams",
            });
        }
        let group = if let Some(group) = open.get(&key) {
            Arc::clone(group)
        } else {
            if open.len() >= options.max_live_communities {
                return Err(Error::Limit {
                    reason: "TOO_MANY_LIVE_COMMUNITIES",
                    subject: "communities that this process keeps up to date".into(),
                    limit: options.max_live_communities as u64,
                    what: "graphs and resolutions",
                });
            }
            let group = Arc::new(Group {
                graph,
                uid,
                resolution,
                news: watch::Sender::new(News::Nothing),
                seats: Mutex::default(),
                seats_changed: Notify::new(),
            });
            open.insert(key, Arc::clone(&group));
            self.meter.groups.set(open.len() as i64);
            self.analyses.lifecycle.spawn_future(keeper::run(Arc::clone(self), Arc::clone(&group)));
            group
        };
        let mut seats = group.seats();
        let number = seats.keys().max().map_or(0, |last| last + 1);
        seats.insert(number, interval);
        drop(seats);
        group.seats_changed.notify_one();
        self.meter.watchers.inc();
        Ok(Seat { groups: Arc::clone(self), group, number })
    }

    /// Lets go of a group if nobody watches it. Whether it did.
    pub(super) fn forget_unwatched(&self, group: &Arc<Group>) -> bool {
        let mut open = self.lock();
        let unwatched = group.watchers() == 0;
        if unwatched {
            self.remove(&mut open, group);
        }
        unwatched
    }

    /// Lets go of a group, watched or not.
    pub(super) fn forget(&self, group: &Arc<Group>) {
        self.remove(&mut self.lock(), group);
    }

    fn remove(&self, open: &mut HashMap<Key, Arc<Group>>, group: &Arc<Group>) {
        open.retain(|_, other| !Arc::ptr_eq(other, group));
        self.meter.groups.set(open.len() as i64);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Group>>> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Group {
    /// How many watch.
    pub(super) fn watchers(&self) -> usize {
        self.seats().len()
    }

    /// The shortest time between two tellings that somebody wants; none where nobody watches.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.seats().values().min().copied()
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<u64, Duration>> {
        self.seats.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _open = self.groups.lock();
        self.group.seats().remove(&self.number);
        self.group.seats_changed.notify_one();
        self.groups.meter.watchers.dec();
    }
}

impl std::fmt::Debug for Groups {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Groups").field("open", &self.lock().len()).finish_non_exhaustive()
    }
}
