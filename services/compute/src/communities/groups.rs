//! All communities that are kept up to date here: one of each kind, for all who watch it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    metrics::{gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::News;
use crate::{Error, analysis::Analyses, domain::name::GraphName};

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 9] = [0.000_25, 0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0, 16.0];

/// Everything that is kept here. Graph service, threads, memory and limits are those of the analyses.
pub(crate) struct Groups {
    pub(super) analyses: Arc<Analyses>,
    pub(super) meter: Meter,
    open: Mutex<Open>,
}

type Open = HashMap<Key, Arc<Group>>;

/// What makes two watchers watch the same: the identity of the graph, and the resolution in thousandths.
type Key = (Uuid, u64);

/// The communities of one graph, for all who watch them.
#[derive(Debug)]
pub(super) struct Group {
    /// Resource name of the graph.
    pub(super) graph: String,
    project: String,
    pub(super) uid: Uuid,
    pub(super) resolution: f64,
    pub(super) news: watch::Sender<News>,
    /// What each of those who watch wants, by a number of the seat. Changed only under the lock of [`Groups::open`].
    seats: watch::Sender<HashMap<u64, Wish>>,
    /// What is kept takes so many MiB at most, by the estimate for an analysis.
    pub(super) mib: AtomicU32,
    /// Given when others need the room, and when the process ends.
    pub(super) ending: CancellationToken,
}

/// What somebody who watches wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Least time between two tellings.
    pub(super) interval: Duration,
    /// The graph's revision when they came: what is older is nothing for them.
    pub(super) at_least: i64,
}

/// A place among those who watch, for as long as this lives.
pub(super) struct Seat {
    groups: Arc<Groups>,
    pub(super) group: Arc<Group>,
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

    /// A place among those who watch a graph, and whether they are the first: then its communities are not kept yet.
    ///
    /// # Errors
    /// Too many watch, or too many graphs are watched; the process is ending.
    pub(super) fn seat(
        self: &Arc<Self>,
        graph: String,
        uid: Uuid,
        (resolution, mib): (f64, u32),
        wish: Wish,
    ) -> Result<(Seat, bool), Error> {
        let project = GraphName::parse(&graph, "graph")?.project;
        let thousandths = (resolution * 1_000.0).round();
        let key = (uid, thousandths as u64);
        let mut open = self.lock();
        if self.analyses.lifecycle.is_draining() {
            return Err(Error::Draining);
        }
        self.check_watchers(&open, &project)?;
        let known = open.get(&key).cloned();
        let is_new = known.is_none();
        let group = if let Some(group) = known {
            group
        } else {
            self.make_room(&mut open, &project, mib)?;
            let ending = self.analyses.lifecycle.draining_token().child_token();
            let group = Arc::new(Group::new((graph, project), uid, (thousandths / 1_000.0, mib), ending));
            open.insert(key, Arc::clone(&group));
            self.meter.groups.set(open.len() as i64);
            group
        };
        let number = group.sit(wish);
        self.meter.watchers.inc();
        Ok((Seat { groups: Arc::clone(self), group, number }, is_new))
    }

    fn check_watchers(&self, open: &Open, project: &str) -> Result<(), Error> {
        let options = &self.analyses.options;
        let of = |project: Option<&str>| {
            let groups = open.values().filter(|group| project.is_none_or(|project| group.project == project));
            groups.map(|group| group.watchers()).sum::<usize>()
        };
        for (count, limit, subject) in [
            (of(None), options.max_community_watchers, "streams of communities from this process".to_owned()),
            (of(Some(project)), options.max_community_watchers_per_project, format!("projects/{project}")),
        ] {
            if count >= limit {
                let (reason, limit, what) = ("TOO_MANY_VIEWERS", limit as u64, "streams of communities");
                return Err(Error::Limit { reason, subject, limit, what });
            }
        }
        Ok(())
    }

