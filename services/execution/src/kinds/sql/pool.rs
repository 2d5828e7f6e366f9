//! Connections that are kept open a while: so many to one database, so many in the process.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use weft_kit::{Lifecycle, TaskKind, config::Network, egress::Egress};

use super::{connection::Target, link::Link};
use crate::domain::fault::StepError;

/// Connections to one database at once: a thousand steps are not to fill it.
const OF_DATABASE: usize = 8;
/// Connections of one project at once.
const OF_PROJECT: usize = 16;
/// Connections of the process, open ones that nobody uses included.
const OF_PROCESS: usize = 64;
/// How long one is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(30);
/// How old one may become: a server that has moved is found again.
const OLDEST: Duration = Duration::from_mins(10);

/// Reaches databases of users. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Databases(Arc<Pool>);

struct Pool {
    egress: Egress,
    /// Most bytes that a step gives.
    most_bytes: usize,
    places: Arc<Semaphore>,
    /// Who waits for one of them.
    waiting: AtomicUsize,
    shared: Mutex<Shared>,
    /// One was put aside.
    idled: Notify,
    lifecycle: Lifecycle,
}

#[derive(Default)]
struct Shared {
    /// Of databases by their key, and of projects by name: who is in is counted.
    turns: HashMap<Vec<u8>, Arc<Semaphore>>,
    idle: HashMap<[u8; 32], VecDeque<Idle>>,
}

struct Idle {
    link: Link,
    place: OwnedSemaphorePermit,
    until: Instant,
}

/// A connection that somebody uses.
pub(super) struct Lent {
    pub(super) link: Link,
    /// Whether it was used before.
    pub(super) is_old: bool,
    place: OwnedSemaphorePermit,
}

/// The right to use a connection of a project to a database.
pub(super) struct Turn {
    _database: OwnedSemaphorePermit,
    _project: OwnedSemaphorePermit,
}

impl Databases {
    /// May reach these networks, too.
    pub(crate) fn new(allowed: &[Network], most_bytes: usize, lifecycle: Lifecycle) -> Self {
        Self(Arc::new(Pool {
            egress: Egress::new(allowed.to_vec()),
            most_bytes,
            places: Arc::new(Semaphore::new(OF_PROCESS)),
            waiting: AtomicUsize::new(0),
            shared: Mutex::default(),
            idled: Notify::new(),
            lifecycle,
        }))
    }

    /// Closes what nobody uses.
    pub(crate) fn start(&self) {
        let pool = Arc::clone(&self.0);
        self.0.lifecycle.spawn("sql-connections", TaskKind::Background, move |life| {
            let pool = Arc::clone(&pool);
            async move {
                loop {
                    let next = pool.close_old();
                    let due = async {
                        match next {
                            Some(at) => tokio::time::sleep_until(at.into()).await,
                            None => pool.idled.notified().await,
                        }
                    };
                    tokio::select! {
                        () = due => {}
                        () = life.draining() => return Ok::<_, Infallible>(()),
                    }
                }
            }
        });
    }

    pub(super) fn egress(&self) -> &Egress {
        &self.0.egress
    }

    pub(super) fn most_bytes(&self) -> usize {
        self.0.most_bytes
    }

    /// Waits until one more of a project may use a database. Who waits for a database that is slow has no place among those
    /// of the project, which could ask another one.
    pub(super) async fn turn(&self, project: &str, target: &Target) -> Turn {
        let of = |key: &[u8], most| {
            let mut shared = self.0.shared.lock().expect("nothing panics with it");
            // Those that nobody has or waits for begin anew when they are needed again.
            shared.turns.retain(|_, turns| Arc::strong_count(turns) > 1);
            let turns = shared.turns.entry(key.to_vec()).or_insert_with(|| Arc::new(Semaphore::new(most)));
            Arc::clone(turns)
        };
        let permit =
            |turns: Arc<Semaphore>| async move { turns.acquire_owned().await.expect("it is never closed") };
        let database = permit(of(&target.key, OF_DATABASE)).await;
        let project = permit(of(project.as_bytes(), OF_PROJECT)).await;
        Turn { _database: database, _project: project }
    }

    /// A connection: one that was used before, unless a fresh one is asked for.
    pub(super) async fn lend(&self, target: &Target, fresh: bool) -> Result<Lent, StepError> {
        let now = Instant::now();
        if !fresh && let Some(Idle { link, place, .. }) = self.0.take(target, now) {
            return Ok(Lent { link, is_old: true, place });
        }
        let place = self.0.place().await;
        let link = Link::open(&self.0.egress, target, Instant::now()).await?;
        Ok(Lent { link, is_old: false, place })
    }

