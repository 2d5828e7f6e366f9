//! All layouts in memory: opened on first use, let go when nobody needs them.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_kit::{Clock, Ids, Lifecycle, Peer};
use weft_proto::weft::{compute::v1::LayoutState, graph::v1::graph_service_client::GraphServiceClient};
use weft_store::{LayoutRow, LayoutStore, SavedUnder, StoreError, Timestamp};

use super::{End, Positions, Session, actor, live, meter::Meter, turns::Turns};
use crate::{
    Error, Options,
    domain::{constraints::Constraints, pins::Pins},
    placement::Placement,
};

/// Everything that sessions share.
pub(crate) struct Layouts {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn LayoutStore>,
    pub(crate) positions: Positions,
    pub(crate) graph: GraphServiceClient<Peer>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) meter: Meter,
    /// The right to make a step.
    pub(super) turns: Arc<Turns>,
    pub(crate) placement: Placement,
    /// MiB that no session has.
    pub(super) memory: Arc<Semaphore>,
    sessions: Mutex<HashMap<Uuid, Arc<Session>>>,
    /// Sessions that were let go and are saving: they give their memory free soon.
    going: Mutex<Vec<Arc<Session>>>,
    viewers: AtomicUsize,
}

/// A session that is needed: it is not let go of while this lives.
#[derive(Debug)]
pub(crate) struct Held {
    session: Arc<Session>,
    layouts: Arc<Layouts>,
}

/// A viewer that is counted while this lives.
#[derive(Debug)]
pub(crate) struct Seat(Held);

