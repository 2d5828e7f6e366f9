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
use uuid::Uuid;
use weft_kit::{Clock, Ids, Lifecycle, Peer};
use weft_proto::weft::{compute::v1::LayoutState, graph::v1::graph_service_client::GraphServiceClient};
use weft_store::{LayoutRow, LayoutStore, StoreError, Timestamp};

use super::{End, Positions, Session, actor, live, meter::Meter};
use crate::{
    Error, Options,
    domain::{constraints::Constraints, pins::Pins},
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
    /// The right to make a step; handed out in the order of asking.
    pub(super) turns: Arc<Semaphore>,
    sessions: Mutex<HashMap<Uuid, Arc<Session>>>,
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
        (clock, ids, lifecycle): (Clock, Ids, Lifecycle),
    ) -> Arc<Self> {
        Arc::new(Self {
            turns: Arc::new(Semaphore::new(options.max_running)),
            options,
            store,
            positions,
            graph: GraphServiceClient::new(graph),
            clock,
            ids,
            lifecycle,
            meter: Meter::default(),
            sessions: Mutex::default(),
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
        if let Some(session) = sessions.get(&row.uid) {
            return Ok(self.hold(session));
        }
        self.begin(&mut sessions, row)
    }

    /// As [`open`](Self::open), but in place of a session that has failed.
    pub(crate) fn open_anew(self: &Arc<Self>, row: LayoutRow) -> Result<Held, Error> {
        let mut sessions = self.sessions();
        if let Some(session) = sessions.get(&row.uid) {
            if session.live.borrow().state != LayoutState::Failed {
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
            make_room(sessions).ok_or(Error::Limit {
                reason: "TOO_MANY_LOADED_LAYOUTS",
                subject: "layouts in use in this process".into(),
                limit: self.options.max_loaded as u64,
                what: "layouts",
            })?;
        }
        let unreadable = || Error::Unreadable { layout: live::name(&row).to_string(), what: "pins" };
        let pins = Pins::decode(&row.pins).ok_or_else(unreadable)?;
        Constraints::of(&row, &live::name(&row))?;
        live::stored_parameters(&row)?;
        let uid = row.uid;
        let (session, commands) = Session::new(row, pins);
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

    /// Ends the session of a layout that was deleted, and forgets where its nodes were.
    pub(crate) async fn delete(&self, uid: Uuid) {
        let session = self.sessions().remove(&uid);
        if let Some(session) = session {
            session.request_end(End::Deleted);
            // It may be saving: what is deleted before that ends would come back.
            session.over.cancelled().await;
        }
        self.positions.delete(uid).await;
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
                self.positions.delete(layout.uid).await;
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
            sessions.remove(&session.uid);
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

    fn sessions(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Removes a session at rest that nobody needs. `None` if there is none.
fn make_room(sessions: &mut HashMap<Uuid, Arc<Session>>) -> Option<()> {
    let unneeded = |session: &Arc<Session>| session.uses.load(Ordering::SeqCst) == 0 && session.at_rest();
    let uid = *sessions.iter().find(|(_, session)| unneeded(session))?.0;
    sessions.remove(&uid)?.request_end(End::Unloaded);
    Some(())
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