    /// Takes a connection to a database back, once it is as it was when it was opened. Nobody waits for that; its turn is over
    /// afterwards, so that whoever has the next one finds it.
    pub(super) fn give_back(&self, database: [u8; 32], mut lent: Lent, turn: Turn) {
        let pool = Arc::clone(&self.0);
        let is_old = Instant::now().duration_since(lent.link.since) > OLDEST;
        if pool.waiting.load(Ordering::SeqCst) > 0 || is_old || pool.lifecycle.is_draining() {
            return;
        }
        let draining = pool.lifecycle.draining();
        self.0.lifecycle.spawn_future(async move {
            let is_clean = tokio::select! {
                is_clean = lent.link.clean() => is_clean,
                () = draining => false,
            };
            if is_clean {
                pool.keep(database, lent);
            }
            drop(turn);
        });
    }

    /// How many are open that nobody uses.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.0.lock().idle.values().map(VecDeque::len).sum()
    }
}

impl Pool {
    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().expect("nothing panics with it")
    }

    /// Puts a connection aside that nobody uses.
    fn keep(&self, database: [u8; 32], lent: Lent) {
        let idle = Idle { link: lent.link, place: lent.place, until: Instant::now() + IDLE };
        self.lock().idle.entry(database).or_default().push_back(idle);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.close_one();
        }
        self.idled.notify_one();
    }

    /// The one that was used last: others grow old.
    fn take(&self, target: &Target, now: Instant) -> Option<Idle> {
        let mut shared = self.lock();
        let idle = shared.idle.get_mut(&target.key)?;
        let taken = idle.pop_back().filter(|idle| idle.until > now);
        if idle.is_empty() {
            shared.idle.remove(&target.key);
        }
        taken
    }

    /// A place for one more connection. Where there is none, one that nobody uses is closed for it.
    async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return place;
        }
        let _waits = Waits::new(&self.waiting);
        self.close_one();
        Arc::clone(&self.places).acquire_owned().await.expect("it is never closed")
    }

    /// Closes the one that nobody has used longest.
    fn close_one(&self) {
        let mut shared = self.lock();
        let first = shared.idle.iter().filter_map(|(key, idle)| Some((idle.front()?.until, *key))).min();
        let Some((_, key)) = first else { return };
        let Some(idle) = shared.idle.get_mut(&key) else { return };
        idle.pop_front();
        if idle.is_empty() {
            shared.idle.remove(&key);
        }
    }

    /// Closes what was not used for long; says when the next one is due.
    fn close_old(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut shared = self.lock();
        shared.idle.retain(|_, idle| {
            idle.retain(|one| one.until > now);
            !idle.is_empty()
        });
        shared.idle.values().flatten().map(|one| one.until).min()
    }
}

/// Somebody waits, until this is dropped.
struct Waits<'c>(&'c AtomicUsize);

impl<'c> Waits<'c> {
    fn new(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_one_database_keeps_nobody_from_another() {
        let databases = Databases::new(&[], 1, Lifecycle::new());
        let target = |name| Target::of("p", &format!("postgres://u@{name}/d"), None).expect("a target");
        let (slow, other) = (target("slow"), target("other"));
        let turns = (0..OF_DATABASE).map(|_| databases.turn("p", &slow).now_or_never().expect("a turn"));
        let mut turns: Vec<Turn> = turns.collect();
        // As many as the project may have, so that none were left.
        let mut waiting: Vec<_> = (0..OF_PROJECT).map(|_| Box::pin(databases.turn("p", &slow))).collect();
        for wait in &mut waiting {
            assert!(wait.now_or_never().is_none());
        }
        let others = (0..OF_DATABASE).map(|_| databases.turn("p", &other).now_or_never().expect("a turn"));
        let others: Vec<Turn> = others.collect();
        // And the project has no more than that, of whichever database.
        let third = target("third");
        assert!(databases.turn("p", &third).now_or_never().is_none());
        drop(others);
        drop(databases.turn("p", &third).now_or_never().expect("a turn"));
        turns.pop();
        let entered: Vec<Turn> = waiting.iter_mut().filter_map(FutureExt::now_or_never).collect();
        assert_eq!(entered.len(), 1);
    }
}
