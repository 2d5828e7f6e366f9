//! What drives a layout: when to step, what to show, when to save, when to end.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use weft_proto::weft::compute::v1::LayoutState;
use weft_store::{DesiredState, LayoutRow, StoreError};

use super::{
    End, Layouts, Session, admission,
    command::Command,
    engine::Engine,
    follow::{Follower, Standing},
    live, saving,
    step::{Done, Work, state},
    turns::{Class, Turn},
};
use crate::domain::saved::Saved;

/// Commands that are obeyed between two steps at most.
const COMMANDS_A_STEP: usize = 1024;

/// How a session ends.
enum Ending {
    Requested(End),
    /// The graph is gone, and the layout with it.
    GraphDeleted,
    /// It cannot go on; starting it tries again.
    Failed(String),
}

/// Runs a layout until it is not needed any more.
pub(super) async fn run(layouts: Arc<Layouts>, session: Arc<Session>, commands: mpsc::Receiver<Command>) {
    // Also where the mesh stops and drops this in the middle.
    let _over = session.over.clone().drop_guard();
    let _counted = Counted::new(&layouts);
    let memory = match admission::admit(&layouts, &session).await {
        Ok(memory) => {
            session.memory.store(memory.num_permits(), Ordering::SeqCst);
            memory
        }
        Err(no_room) => {
            *session.no_room.lock().expect("nobody panics with the lock") = Some(no_room);
            layouts.meter.refused.inc();
            layouts.forget(&session);
            session.lose();
            return;
        }
    };
    let taken = match layouts.placement.take(session.uid).await {
        Ok(taken) => taken,
        Err(error) => {
            tracing::debug!(layout = %session.uid, %error, "a layout is not simulated here");
            layouts.forget(&session);
            session.lose();
            return;
        }
    };
    session.taken(taken);
    let row = Arc::clone(&session.live.borrow().row);
    let follower = Follower {
        client: layouts.graph.clone(),
        graph: live::name(&row).graph.to_string(),
        uid: row.graph_uid,
        limits: layouts.options.limits(),
        followed: Arc::clone(&session.followed),
        ids: layouts.ids.clone(),
    };
    let following = CancellationToken::new();
    let _stop_following = following.clone().drop_guard();
    layouts.lifecycle.spawn_future(follower.run(following));
    let mut actor = Actor {
        memory: Some(memory),
        commands,
        pending: Vec::new(),
        engine: None,
        followed_number: 0,
        dirty: false,
        saving: None,
        last_save: Instant::now(),
        idle_since: Instant::now(),
        layouts,
        session,
    };
    let ending = actor.work(&row).await;
    actor.finish(ending).await;
}

/// Counts a session while it is there, also where it is dropped in the middle.
struct Counted(Arc<Layouts>);

impl Counted {
    fn new(layouts: &Arc<Layouts>) -> Self {
        layouts.meter.sessions.inc();
        Self(Arc::clone(layouts))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.meter.sessions.dec();
    }
}

struct Actor {
    /// Given back before anybody learns that the session is over.
    memory: Option<OwnedSemaphorePermit>,
    layouts: Arc<Layouts>,
    session: Arc<Session>,
    commands: mpsc::Receiver<Command>,
    /// Commands that have come and are not obeyed yet.
    pending: Vec<Command>,
    /// `None` until the graph has been fetched.
    engine: Option<Box<Engine>>,
    /// Which change of the graph has been taken in.
    followed_number: u64,
    /// Nodes have moved since they were saved last.
    dirty: bool,
    /// Ends when the saving in the background has ended.
    saving: Option<oneshot::Receiver<bool>>,
    last_save: Instant,
    /// Since when nothing has happened.
    idle_since: Instant,
}

