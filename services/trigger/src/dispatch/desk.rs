//! The task that has what waits: whose turn it is, and what is to be written.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use prost::Message;
use tokio::{
    sync::{mpsc, watch},
    task::{Id, JoinSet},
    time::Instant,
};
use uuid::Uuid;
use weft_kit::Lifecycle;
use weft_proto::weft::trigger::v1::{Delivery, DeliveryState};
use weft_store::{DeliveryChange, DeliveryKind, StoreError, Timestamp};

use super::start::{self, Outcome};
use crate::{domain::delivery, pending::Pending, state::State};

/// How often it is looked for what waits on disk.
const SWEEP: Duration = Duration::from_secs(5);
/// How far ahead what waits on disk is read.
const AHEAD: Duration = Duration::from_secs(7);
/// How far ahead it is read when this process gets the triggers: all that another one may have had.
const FAR_AHEAD: Duration = Duration::from_hours(2);
/// Rows that are read at once.
const PAGE: usize = 500;
/// Ticks that may wait for the end of a run.
const QUEUED: usize = 100;

/// Ticks of one trigger that wait for the one that is at work.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Pending>,
    /// Whether what is at work waits for the end of a run.
    is_held: bool,
}

/// Something that has come to an end, or is put off: to be written.
struct Ended {
    pending: Pending,
    change: DeliveryChange,
    head: Delivery,
}

struct Desk {
    state: Arc<State>,
    /// All that is in memory, wherever.
    here: HashSet<Uuid>,
    /// Whose turn it is.
    free: VecDeque<Pending>,
    /// Whose time is yet to come.
    later: BTreeMap<(i64, Uuid), Pending>,
    lines: HashMap<Uuid, Line>,
    working: JoinSet<(Pending, Outcome)>,
    /// What each task works at: its delivery and its line.
    tasks: HashMap<Id, (Uuid, Option<Uuid>)>,
    ended: Vec<Ended>,
    next_sweep: Instant,
    /// How far ahead the next look at the disk is.
    ahead: Duration,
}

/// Starts what is offered and what is found on disk, until the process ends.
///
/// # Errors
/// The store failed: what is in memory is given up, and read again.
pub(crate) async fn run(state: Arc<State>, life: Lifecycle) -> Result<(), StoreError> {
    let offered = Arc::clone(&state.dispatcher.offered);
    let mut offered = offered.lock().await;
    let mut owner = state.dispatcher.has_all.subscribe();
    let mut desk = Desk::new(state);
    loop {
        desk.begin();
        let until = desk.wakes_at(*owner.borrow());
        tokio::select! {
            () = life.draining() => return desk.drain().await,
            changed = owner.changed() => if changed.is_ok() { desk.took_over() },
            first = offered.recv() => if let Some(first) = first { desk.take(first, &mut offered) },
            Some(done) = desk.working.join_next_with_id() => desk.done(done),
            () = tokio::time::sleep_until(until) => {}
        }
        while let Some(done) = desk.working.try_join_next_with_id() {
            desk.done(done);
        }
        desk.write().await?;
        desk.sweep(&owner).await?;
    }
}

impl Desk {
    fn new(state: Arc<State>) -> Self {
        Self {
            state,
            here: HashSet::new(),
            free: VecDeque::new(),
            later: BTreeMap::new(),
            lines: HashMap::new(),
            working: JoinSet::new(),
            tasks: HashMap::new(),
            ended: Vec::new(),
            next_sweep: Instant::now(),
            ahead: FAR_AHEAD,
        }
    }

    fn took_over(&mut self) {
        self.ahead = FAR_AHEAD;
        self.next_sweep = Instant::now();
    }

    fn take(&mut self, first: Pending, offered: &mut mpsc::Receiver<Pending>) {
        self.add(first);
        while let Ok(next) = offered.try_recv() {
            self.add(next);
        }
    }

    /// Takes a delivery in, if there is room and it is not here yet. What is not taken waits on disk.
    fn add(&mut self, pending: Pending) {
        if self.here.len() >= self.state.options.max_waiting || !self.here.insert(pending.row.id) {
            return;
        }
        if pending.due > self.state.now().as_micros() {
            self.later.insert((pending.due, pending.row.id), pending);
        } else {
            self.admit(pending);
        }
    }

    /// It is due: its turn comes, unless its trigger is at work.
    fn admit(&mut self, pending: Pending) {
        let Some(key) = pending.line() else { return self.free.push_back(pending) };
        match self.lines.get_mut(&key) {
            None => {
                self.lines.insert(key, Line::default());
                self.free.push_back(pending);
            }
            Some(line) if line.is_held && line.waiting.len() >= QUEUED => {
                let outcome = Outcome::skipped(&pending.head, "QUEUE_FULL", "too many ticks wait already");
                self.finish(pending, outcome);
            }
            Some(line) => line.waiting.push_back(pending),
        }
    }

