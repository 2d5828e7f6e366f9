//! The one task that owns a shard: what has come in is done in memory, written in one flush, and only then told.
//!
//! While a flush is on its way to the disk, what comes in waits, and shares the next one: with one execution at work a
//! generation of its steps costs one disk flush, with many a flush is shared by all of them. If a flush fails, nobody
//! was told anything, memory is thrown away and read again from the disk, which is the truth.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{
    FutureExt,
    future::{BoxFuture, OptionFuture},
};
use serde_json::Value as Json;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use weft_kit::Lifecycle;
use weft_store::{
    ExecutionChange, ExecutionEvents, ExecutionFlush, ExecutionRow, OwnedExecutions, StoreError, Timestamp,
};

use super::{
    Parts, Wish,
    known::{Known, Verdict},
    limits::Limits,
    live::{self, Live},
    lives::Lives,
    message::{Answer, Asked, Creation, Message, Newest, Outcome},
    meter::Counted,
    outward::Outward,
    turns::{HERE, StepKey, Turn, Turns},
    watchers::Watchers,
    workers::Workers,
};
use crate::{
    Error,
    domain::{
        event::Event,
        fault::StepError,
        gate::Gate,
        journal, message, name,
        run::{Performance, Run, Status, StepIs},
        topic_message,
    },
};

/// How many messages share a flush at most.
const GROUP: usize = 1_024;
/// Executions of a page when a shard is opened, and of those that wake at once.
pub(super) const PAGE: u32 = 1_000;
/// Bytes of what steps publish, after which no more runs are settled for one flush.
const MOST_PUBLISHED: usize = 16 << 20;
/// Executions that wake within this are known in memory; the others are looked for once in half of it.
const HORIZON: Duration = Duration::from_mins(10);
/// How long one that may start waits in a full process before it asks for room again, whatever it was told.
const FULL: Duration = Duration::from_secs(1);
/// How long steps that are at work may go on when the process ends that has its store alone.
const LAST: Duration = Duration::from_secs(10);
/// The same where another process takes the shard, which begins again what has not ended. Nothing new starts meanwhile.
const LAST_OF_MOVE: Duration = Duration::from_secs(2);

/// What is told once the flush is on disk.
pub(super) type Told = Box<dyn FnOnce() + Send>;

pub(super) struct Shard {
    pub(super) parts: Arc<Parts>,
    outward: Outward,
    watchers: Arc<Watchers>,
    pub(super) owned: OwnedExecutions,
    pub(super) lives: Lives,
    pub(super) turns: Turns,
    pub(super) workers: Workers,
    /// Streams of workers that there were, of this epoch.
    pub(super) streams: u64,
    /// Until when no task is given out, so that workers that have some of before may come back first.
    pub(super) hold_until: Option<i64>,
    pub(super) counted: Counted,
    /// Limits of whole runs, and who may start.
    pub(super) limits: Limits,
    pub(super) gate: Gate,
    /// When executions that are not in memory go on, as far as the horizon.
    due: BTreeSet<(i64, i64)>,
    horizon: i64,
    /// When executions that are in memory go on.
    timers: BTreeSet<(i64, i64)>,
    pub(super) flush: ExecutionFlush,
    objects: Vec<(String, Bytes)>,
    pub(super) told: Vec<Told>,
    /// Executions that something has happened to in this round.
    pub(super) touched: BTreeSet<i64>,
    /// What steps gave that needed no waiting: of the next round.
    done: Vec<Outcome>,
    /// Repeats of what is in this flush: of the next round.
    deferred: Vec<Message>,
    /// A place outside that was waited for.
    place: Option<OwnedSemaphorePermit>,
    /// In line for a place in the process, where a step has its turn in the shard. It is kept while other things happen, so
    /// that a busy shard does not go to the end of the line again and again.
    in_line: Option<BoxFuture<'static, OwnedSemaphorePermit>>,
    pub(super) draining: Option<Instant>,
}