impl Actor {
    async fn work(&mut self, row: &LayoutRow) -> Ending {
        if let Err(ending) = self.check_row(row).await {
            return ending;
        }
        let under = self.session.saved();
        let mut saved = self.layouts.positions.load(row.uid, under, self.layouts.options.max_nodes).await;
        if let Some(view) = saved.as_ref().and_then(|saved| saving::first_view(saved, live::dim(row))) {
            self.session.frames.send_replace(Some(view));
        }
        let mut standing = self.session.followed.standing();
        let draining = self.layouts.lifecycle.draining_token();
        let mut next_step = Instant::now();
        loop {
            if let Some(end) = self.session.requested_end() {
                return Ending::Requested(end);
            }
            if draining.is_cancelled() {
                return Ending::Requested(End::Unloaded);
            }
            let now_standing = standing.borrow_and_update().clone();
            let number = match now_standing {
                Standing::Loading => {
                    self.wait(&mut standing, &draining).await;
                    continue;
                }
                Standing::Gone => return Ending::GraphDeleted,
                Standing::Refused(error) => return Ending::Failed(error.to_string()),
                Standing::Following(number) => number,
            };
            self.take_commands();
            if !self.is_due(number) {
                if self.idle_since.elapsed() >= self.layouts.options.unload_after()
                    && self.save_and_forget().await
                {
                    return Ending::Requested(End::Unloaded);
                }
                self.wait(&mut standing, &draining).await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep_until(next_step) => {}
                () = draining.cancelled() => continue,
            }
            next_step = Instant::now() + self.layouts.options.tick_interval();
            self.take_commands();
            if let Err(message) = self.step(number, saved.take()).await {
                return Ending::Failed(message);
            }
            if self.last_save.elapsed() >= self.layouts.options.save_every() {
                self.save();
            }
        }
    }

    /// A layout may have been deleted between the reading of its row and the opening of its session.
    async fn check_row(&self, row: &LayoutRow) -> Result<(), Ending> {
        match self.layouts.store.get_layout(&row.project, &row.graph, &row.id).await {
            Ok(stored) if stored.uid == row.uid => {
                self.session.set_row(stored);
                Ok(())
            }
            Ok(_) | Err(StoreError::NotFound { .. }) => Err(Ending::Requested(End::Deleted)),
            // The row that is here was read a moment ago.
            Err(_) => Ok(()),
        }
    }

    fn take_commands(&mut self) {
        while self.pending.len() < COMMANDS_A_STEP
            && let Ok(command) = self.commands.try_recv()
        {
            self.pending.push(command);
        }
    }

    /// Whether there is something to do.
    fn is_due(&self, number: u64) -> bool {
        let Some(engine) = &self.engine else { return true };
        let live = self.session.live.borrow();
        let stopped = live.row.desired_state == DesiredState::Stopped;
        number != self.followed_number
            || !self.pending.is_empty()
            || (engine.moves() && !stopped)
            || engine.version() != live::rules_version(&live.row)
            || live.state != state(engine, stopped)
    }

    /// Waits until something happens.
    async fn wait(&mut self, standing: &mut watch::Receiver<Standing>, draining: &CancellationToken) {
        let unload_after = self.layouts.options.unload_after();
        // A session in use is looked at again after a while: nobody tells when the last user leaves.
        let look = Instant::now() + unload_after.max(Duration::from_millis(20));
        tokio::select! {
            Some(command) = self.commands.recv(), if self.pending.len() < COMMANDS_A_STEP => {
                self.pending.push(command);
            }
            Ok(()) = standing.changed() => {}
            () = self.session.wake.notified() => {}
            () = draining.cancelled() => {}
            () = tokio::time::sleep_until(look) => {}
        }
    }