    /// Room for one more, for which those are let go that nobody watches.
    fn make_room(&self, open: &mut Open, project: &str, mib: u32) -> Result<(), Error> {
        let options = &self.analyses.options;
        let reason = "TOO_MANY_LIVE_COMMUNITIES";
        while open.values().filter(|group| group.project == project).count()
            >= options.max_live_communities_per_project
        {
            if !evict(open, |group| group.project == project) {
                let (limit, subject) =
                    (options.max_live_communities_per_project as u64, format!("projects/{project}"));
                return Err(Error::Limit { reason, subject, limit, what: "live communities" });
            }
        }
        let memory = u64::from(options.analysis_memory_mib);
        loop {
            let kept: u64 = open.values().map(|group| u64::from(group.mib.load(Ordering::Relaxed))).sum();
            let (limit, what) = if open.len() >= options.max_live_communities {
                (options.max_live_communities as u64, "graphs and resolutions")
            } else if kept + u64::from(mib) > memory {
                (memory, "MiB")
            } else {
                return Ok(());
            };
            if !evict(open, |_| true) {
                let subject = "communities that this process keeps up to date".into();
                return Err(Error::Limit { reason, subject, limit, what });
            }
        }
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

    fn remove(&self, open: &mut Open, group: &Arc<Group>) {
        open.retain(|_, other| !Arc::ptr_eq(other, group));
        self.meter.groups.set(open.len() as i64);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Group {
    fn new(
        (graph, project): (String, String),
        uid: Uuid,
        (resolution, mib): (f64, u32),
        ending: CancellationToken,
    ) -> Self {
        Self {
            graph,
            project,
            uid,
            resolution,
            news: watch::Sender::new(News::Nothing),
            seats: watch::Sender::default(),
            mib: AtomicU32::new(mib),
            ending,
        }
    }

    /// Somebody comes. The number of their seat.
    fn sit(&self, wish: Wish) -> u64 {
        let mut number = 0;
        self.seats.send_modify(|seats| {
            number = seats.keys().max().map_or(0, |last| last + 1);
            seats.insert(number, wish);
        });
        number
    }

    /// Who watches, to wait until somebody comes or goes.
    pub(super) fn seats(&self) -> watch::Receiver<HashMap<u64, Wish>> {
        self.seats.subscribe()
    }

    /// How many watch.
    pub(super) fn watchers(&self) -> usize {
        self.seats.borrow().len()
    }

    /// The shortest time after a telling in which somebody wants the next one, if `told` is the revision that was
    /// told: none at all where somebody waits for their first. `None` where nobody watches.
    pub(super) fn interval(&self, told: Option<i64>) -> Option<Duration> {
        let first = |wish: &Wish| told.is_none_or(|told| told < wish.at_least);
        let wait = |wish: &Wish| if first(wish) { Duration::ZERO } else { wish.interval };
        self.seats.borrow().values().map(wait).min()
    }
}

/// Lets go of one of those that nobody watches and that `may` go. Whether there was one.
fn evict(open: &mut Open, may: impl Fn(&Group) -> bool) -> bool {
    let unwatched = open.iter().find(|(_, group)| group.watchers() == 0 && may(group));
    let Some(key) = unwatched.map(|(key, _)| *key) else { return false };
    if let Some(group) = open.remove(&key) {
        group.ending.cancel();
    }
    true
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _open = self.groups.lock();
        self.group.seats.send_modify(|seats| {
            seats.remove(&self.number);
        });
        self.groups.meter.watchers.dec();
    }
}

impl std::fmt::Debug for Groups {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Groups").field("open", &self.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(project: &str) -> Group {
        let graph = (format!("projects/{project}/graphs/g"), project.to_owned());
        Group::new(graph, Uuid::nil(), (1.0, 1), CancellationToken::new())
    }

    #[test]
    fn who_was_told_nothing_yet_waits_for_no_interval() {
        let group = group("p");
        assert_eq!(group.interval(None), None, "nobody watches");
        let hour = Duration::from_hours(1);
        group.sit(Wish { interval: hour, at_least: 3 });
        assert_eq!(group.interval(None), Some(Duration::ZERO));
        assert_eq!(group.interval(Some(3)), Some(hour));
        group.sit(Wish { interval: hour * 2, at_least: 5 });
        assert_eq!(group.interval(Some(4)), Some(Duration::ZERO), "what was told is too old for the second");
        assert_eq!(group.interval(Some(5)), Some(hour));
    }

    #[test]
    fn only_those_make_room_whom_nobody_watches() {
        let wish = Wish { interval: Duration::ZERO, at_least: 0 };
        let (watched, left, other) = (group("p"), group("p"), group("q"));
        watched.sit(wish);
        let ending = left.ending.clone();
        let mut open: Open = [watched, left, other]
            .into_iter()
            .enumerate()
            .map(|(at, group)| ((Uuid::nil(), at as u64), Arc::new(group)))
            .collect();
        assert!(evict(&mut open, |group| group.project == "p"));
        assert!(ending.is_cancelled() && !open.contains_key(&(Uuid::nil(), 1)));
        assert!(!evict(&mut open, |group| group.project == "p"));
        assert!(evict(&mut open, |_| true) && !evict(&mut open, |_| true));
        assert_eq!(open.len(), 1);
    }
}