    /// Lets those begin whose time and turn it is.
    fn begin(&mut self) {
        let now = self.state.now().as_micros();
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let pending = entry.remove();
            // One that was put off still has its line.
            if pending.row.wake.is_none() { self.free.push_back(pending) } else { self.admit(pending) }
        }
        while self.working.len() < self.state.options.max_starting
            && let Some(pending) = self.free.pop_front()
        {
            let key = (pending.row.id, pending.line());
            let state = Arc::clone(&self.state);
            let task = self.working.spawn(async move {
                let outcome = start::start(&state, &pending).await;
                (pending, outcome)
            });
            self.tasks.insert(task.id(), key);
        }
    }

    /// When something is to be done at the latest.
    fn wakes_at(&self, owns: bool) -> Instant {
        let now = self.state.now().as_micros();
        let next = self.later.first_key_value().map(|((due, _), _)| {
            let wait = u64::try_from(due - now).unwrap_or_default();
            // No longer than a clock that is moved by hand may stand.
            Instant::now() + Duration::from_micros(wait).min(Duration::from_secs(1))
        });
        let sweep = if owns { self.next_sweep } else { Instant::now() + SWEEP };
        next.map_or(sweep, |next| next.min(sweep))
    }

    fn done(&mut self, done: Result<(Id, (Pending, Outcome)), tokio::task::JoinError>) {
        match done {
            Ok((id, (pending, outcome))) => {
                self.tasks.remove(&id);
                self.finish(pending, outcome);
            }
            Err(error) => {
                tracing::error!(%error, "starting a run broke off; it is tried again");
                if let Some((id, line)) = self.tasks.remove(&error.id()) {
                    self.here.remove(&id);
                    self.next_in(line);
                }
            }
        }
    }

    fn finish(&mut self, pending: Pending, outcome: Outcome) {
        let id = pending.row.id;
        let (head, wake) = match outcome {
            Outcome::Ended(head) => (*head, None),
            Outcome::Again(head, at) => (*head, Some(at)),
            Outcome::Held(at) => {
                if let Some(line) = pending.line().and_then(|key| self.lines.get_mut(&key)) {
                    line.is_held = true;
                }
                return self.put_off(pending, at);
            }
        };
        let kind = delivery::kind(head.state());
        let is_dead = wake.is_none() && kind == DeliveryKind::Dead;
        let change = DeliveryChange {
            id,
            state: head.state,
            kind,
            wake,
            expires: is_dead.then(|| self.state.now().after(self.state.options.dead_letter_retention)),
            started: head
                .start_time
                .as_ref()
                .map(|time| Timestamp::from_micros(Timestamp::from(time).as_micros())),
            head: head.encode_to_vec().into(),
        };
        self.ended.push(Ended { pending, change, head });
    }

    /// Puts off what is at work: it keeps its line, and nothing is written.
    fn put_off(&mut self, mut pending: Pending, at: Timestamp) {
        pending.due = at.as_micros();
        // It has begun: when its time comes it need not wait for its turn.
        pending.row.wake = None;
        self.later.insert((pending.due, pending.row.id), pending);
    }

    /// The next one of a line.
    fn next_in(&mut self, line: Option<Uuid>) {
        let Some(key) = line else { return };
        let Some(line) = self.lines.get_mut(&key) else { return };
        line.is_held = false;
        match line.waiting.pop_front() {
            Some(next) => self.free.push_back(next),
            None => drop(self.lines.remove(&key)),
        }
    }

    /// Writes what has come to an end, and tells.
    async fn write(&mut self) -> Result<(), StoreError> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let ended = std::mem::take(&mut self.ended);
        let changes = ended.iter().map(|ended| ended.change.clone()).collect();
        self.state.store.settle_deliveries(changes).await?;
        self.state.news.tell();
        for Ended { mut pending, change, head } in ended {
            let line = pending.line();
            if let Some(at) = change.wake {
                pending.head = head;
                self.put_off(pending, at);
                continue;
            }
            self.here.remove(&pending.row.id);
            self.state.room.take(pending.row.event.len(), self.state.options.kept_bytes_per_project);
            if let Some(done) = pending.done.take() {
                // Fails when whoever waited has gone away.
                drop(done.send(head));
            }
            // One that found no place in its line was never at work.
            if head_of_line(&change) {
                self.next_in(line);
            }
        }
        Ok(())
    }

    /// Reads what waits on disk, where this process is the one that does.
    async fn sweep(&mut self, owner: &watch::Receiver<bool>) -> Result<(), StoreError> {
        if !*owner.borrow() || Instant::now() < self.next_sweep {
            return Ok(());
        }
        let limit = PAGE + self.here.len();
        let before = self.state.now().after(self.ahead);
        let rows =
            self.state.store.waiting_deliveries(before, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
        let is_all = rows.len() < limit;
        let had = self.here.len();
        for row in rows {
            if !self.here.contains(&row.id) {
                self.add(Pending::of(row)?);
            }
        }
        if is_all {
            self.ahead = AHEAD;
        }
        // Where there is more, and room for it, it is read soon.
        let pause = if is_all || self.here.len() == had { SWEEP } else { Duration::from_millis(50) };
        self.next_sweep = Instant::now() + pause;
        Ok(())
    }

    /// Nothing begins any more; what is at work may come to its end.
    async fn drain(&mut self) -> Result<(), StoreError> {
        while let Some(done) = self.working.join_next_with_id().await {
            self.done(done);
            self.write().await?;
        }
        self.write().await
    }
}

/// Whether what has ended was at work, and has its line.
fn head_of_line(change: &DeliveryChange) -> bool {
    let head = Delivery::decode(change.head.clone()).unwrap_or_default();
    !(head.state() == DeliveryState::Skipped && head.reason == "QUEUE_FULL")
}