    /// Takes in what has changed, makes a step if the layout moves, and shows the result.
    async fn step(&mut self, number: u64, saved: Option<Saved>) -> Result<(), String> {
        let turn = self.turn().await;
        // What has come while it waited is in this step.
        self.take_commands();
        let row = Arc::clone(&self.session.live.borrow().row);
        let stopped = row.desired_state == DesiredState::Stopped;
        let work = Work {
            engine: self.engine.take(),
            followed: Arc::clone(&self.session.followed),
            graph_changed: number != self.followed_number,
            commands: std::mem::take(&mut self.pending),
            stopped,
            row,
            saved,
            max_pins: self.layouts.options.max_pins,
            device: self.layouts.options.device(),
        };
        let worked = tokio::task::spawn_blocking(move || {
            let worked = work.run();
            drop(turn);
            worked
        });
        let (engine, done) = worked.await.map_err(|error| {
            tracing::error!(%error, "a simulation broke down");
            "the simulation broke down; this is a fault of the program".to_owned()
        })??;
        self.followed_number = number;
        self.show(&engine, done, stopped);
        self.engine = Some(engine);
        self.idle_since = Instant::now();
        Ok(())
    }

    /// Waits for a turn, as one that matters as much as it does by then: whoever takes hold of a node of a layout that nobody
    /// was watching waits no longer than those who hold others.
    async fn turn(&mut self) -> Turn {
        let (project, cost) = {
            let live = self.session.live.borrow();
            (live.row.project.clone(), Duration::from_secs_f64(live.tick_ms / 1e3))
        };
        let turns = Arc::clone(&self.layouts.turns);
        loop {
            let class = self.class();
            let may_rise = class != Class::Moved && self.pending.len() < COMMANDS_A_STEP;
            tokio::select! {
                turn = turns.take(class, &project, cost) => return turn,
                Some(command) = self.commands.recv(), if may_rise => self.pending.push(command),
            }
        }
    }

    /// How much it matters to people now.
    fn class(&self) -> Class {
        let is_held = self.engine.as_ref().is_some_and(|engine| engine.is_held());
        if is_held || !self.pending.is_empty() {
            Class::Moved
        } else if self.session.viewers.load(Ordering::Relaxed) > 0 {
            Class::Watched
        } else {
            Class::Unseen
        }
    }

    fn show(&mut self, engine: &Engine, done: Done, stopped: bool) {
        *self.session.pins.lock().expect("nobody panics with the lock") = Arc::clone(engine.pins());
        let moved = done.report.is_some();
        let changed = done.snapshot.is_some();
        if let Some(snapshot) = done.snapshot {
            self.session.frames.send_replace(Some(snapshot));
            self.dirty = !engine.is_sketching();
        }
        let state = state(engine, stopped);
        let mut came_to_rest = false;
        self.session.live.send_modify(|live| {
            came_to_rest = live.state != state && state != LayoutState::Running;
            live.state = state;
            live.tick = engine.ticks();
            live.revision = engine.revision();
            if let Some((nodes, edges)) = done.counts {
                (live.nodes, live.edges) = (nodes, edges);
            }
            if let Some(held) = done.held {
                live.held = Arc::new(held);
            }
            if let Some((report, took)) = done.report {
                self.layouts.meter.step(report.processor, took);
                live.ran_on(report.processor, engine.device_error());
                let took = took.as_secs_f64() * 1e3;
                live.tick_ms = if live.tick_ms > 0.0 { live.tick_ms * 0.9 + took * 0.1 } else { took };
                live.mean_displacement = f64::from(report.mean_displacement);
            }
        });
        for replied in done.replies {
            replied.send();
        }
        if came_to_rest && (moved || changed) {
            self.save();
        }
    }