impl Shard {
    /// Takes the shard, and brings what is at work into memory.
    pub(super) async fn open(
        parts: Arc<Parts>,
        messages: mpsc::Sender<Message>,
        watchers: Arc<Watchers>,
    ) -> Result<Self, StoreError> {
        let now = Timestamp::from(parts.clock.now());
        let owned = parts.store.own_executions(parts.shard, parts.owner, now).await?;
        let turns = Turns::new(&parts.options, owned.epoch);
        let room = Arc::clone(&parts.room);
        let counted = Counted::new(Arc::clone(&parts.meter));
        let streams = owned.epoch.cast_unsigned() << 40;
        let mut shard = Self {
            outward: Outward::new(Arc::clone(&parts), messages),
            parts,
            watchers,
            owned,
            lives: Lives::new(room),
            turns,
            workers: Workers::default(),
            streams,
            hold_until: None,
            counted,
            limits: Limits::default(),
            gate: Gate::default(),
            due: BTreeSet::new(),
            horizon: 0,
            timers: BTreeSet::new(),
            flush: ExecutionFlush::default(),
            objects: Vec::new(),
            told: Vec::new(),
            touched: BTreeSet::new(),
            done: Vec::new(),
            deferred: Vec::new(),
            place: None,
            in_line: None,
            draining: None,
        };
        shard.read_limits().await?;
        let mut after = 0;
        loop {
            let page = shard.parts.store.active_executions(shard.owned.shard, after, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for row in page {
                after = row.execution.id;
                shard.bring(row).await?;
            }
            if is_last {
                break;
            }
        }
        shard.take_back().await?;
        if shard.lives.len() > 0 {
            let grace = shard.parts.options.worker_grace.as_micros() as i64;
            shard.hold_until = Some(shard.now().saturating_add(grace));
        }
        shard.touched.extend(shard.lives.keys());
        tracing::info!(
            shard = shard.owned.shard,
            epoch = shard.owned.epoch,
            active = shard.lives.len(),
            "executions are ready"
        );
        Ok(shard)
    }

    /// Brings an execution into memory. One whose journal cannot be read stays where it is, and is told.
    pub(super) async fn bring(&mut self, row: ExecutionRow) -> Result<(), StoreError> {
        let Parts { store, objects, definitions, .. } = &*self.parts;
        match live::load(&**store, objects, definitions, &row).await {
            Ok((run, sequence)) => {
                let definition = (row.change.definition, row.change.revision);
                let outside = HashMap::new();
                self.lives.insert(Live {
                    row,
                    run,
                    sequence,
                    outside,
                    ended: Vec::new(),
                    definition,
                    timer: None,
                });
                Ok(())
            }
            Err(StoreError::Unavailable(error)) => Err(StoreError::Unavailable(error)),
            Err(error) => {
                tracing::error!(%error, execution = row.execution.id, "an execution cannot be read back");
                Ok(())
            }
        }
    }

    pub(super) fn now(&self) -> i64 {
        Timestamp::from(self.parts.clock.now()).as_micros()
    }

    /// Works until the mesh drains, another process is to have the shard or may have it already, or a flush fails. Where it
    /// gives the shard back, what is at work may end; nothing begins any more.
    pub(super) async fn run(
        mut self,
        messages: &mut mpsc::Receiver<Message>,
        life: &Lifecycle,
        (wish, term): (&mut watch::Receiver<Wish>, u64),
    ) -> Result<(), StoreError> {
        let room = Arc::clone(&self.parts.room);
        let mut group = Vec::new();
        // Before anybody is heard: workers that come back say which tasks they have, and those have to wait for somebody first.
        while !self.touched.is_empty() && !life.is_draining() {
            self.round(&mut group).await?;
        }
        loop {
            let wished = *wish.borrow_and_update();
            if wished.term != term {
                return Ok(());
            }
            if self.draining.is_none() && (life.is_draining() || !wished.has) {
                let last = if self.parts.is_alone { LAST } else { LAST_OF_MOVE };
                self.draining = Some(Instant::now() + last);
            }
            let timer = self.next_timer();
            let timer = timer.map(|at| Duration::from_micros(at.saturating_sub(self.now()).max(0) as u64));
            let waits = self.done.is_empty()
                && self.deferred.is_empty()
                && self.touched.is_empty()
                && !self.may_admit();
            if waits {
                let last = self.draining;
                if last.is_some() && self.turns.is_idle() {
                    break;
                }
                let is_full = self.gate.is_open() && !self.has_room();
                tokio::select! {
                    received = messages.recv_many(&mut group, GROUP) => if received == 0 { break },
                    () = tokio::time::sleep(timer.unwrap_or(HORIZON / 2)) => {}
                    Some(place) = OptionFuture::from(self.in_line.as_mut()) => {
                        (self.in_line, self.place) = (None, Some(place));
                        self.begin();
                    }
                    () = room.left(), if is_full => {}
                    // There may be room again since it was asked for.
                    () = tokio::time::sleep(FULL), if is_full => {}
                    () = life.draining(), if last.is_none() => continue,
                    changed = wish.changed() => if changed.is_err() { break } else { continue },
                    () = tokio::time::sleep_until(last.unwrap_or_else(Instant::now)), if last.is_some() => break,
                }
            } else {
                while group.len() < GROUP
                    && let Ok(message) = messages.try_recv()
                {
                    group.push(message);
                }
            }
            drop(group.splice(0..0, self.deferred.drain(..)));
            self.round(&mut group).await?;
            if self.draining.is_some() && self.turns.is_idle() {
                break;
            }
        }
        Ok(())
    }

    /// When something happens by itself.
    fn next_timer(&self) -> Option<i64> {
        if self.draining.is_some() {
            return None;
        }
        let live = self.timers.first().map(|(at, _)| *at);
        let parked = self.due.first().map(|(at, _)| *at);
        // Where no more may be at work, the end of one is what to wait for.
        let starts = self.gate.next_timer().filter(|_| self.has_room());
        let (paced, workers) = (self.turns.next_timer(), self.workers_timer());
        let horizon = self.horizon - HORIZON.as_micros() as i64 / 2;
        [live, parked, starts, paced, workers, Some(horizon)].into_iter().flatten().min()
    }

    /// One flush and what led to it.
    async fn round(&mut self, group: &mut Vec<Message>) -> Result<(), StoreError> {
        let now = self.now();
        let chance = self.parts.ids.fraction();
        self.wake(now).await?;
        // First, because they look at what is on disk.
        self.limits_first(group, now).await?;
        self.admit(now).await?;
        let mut known = Known::of(group);
        known.look(&self.parts).await?;
        let asked = group.iter().filter_map(|message| match message {
            Message::Ask(id, ..) if !self.lives.contains(*id) => Some(*id),
            _ => None,
        });
        for id in asked.collect::<BTreeSet<_>>() {
            match self.parts.store.get_execution(id).await {
                Ok(row) => self.bring(row).await?,
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for outcome in std::mem::take(&mut self.done) {
            self.performed(outcome, now, chance);
        }
        self.workers_due(now, chance);
        for message in group.drain(..) {
            match message {
                Message::Create(creation, answer) => self.create(*creation, answer, now, &mut known),
                Message::Ask(id, asked, answer) => self.asked(id, *asked, answer, now),
                Message::Look(id, view) => {
                    let seen = self.lives.get(id);
                    if seen.is_some_and(|live| live.run.has_log()) {
                        // What is not on disk yet is not told.
                        self.deferred.push(Message::Look(id, view));
                    } else {
                        view(seen.map(|live| (&live.row, &live.run)));
                    }
                }
                Message::Performed(outcome) => self.performed(*outcome, now, chance),
                Message::OfWorkers(told) => self.of_workers(told, now, chance),
                Message::LookAtWorkers(view) => view(&self.workers, &self.turns),
                // Were done before all others.
                Message::OfLimits(..) | Message::LookAtLimits(_) => {}
            }
        }
        if self.draining.is_none() {
            self.touched.extend(self.timers.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id));
        }
        let mut waiting = std::mem::take(&mut self.touched).into_iter();
        let mut touched = BTreeSet::new();
        let mut begins: Vec<(i64, Performance)> = Vec::new();
        let mut stops: Vec<(StepKey, Option<CancellationToken>)> = Vec::new();
        for id in waiting.by_ref() {
            self.settle(id, self.draining.is_none(), (now, chance), &mut begins, &mut stops);
            touched.insert(id);
            let published: usize = self.flush.messages.iter().map(|message| message.bytes.len()).sum();
            if published > MOST_PUBLISHED {
                break;
            }
        }
        // What is written in one step has to fit into memory: they go on in the next flush. What has happened to them is
        // in this one, like what is told of it, and what they count against.
        for id in waiting {
            self.settle(id, false, (now, chance), &mut begins, &mut stops);
            touched.insert(id);
            self.touched.insert(id);
        }
        self.write_gate();
        let ExecutionFlush { executions, changes, events, limits, removed_limits, turns, rates, .. } =
            &self.flush;
        let nothing = executions.is_empty()
            && changes.is_empty()
            && events.is_empty()
            && (limits.is_empty() && removed_limits.is_empty() && turns.is_empty() && rates.is_empty());
        if !nothing {
            for (key, bytes) in std::mem::take(&mut self.objects) {
                self.parts.objects.put(&key, bytes).await?;
            }
            let flush = ExecutionFlush {
                shard: self.owned.shard,
                epoch: self.owned.epoch,
                ..std::mem::take(&mut self.flush)
            };
            let have_ended = flush.changes.iter().any(|change| change.ended.is_some());
            let have_published = !flush.messages.is_empty();
            self.parts.store.flush_executions(flush).await?;
            if have_published {
                self.parts.published.notify_one();
            }
            if have_ended {
                self.parts.ended.notify_one();
            }
        }
        self.tell(&touched, begins, stops);
        Ok(())
    }

    /// Looks at limits of runs, and changes them.
    async fn limits_first(&mut self, group: &mut Vec<Message>, now: i64) -> Result<(), StoreError> {
        let is_of_limits =
            |message: &mut Message| matches!(message, Message::OfLimits(..) | Message::LookAtLimits(_));
        for message in group.extract_if(.., is_of_limits).collect::<Vec<_>>() {
            match message {
                // What is not on disk yet is not told.
                Message::LookAtLimits(_)
                    if !self.flush.limits.is_empty() || !self.flush.removed_limits.is_empty() =>
                {
                    self.deferred.push(message);
                }
                Message::LookAtLimits(view) => view(&self.limits, &self.gate),
                Message::OfLimits(wanted, answer) => self.change_limits(*wanted, answer, now).await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Brings back what is due, and looks what will be.
    async fn wake(&mut self, now: i64) -> Result<(), StoreError> {
        let span = HORIZON.as_micros() as i64;
        if self.horizon - span / 2 <= now {
            self.horizon = now.saturating_add(span);
            let before = Timestamp::from_micros(self.horizon);
            let soon = self.parts.store.due_executions(self.owned.shard, before, u32::MAX >> 1).await?;
            let soon = soon.into_iter().filter(|row| !self.lives.contains(row.execution.id));
            self.due =
                soon.filter_map(|row| Some((row.change.wake?.as_micros(), row.execution.id))).collect();
        }
        let mut woken = 0;
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now && woken < PAGE) {
            self.due.remove(&(at, id));
            woken += 1;
            if self.lives.contains(id) {
                continue;
            }
            match self.parts.store.get_execution(id).await {
                Ok(row) if row.change.ended.is_none() => {
                    self.bring(row).await?;
                    self.touched.insert(id);
                }
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn answer<T: Send + 'static>(&mut self, answer: Answer<T>, value: Result<T, Error>) {
        // Fails when the caller has gone away, who then does not want to know.
        self.told.push(Box::new(move || drop(answer.send(value))));
    }

    fn create(&mut self, creation: Creation, answer: Answer<ExecutionRow>, now: i64, known: &mut Known) {
        let Creation { mut execution, plan, input, ended } = creation;
        match known.verdict(&execution) {
            Verdict::New => {}
            Verdict::Later => {
                let creation = Creation { execution, plan, input, ended };
                return self.deferred.push(Message::Create(Box::new(creation), answer));
            }
            Verdict::Repeat(row) => return self.answer(answer, Ok(*row)),
            Verdict::Refused(error) => return self.answer(answer, Err(error)),
        }
        if self.draining.is_some() {
            return self.answer(answer, Err(Error::Draining));
        }
        if !self.has_room() {
            return self.answer(answer, Err(Error::TooMany(self.parts.options.max_active)));
        }
        let limit = self.parts.options.max_active_per_project;
        if self.lives.of_project(&execution.project) >= limit {
            return self.answer(answer, Err(Error::TooManyOfProject(limit)));
        }
        execution.id = self.owned.last + 1;
        execution.at = Timestamp::from_micros(now);
        let definition = (execution.definition, execution.revision);
        let change = ExecutionChange {
            id: execution.id,
            state: message::state_number(Status::Running),
            definition: definition.0,
            revision: definition.1,
            wake: None,
            reason: String::new(),
            steps: 0,
            retries: 0,
            approvals: 0,
            ended: None,
        };
        let row = ExecutionRow { execution, change };
        let mut run = Run::new(plan, live::start_of(&row));
        run.happen(now, Event::Began { input });
        let places = self.limits.places(&row.execution, &run);
        if let Err(error) = self.may_wait(&row.execution.project, &places, now) {
            return self.answer(answer, Err(error));
        }
        known.remember(&row.execution);
        self.owned.last += 1;
        self.flush.executions.push(row.execution.clone());
        let id = row.execution.id;
        let live = Live {
            row,
            run,
            sequence: 0,
            outside: HashMap::new(),
            ended: ended.into_iter().collect(),
            definition,
            timer: None,
        };
        self.lives.insert(live);
        self.arrive(id, now);
        self.touched.insert(id);
        if let Some(live) = self.lives.get(id) {
            let mut row = live.row.clone();
            row.change.state = message::state_number(live.run.status());
            row.change.reason = live.run.error().map(|(_, error)| error.reason.clone()).unwrap_or_default();
            row.change.ended = live.run.status().has_ended().then(|| Timestamp::from_micros(now));
            self.answer(answer, Ok(row));
        }
    }

    fn asked(&mut self, id: i64, asked: Asked, answer: Answer<()>, now: i64) {
        let starts_again = match self.ask_again(id, &asked, now) {
            Ok(starts_again) => starts_again,
            Err(error) => {
                self.touched.insert(id);
                return self.answer(answer, Err(error));
            }
        };
        let Some(live) = self.lives.get_mut(id) else {
            return self.answer(answer, Err(Error::ExecutionNotFound(name::made_up(id))));
        };
        let done = ask(live, asked, now);
        if starts_again && done.is_ok() {
            self.arrive(id, now);
        }
        self.touched.insert(id);
        self.answer(answer, done);
    }

    fn performed(&mut self, outcome: Outcome, now: i64, chance: f64) {
        let Outcome { ticket, execution, step, generation, result, cached_from } = outcome;
        self.turns.ended(ticket);
        self.came_of((execution, step, generation), (result, cached_from), now, chance);
    }

    /// What a step does outside came to this; with the execution whose result it is, where it was kept. Says whether that
    /// counts.
    pub(super) fn came_of(
        &mut self,
        (execution, step, generation): StepKey,
        (result, cached_from): (Result<Json, StepError>, Option<String>),
        now: i64,
        chance: f64,
    ) -> bool {
        let Some(live) = self.lives.get_mut(execution) else { return false };
        if live.outside.remove(&(step, generation)).is_none() {
            return false;
        }
        self.touched.insert(execution);
        match (result, cached_from) {
            (Ok(value), Some(from)) => live.run.recalled((step, generation), value, from, now),
            (result, _) => live.run.performed((step, generation), result, now, chance),
        }
    }

    /// Decides what happens next of an execution, where it goes on now, and makes rows of what has happened.
    fn settle(
        &mut self,
        id: i64,
        goes_on: bool,
        (now, chance): (i64, f64),
        begins: &mut Vec<(i64, Performance)>,
        stops: &mut Vec<(StepKey, Option<CancellationToken>)>,
    ) {
        let Some(live) = self.lives.get_mut(id) else { return };
        if goes_on {
            for performance in live.run.settle(now, chance) {
                let key = (performance.step, performance.generation);
                if let Entry::Vacant(place) = live.outside.entry(key) {
                    place.insert(CancellationToken::new());
                    begins.push((id, performance));
                }
            }
            let published = live.run.take_published();
            self.flush
                .messages
                .extend(published.into_iter().map(|told| topic_message::row(told, &live.row.execution)));
            if !live.run.is_idle() {
                // It has more to publish than one flush is to have.
                self.touched.insert(id);
            }
        }
        let is_left = live.run.status() == Status::Terminated;
        for step in live.run.take_stops() {
            let of_step = live.outside.keys().filter(|(number, _)| *number == step).copied();
            for key in of_step.collect::<Vec<_>>() {
                // What is terminated is left alone: its work ends as it may, and nobody hears of it.
                let stop = live.outside.remove(&key);
                stops.push(((id, key.0, key.1), stop.filter(|_| !is_left)));
                self.turns.forget((id, key.0, key.1));
                begins.retain(|(of, begin)| (*of, begin.step, begin.generation) != (id, key.0, key.1));
            }
        }
        let timer = live.run.next_timer();
        if timer != live.timer {
            if let Some(before) = live.timer {
                self.timers.remove(&(before, id));
            }
            self.timers.extend(timer.map(|at| (at, id)));
            live.timer = timer;
        }
        // One that does not go on now may have something to do that it does not know of yet.
        let is_idle = goes_on && live.run.is_idle() && live.outside.is_empty();
        let change = live.change(is_idle, now);
        let events = live.run.take_log();
        if !events.is_empty() {
            live.sequence += 1;
            let prefix = format!("executions/{}", live.row.execution.uid);
            let written = journal::write(&events, &prefix, (self.owned.epoch, live.sequence));
            let bytes = written.row;
            self.objects.extend(written.objects);
            self.flush.events.push(ExecutionEvents { execution: id, sequence: live.sequence, bytes });
        }
        if change != live.row.change {
            live.row.change = change.clone();
            self.flush.changes.push(change);
        }
        self.tell_gate(id);
    }

    /// Tells everybody, now that it is on disk, and begins what was led to.
    fn tell(
        &mut self,
        touched: &BTreeSet<i64>,
        begins: Vec<(i64, Performance)>,
        stops: Vec<(StepKey, Option<CancellationToken>)>,
    ) {
        for told in self.told.drain(..) {
            told();
        }
        for (step, stop) in stops {
            self.stop_task(step, stop.is_some());
            if let Some(stop) = stop {
                stop.cancel();
            }
        }
        for (id, performance) in begins {
            let Some(live) = self.lives.get(id) else { continue };
            self.turns.want(&live.row.execution.project, id, performance);
        }
        self.begin();
        for id in touched {
            let Some(live) = self.lives.get_mut(*id) else { continue };
            if live.run.status().has_ended() {
                for ended in live.ended.drain(..) {
                    // Fails when nobody waits any more.
                    drop(ended.send(message::of_run(&live.row, &live.run)));
                }
            }
            let change = &live.row.change;
            if change.ended.is_some() || change.wake.is_some() {
                if let Some(wake) = change.wake.map(Timestamp::as_micros).filter(|wake| *wake < self.horizon)
                {
                    self.due.insert((wake, *id));
                }
                if let Some(timer) = live.timer {
                    self.timers.remove(&(timer, *id));
                }
                // Whoever waits for the end of one that waits asks again.
                self.lives.remove(*id);
            }
        }
        self.watchers.wake(touched.iter().copied());
    }

    /// Begins what has its turn.
    fn begin(&mut self) {
        let now = self.now();
        self.turns.pass(now);
        let (mut place, mut handed) = (None, Vec::new());
        while self.draining.is_none() && self.turns.has_waiting() {
            if place.is_none() && self.turns.has_waiting_here() {
                place = self.take_place();
            }
            let Some(turn) = self.turns.next(&mut place, now) else { break };
            if turn.worker != HERE {
                handed.extend(self.hand(turn));
                continue;
            }
            let Turn { ticket, execution, performance, .. } = turn;
            let key = (performance.step, performance.generation);
            let live = self.lives.get(execution);
            let begun = live.and_then(|live| Some((live, live.outside.get(&key)?.clone())));
            let Some((live, stop)) = begun else {
                self.turns.ended(ticket);
                continue;
            };
            if let Some(outcome) = self.outward.begin(&live.row.execution, (ticket, performance), stop) {
                self.turns.ended(ticket);
                self.done.push(outcome);
            }
        }
        self.tell_tasks(handed);
        self.count_workers();
        // One that was waited for and that nobody has taken.
        self.place = None;
        if self.draining.is_some() || !self.turns.has_waiting_here() {
            self.in_line = None;
        }
    }

    /// A place in the process, or one more in line for it. One whose turn in line has come may hold a place already.
    fn take_place(&mut self) -> Option<OwnedSemaphorePermit> {
        let at_hand = self.place.take();
        let at_hand = at_hand.or_else(|| self.in_line.is_none().then(|| self.parts.room.place())?);
        if at_hand.is_some() {
            return at_hand;
        }
        let place = self.in_line.get_or_insert_with(|| self.parts.room.next_place()).now_or_never()?;
        self.in_line = None;
        Some(place)
    }
}

/// Does to an execution what somebody asks for.
fn ask(live: &mut Live, asked: Asked, now: i64) -> Result<(), Error> {
    let run = &mut live.run;
    let has_ended = run.status().has_ended();
    match asked {
        Asked::Cancel if !has_ended => run.happen(now, Event::Cancelled),
        Asked::Terminate if !has_ended => run.happen(now, Event::Terminated),
        Asked::Cancel | Asked::Terminate => {}
        Asked::Pause if matches!(run.status(), Status::Running | Status::Queued) => {
            run.happen(now, Event::Paused);
        }
        Asked::Resume if run.status() == Status::Paused => {
            // One that a failure holds goes on from there.
            let is_broken = run.error().is_some();
            let event = if is_broken {
                Event::Retried { from: None, definition: None, once: None }
            } else {
                Event::Resumed
            };
            run.happen(now, event);
        }
        Asked::Pause | Asked::Resume if !has_ended => {}
        Asked::Pause | Asked::Resume => return Err(Error::WrongState("the execution has ended")),
        Asked::Signal { once: Some(once), .. } | Asked::Retry { once: Some(once), .. }
            if run.knows_request(&once) => {}
        Asked::Signal { name, value, once } => {
            if has_ended {
                return Err(Error::WrongState("the execution has ended"));
            }
            run.happen(now, Event::Signal { name, value, once });
        }
        Asked::Retry { from, newest, once } => {
            if !run.can_start_again(from) {
                let problem =
                    "nothing can be retried: it must have failed, or be paused; from a step, have ended";
                return Err(Error::WrongState(problem));
            }
            let definition = newest.map(|Newest { definition, revision, plan }| {
                run.replace_plan(plan);
                live.definition = (definition, revision);
                definition
            });
            run.happen(now, Event::Retried { from, definition, once });
        }
        Asked::Decide { step, approved, answer } => {
            let port = if approved { "approved" } else { "rejected" };
            let Some(found) = run.step(step) else { return Err(Error::StepNotFound(step.to_string())) };
            if found.port.as_deref() == Some(port) {
                return Ok(());
            }
            let is_asked = found.is == StepIs::Waiting
                && found.wait.as_ref().is_some_and(|wait| wait.approval.is_some())
                && !has_ended;
            if !is_asked {
                return Err(Error::WrongState("the step does not wait for an approval"));
            }
            let value = Some(Arc::new(answer));
            run.happen(now, Event::Gave { step, port: Some(port.to_owned()), value });
        }
    }
    Ok(())
}