impl Layouts {
    pub(crate) fn new(
        options: Options,
        store: Arc<dyn LayoutStore>,
        positions: Positions,
        graph: Peer,
        placement: Placement,
        (clock, ids, lifecycle): (Clock, Ids, Lifecycle),
    ) -> Arc<Self> {
        Arc::new(Self {
            turns: Turns::new(options.max_running),
            memory: Arc::new(Semaphore::new(options.layout_memory_mib as usize)),
            options,
            store,
            placement,
            positions,
            graph: GraphServiceClient::new(graph),
            clock,
            ids,
            lifecycle,
            meter: Meter::default(),
            sessions: Mutex::default(),
            going: Mutex::default(),
            viewers: AtomicUsize::new(0),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// The session of a layout; begins one if there is none.
    ///
    /// # Errors
    /// Too many are in use, the row cannot be read, or the process is ending.
    pub(crate) fn open(self: &Arc<Self>, row: LayoutRow) -> Result<Held, Error> {
        let mut sessions = self.sessions();
        if let Some(session) = sessions.get(&row.uid).filter(|session| !session.is_lost()) {
            return Ok(self.hold(session));
        }
        self.begin(&mut sessions, row)
    }

    /// As [`open`](Self::open), but in place of a session that has failed.
    pub(crate) fn open_anew(self: &Arc<Self>, row: LayoutRow) -> Result<Held, Error> {
        let mut sessions = self.sessions();
        if let Some(session) = sessions.get(&row.uid) {
            if session.live.borrow().state != LayoutState::Failed && !session.is_lost() {
                return Ok(self.hold(session));
            }
            session.request_end(End::Unloaded);
            sessions.remove(&row.uid);
        }
        self.begin(&mut sessions, row)
    }

    fn begin(
        self: &Arc<Self>,
        sessions: &mut HashMap<Uuid, Arc<Session>>,
        row: LayoutRow,
    ) -> Result<Held, Error> {
        if self.lifecycle.is_draining() {
            return Err(Error::Draining);
        }
        if sessions.len() >= self.options.max_loaded {
            self.make_room(sessions, |_| true).ok_or(Error::Limit {
                reason: "TOO_MANY_LOADED_LAYOUTS",
                subject: "layouts in use in this process".into(),
                limit: self.options.max_loaded as u64,
                what: "layouts",
            })?;
        }
        let of_project = |session: &Session| session.live.borrow().row.project == row.project;
        let limit = self.options.max_loaded_per_project;
        if sessions.values().filter(|session| of_project(session)).count() >= limit {
            self.make_room(sessions, of_project).ok_or_else(|| Error::Limit {
                reason: "TOO_MANY_LOADED_LAYOUTS",
                subject: format!("projects/{}", row.project),
                limit: limit as u64,
                what: "layouts in use in a process",
            })?;
        }
        let unreadable = || Error::Unreadable { layout: live::name(&row).to_string(), what: "pins" };
        let pins = Pins::decode(&row.pins).ok_or_else(unreadable)?;
        Constraints::of(&row, &live::name(&row))?;
        live::stored_parameters(&row)?;
        let uid = row.uid;
        let leaving = self.lifecycle.draining_token().child_token();
        let (session, commands) = Session::new(row, pins, leaving);
        sessions.insert(uid, Arc::clone(&session));
        let held = self.hold(&session);
        self.lifecycle.spawn_future(actor::run(Arc::clone(self), session, commands));
        Ok(held)
    }

    fn hold(self: &Arc<Self>, session: &Arc<Session>) -> Held {
        session.uses.fetch_add(1, Ordering::SeqCst);
        Held { session: Arc::clone(session), layouts: Arc::clone(self) }
    }

    /// The session of a layout, if it is in memory. Does not keep it there.
    pub(crate) fn peek(&self, uid: Uuid) -> Option<Arc<Session>> {
        self.sessions().get(&uid).cloned()
    }

    /// A session that gives memory free soon: one that is going already, or one at rest that nobody needs, other than one, which is
    /// let go then. None goes where all of them together would not give so many MiB free.
    pub(super) fn evict(&self, other_than: &Session, missing: usize) -> Option<Arc<Session>> {
        let mut sessions = self.sessions();
        let memory = |session: &Arc<Session>| session.memory.load(Ordering::SeqCst);
        let (going, first) = {
            let mut going = self.going();
            going.retain(|session| !session.over.is_cancelled());
            (going.iter().map(memory).sum::<usize>(), going.first().cloned())
        };
        let may = |session: &Session| session.uid != other_than.uid;
        let unneeded = sessions.values().filter(|session| is_unneeded(session) && may(session));
        if going + unneeded.map(memory).sum::<usize>() < missing {
            return None;
        }
        first.filter(|_| going > 0).or_else(|| self.make_room(&mut sessions, may))
    }

    /// Whether a layout is simulated here.
    pub(crate) fn has(&self, uid: Uuid) -> bool {
        self.sessions().get(&uid).is_some_and(|session| !session.is_lost())
    }

    /// Lets go of everything, because others may have it: nothing is written any more.
    pub(crate) fn lose_all(&self) {
        let lost: Vec<_> = self.sessions().drain().map(|(_, session)| session).collect();
        for session in lost {
            self.placement.meter.lost.inc();
            session.lose();
        }
    }

    /// Waits until all sessions that are there now have ended.
    pub(crate) async fn all_over(&self) {
        let sessions: Vec<_> = self.sessions().values().cloned().collect();
        for session in sessions {
            session.over.cancelled().await;
        }
    }

    /// Ends the session of a layout that was deleted, and forgets where its nodes were.
    pub(crate) async fn delete(&self, uid: Uuid, saved: SavedUnder) {
        let session = self.sessions().remove(&uid);
        if let Some(session) = session {
            session.request_end(End::Deleted);
            // It may be saving: what is deleted before that ends would come back.
            session.over.cancelled().await;
            if session.saved() != saved {
                self.positions.delete(uid, session.saved()).await;
            }
        }
        self.positions.delete(uid, saved).await;
    }

    /// Deletes all layouts of the graph of `row`, which is gone, and forgets where their nodes were.
    /// Those that are in memory find out by themselves.
    pub(crate) async fn delete_of_graph(&self, row: &LayoutRow) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let page = (row.graph.as_str(), after.as_str());
            let rows = self.store.list_layouts(&row.project, Some(&row.graph), page, 1_000).await?;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.id);
            for layout in rows.iter().filter(|layout| layout.graph_uid == row.graph_uid) {
                let saved = self.positions.saved(layout.uid).await;
                self.positions.delete(layout.uid, saved).await;
            }
        }
        self.store.delete_layouts_of(row.graph_uid).await.map(|_| ())
    }