    /// Saves in the background, unless it is being done.
    fn save(&mut self) {
        match self.saving.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Err(oneshot::error::TryRecvError::Empty)) => return,
            // What was to be saved still is.
            Some(Ok(false)) => self.dirty = true,
            Some(Ok(true) | Err(oneshot::error::TryRecvError::Closed)) | None => {}
        }
        let Some(snapshot) = self.session.frames.borrow().clone().filter(|_| self.dirty) else { return };
        self.dirty = false;
        self.last_save = Instant::now();
        let (done, saving) = oneshot::channel();
        self.saving = Some(saving);
        let (layouts, session) = (Arc::clone(&self.layouts), Arc::clone(&self.session));
        let standing = {
            let live = self.session.live.borrow();
            (live.state, live::rules_version(&live.row))
        };
        self.layouts.lifecycle.spawn_future(async move {
            let _ = done.send(saving::save(&layouts, &session, &snapshot, standing).await);
        });
    }

    /// Saves what is not saved yet, and waits for it.
    async fn save_now(&mut self) {
        // A saving that runs may be older than what is here now.
        for _ in 0..2 {
            if let Some(saving) = self.saving.take()
                && saving.await == Ok(false)
            {
                self.dirty = true;
            }
            self.save();
        }
    }

    /// Lets go of the session if nobody needs it. It is saved before, so that whoever opens it next
    /// finds what was saved.
    async fn save_and_forget(&mut self) -> bool {
        if self.session.uses.load(Ordering::SeqCst) > 0 || !self.session.at_rest() {
            self.idle_since = Instant::now();
            return false;
        }
        self.save_now().await;
        self.layouts.forget_unused(&self.session)
    }

    async fn finish(mut self, ending: Ending) {
        match ending {
            Ending::Requested(End::Unloaded) => {
                self.save_now().await;
                self.give_back().await;
                self.layouts.forget(&self.session);
                self.be_over();
            }
            // What is here may be older than what the other process has.
            Ending::Requested(End::Lost) => {
                self.commands.close();
                self.layouts.forget(&self.session);
            }
            Ending::Requested(End::Deleted) => {
                self.fail("the layout was deleted").await;
                self.layouts.forget(&self.session);
                self.be_over();
            }
            Ending::GraphDeleted => {
                self.fail("the graph was deleted").await;
                self.layouts.forget(&self.session);
                let row = Arc::clone(&self.session.live.borrow().row);
                if let Err(error) = self.layouts.delete_of_graph(&row).await {
                    tracing::warn!(%error, "the layouts of a deleted graph are left over; they go when they are used");
                }
                self.be_over();
            }
            Ending::Failed(message) => {
                self.layouts.meter.failures.inc();
                tracing::warn!(layout = %live::name(&self.session.live.borrow().row), message, "a layout has failed");
                self.fail(&message).await;
                self.be_over();
                self.linger().await;
                self.give_back().await;
            }
        }
    }

    /// Whoever waits for the memory of this session finds it free.
    fn be_over(&mut self) {
        self.engine = None;
        self.memory = None;
        self.session.memory.store(0, Ordering::SeqCst);
        self.session.over.cancel();
    }

    /// Another process may have the layout from now on.
    async fn give_back(&self) {
        if self.session.is_lost() {
            return;
        }
        let awake = {
            let live = self.session.live.borrow();
            // One whose graph is still being fetched goes on elsewhere as one that moves does.
            let moves = matches!(live.state, LayoutState::Running | LayoutState::Loading);
            moves && live.row.desired_state == DesiredState::Running
        };
        self.layouts.placement.leave(self.session.uid, self.session.epoch(), awake).await;
    }

    /// Tells everybody that it is over, and waits for a saving that runs.
    async fn fail(&mut self, message: &str) {
        self.commands.close();
        self.session.live.send_modify(|live| {
            live.state = LayoutState::Failed;
            message.clone_into(&mut live.failure);
        });
        // Whoever waits for an answer learns from its sender's end that none will come.
        self.pending.clear();
        while self.commands.try_recv().is_ok() {}
        if let Some(saving) = self.saving.take() {
            let _ = saving.await;
        }
    }

    /// Keeps the reason of the failure for a while for those who ask.
    async fn linger(&mut self) {
        let pause = self.layouts.options.unload_after().max(Duration::from_millis(20));
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.session.wake.notified() => {}
                () = self.layouts.lifecycle.draining() => return,
            }
            if self.session.requested_end().is_some() || self.layouts.forget_unused(&self.session) {
                return;
            }
        }
    }
}