    /// Lets go of a session if nobody needs it. Whether it did.
    pub(super) fn forget_unused(&self, session: &Arc<Session>) -> bool {
        let mut sessions = self.sessions();
        let mine = sessions.get(&session.uid).is_some_and(|held| Arc::ptr_eq(held, session));
        let unused = session.uses.load(Ordering::SeqCst) == 0;
        if mine && unused {
            self.going().extend(sessions.remove(&session.uid));
        }
        unused || !mine
    }

    /// Lets go of a session, needed or not.
    pub(super) fn forget(&self, session: &Arc<Session>) {
        let mut sessions = self.sessions();
        if sessions.get(&session.uid).is_some_and(|held| Arc::ptr_eq(held, session)) {
            sessions.remove(&session.uid);
        }
    }

    /// Removes a session at rest that nobody needs, of those that `may` go. `None` if there is none.
    fn make_room(
        &self,
        sessions: &mut HashMap<Uuid, Arc<Session>>,
        may: impl Fn(&Session) -> bool,
    ) -> Option<Arc<Session>> {
        let uid = *sessions.iter().find(|(_, session)| is_unneeded(session) && may(session))?.0;
        let session = sessions.remove(&uid)?;
        session.request_end(End::Unloaded);
        self.going().push(Arc::clone(&session));
        Some(session)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Taken after [`sessions`](Self::sessions) where both are.
    fn going(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.going.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn is_unneeded(session: &Session) -> bool {
    session.uses.load(Ordering::SeqCst) == 0 && session.at_rest()
}

impl Held {
    /// Takes a seat among the viewers.
    ///
    /// # Errors
    /// There are too many already.
    pub(crate) fn seat(self) -> Result<Seat, Error> {
        let options = &self.layouts.options;
        let take = |count: &AtomicUsize, limit: usize| {
            let next = |count| if count < limit { Some(count + 1) } else { None };
            count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok()
        };
        if !take(&self.layouts.viewers, options.max_viewers) {
            return Err(Error::Limit {
                reason: "TOO_MANY_VIEWERS",
                subject: "streams of positions from this process".into(),
                limit: options.max_viewers as u64,
                what: "streams",
            });
        }
        if !take(&self.session.viewers, options.max_viewers_per_layout) {
            self.layouts.viewers.fetch_sub(1, Ordering::SeqCst);
            return Err(Error::Limit {
                reason: "TOO_MANY_VIEWERS",
                subject: live::name(&self.session.live.borrow().row).to_string(),
                limit: options.max_viewers_per_layout as u64,
                what: "streams that watch it",
            });
        }
        self.layouts.meter.viewers.inc();
        Ok(Seat(self))
    }
}

impl Deref for Held {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _lock = self.layouts.sessions();
        self.session.uses.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Seat {
    /// Given when those who look are to look elsewhere.
    pub(super) fn leaving(&self) -> CancellationToken {
        self.0.session.leaving.clone()
    }

    /// The session, for a task of its own.
    pub(crate) fn share(&self) -> Held {
        let _lock = self.0.layouts.sessions();
        self.0.layouts.hold(&self.0.session)
    }

    pub(crate) fn layouts(&self) -> &Layouts {
        &self.0.layouts
    }
}

impl Deref for Seat {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0.session
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.session.viewers.fetch_sub(1, Ordering::SeqCst);
        self.0.layouts.viewers.fetch_sub(1, Ordering::SeqCst);
        self.0.layouts.meter.viewers.dec();
    }
}

impl std::fmt::Debug for Layouts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Layouts").field("sessions", &self.sessions().len()).finish_non_exhaustive()
    }
}
