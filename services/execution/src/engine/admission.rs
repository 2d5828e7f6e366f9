//! Limits of whole runs in the engine: they are read back, changed, and let runs start.
//!
//! All of it is the shard's own task, so nothing is counted twice or between two writes: what a run counts against is in
//! the flush of the run itself, and who waits is started in a flush after the one that has made room.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use prost::Message as _;
use uuid::Uuid;
use weft_proto::weft::execution::v1::ExecutionPriority;
use weft_store::{RunLimitRow, RunRateRow, StoreError, Timestamp, shard_of};

use super::{
    counting::{self, COUNTED},
    message::{Answer, Asked, OfLimits},
    shard::{PAGE, Shard},
};
use crate::{
    Error,
    domain::{
        event::Event,
        fault::StepError,
        gate::{Arrival, Place, Turn},
        message,
        run::Status,
        run_limit::RunLimit,
    },
};

/// Limits of a project.
const LIMITS: usize = 100;
/// Runs of a project that wait for limits.
pub(super) const WAITING: usize = 100_000;
/// Runs that start, or are cancelled for others, in one round.
const AT_ONCE: usize = 100;

impl Shard {
    /// Reads limits, rates, and what runs count against.
    pub(super) async fn read_limits(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let store = Arc::clone(&self.parts.store);
        let mut after = (String::new(), String::new());
        loop {
            let page = store.list_run_limits(None, (&after.0, &after.1), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for row in page {
                after = (row.project.clone(), row.id.clone());
                if shard_of(&row.project, self.parts.shards) != self.owned.shard {
                    continue;
                }
                let limit = RunLimit::stored(row);
                self.gate.set_project(limit.row.uid, &limit.row.project);
                self.gate.set_limit(limit.row.uid, limit.terms(), now);
                self.limits.insert(Arc::new(limit));
            }
            if is_last {
                break;
            }
        }
        let mut after = (Uuid::nil(), String::new());
        loop {
            let page = store.run_rates(Timestamp::from_micros(now), (after.0, &after.1), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for rate in page {
                after = (rate.limit, rate.key.clone());
                if self.limits.project(rate.limit).is_none() {
                    // Of another shard.
                    continue;
                }
                self.gate.set_rate(&Arc::new((rate.limit, rate.key)), rate.until.as_micros());
            }
            if is_last {
                break;
            }
        }
        let mut after = 0;
        loop {
            let page = store.execution_turns(self.owned.shard, after, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for (id, bytes) in page {
                after = id;
                let turn = Turn::decode(bytes).map_err(|error| StoreError::Corrupt {
                    table: "execution_turns",
                    column: "turn",
                    row: id.to_string(),
                    reason: error.to_string(),
                })?;
                self.gate.restore(id, &turn);
            }
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// A run whose row says that it waits does not run, whatever was written of its turn: it waits. Asked once everything
    /// that is at work is in memory.
    pub(super) async fn take_back(&mut self) -> Result<(), StoreError> {
        let mut of_project: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        let mut waiting = Vec::new();
        for (id, limit) in self.gate.running() {
            match self.lives.get(id) {
                Some(live) if live.run.has_started() => {}
                Some(live) => waiting.push((id, live.run.status() == Status::Paused)),
                None => {
                    let project = self.limits.project(limit).unwrap_or_default().to_owned();
                    of_project.entry(project).or_default().insert(id);
                }
            }
        }
        for (id, is_paused) in waiting {
            self.gate.take_back(id, is_paused);
        }
        let store = Arc::clone(&self.parts.store);
        for (project, mut asked) in of_project {
            while let Some(first) = asked.first().copied() {
                let page = store.open_executions(&project, None, first - 1, PAGE).await?;
                for row in &page {
                    let id = row.execution.id;
                    if asked.contains(&id) && row.change.state == message::state_number(Status::Queued) {
                        tracing::warn!(
                            execution = id,
                            "an execution that waits was counted as one that runs"
                        );
                        self.gate.take_back(id, false);
                    }
                }
                let seen = if page.len() < PAGE as usize {
                    i64::MAX
                } else {
                    page.last().map_or(i64::MAX, |row| row.execution.id)
                };
                asked.retain(|id| *id > seen);
            }
        }
        Ok(())
    }

    /// Ends runs that others take the place of, and starts those that may.
    pub(super) async fn admit(&mut self, now: i64) -> Result<(), StoreError> {
        if self.draining.is_some() {
            return Ok(());
        }
        // Who ends leaves memory in this round: that needs no room.
        for _ in 0..AT_ONCE {
            let Some((id, limit)) = self.gate.next_evicted() else { break };
            self.recall(id).await?;
            let name = self.limits.name(limit);
            let Some(live) = self.lives.get_mut(id) else { continue };
            let error = StepError::new("RUN_LIMIT_REPLACED", format!("a newer one takes its place: {name}"));
            if !live.run.status().has_ended() {
                live.run.happen(now, Event::Dropped { error });
                self.touched.insert(id);
            }
        }
        let mut started = 0;
        // Nobody starts who is to be cancelled.
        while started < AT_ONCE
            && !self.gate.has_evicted()
            && self.has_room()
            && let Some(id) = self.gate.next(now)
        {
            started += 1;
            self.recall(id).await?;
            // One whose journal cannot be read keeps its place, and was told of.
            let Some(live) = self.lives.get_mut(id) else { continue };
            match live.run.status() {
                Status::Queued => live.run.happen(now, Event::Started),
                Status::Paused if !live.run.has_started() => self.gate.take_back(id, true),
                // It runs, or has ended, which the gate is told.
                _ => {}
            }
            self.touched.insert(id);
        }
        Ok(())
    }

    /// Brings a run into memory, where it is not.
    async fn recall(&mut self, id: i64) -> Result<(), StoreError> {
        if self.lives.contains(id) {
            return Ok(());
        }
        match self.parts.store.get_execution(id).await {
            Ok(row) => self.bring(row).await,
            Err(StoreError::NotFound { .. }) => {
                self.gate.leave(id);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a run can start now.
    pub(super) fn may_admit(&self) -> bool {
        self.draining.is_none() && (self.gate.has_evicted() || (self.has_room() && self.gate.is_open()))
    }

    /// Whether one more run may be at work.
    pub(super) fn has_room(&self) -> bool {
        self.lives.has_room()
    }

    /// A run has begun, or goes on after its end: it starts, waits, or is dropped.
    pub(super) fn arrive(&mut self, id: i64, now: i64) {
        let Some(live) = self.lives.get_mut(id) else { return };
        if live.run.status().has_ended() {
            // It was over at once: nothing of it starts.
            return;
        }
        let places = self.limits.places(&live.row.execution, &live.run);
        if places.is_empty() {
            return;
        }
        let execution = &live.row.execution;
        let rank = rank(message::head(&execution.head).priority);
        match self.gate.arrive(id, places, (rank, now), now) {
            Arrival::Starts => {}
            Arrival::Waits => live.run.happen(now, Event::Queued),
            Arrival::Skipped(limit) => {
                let name = self.limits.name(limit);
                let error = StepError::new("RUN_LIMIT_REACHED", format!("it was not to wait: {name}"));
                live.run.happen(now, Event::Dropped { error });
            }
        }
    }

    /// Does to a run what somebody asks for, where it may have to wait for that.
    pub(super) fn ask_again(&mut self, id: i64, asked: &Asked, now: i64) -> Result<bool, Error> {
        let Some(live) = self.lives.get(id) else { return Ok(false) };
        let Asked::Retry { from, once, .. } = asked else { return Ok(false) };
        let is_repeat = once.as_ref().is_some_and(|once| live.run.knows_request(once));
        if is_repeat || !live.run.status().has_ended() || !live.run.can_start_again(*from) {
            return Ok(false);
        }
        let places = self.limits.places(&live.row.execution, &live.run);
        // It may have ended in this very round: it is not counted beside itself.
        self.gate.leave(id);
        if let Some(limit) = self.gate.skips(&places, now) {
            return Err(Error::RunLimitReached(self.limits.name(limit)));
        }
        let project = live.row.execution.project.clone();
        self.may_wait(&project, &places, now).map(|()| true)
    }

    /// Whether there is a place in the queue of a project, for a run that needs one.
    pub(super) fn may_wait(&self, project: &str, places: &[Place], now: i64) -> Result<(), Error> {
        let is_full = self.gate.queued(project) >= WAITING;
        if is_full && self.gate.skips(places, now).is_none() && !self.gate.lets(places, now) {
            return Err(Error::TooManyWaiting(WAITING));
        }
        Ok(())
    }

    /// The gate hears what has become of a run.
    pub(super) fn tell_gate(&mut self, id: i64) {
        let Some(live) = self.lives.get(id) else { return };
        if self.gate.standing(id).is_none() {
            return;
        }
        let status = live.run.status();
        if status.has_ended() {
            self.gate.leave(id);
        } else if !live.run.has_started() {
            self.gate.set_aside(id, status == Status::Paused);
        }
    }

    /// What the gate has changed is in the flush.
    pub(super) fn write_gate(&mut self) {
        let turns = self.gate.take_turns().into_iter();
        self.flush
            .turns
            .extend(turns.map(|(id, turn)| (id, turn.map(|turn| Bytes::from(turn.encode_to_vec())))));
        let rates = self.gate.take_rates().into_iter().map(|(place, until)| RunRateRow {
            limit: place.0,
            key: place.1.clone(),
            until: Timestamp::from_micros(until).min(Timestamp::MAX),
        });
        self.flush.rates.extend(rates);
    }

    /// Creates, changes or deletes a limit.
    pub(super) async fn change_limits(
        &mut self,
        wanted: OfLimits,
        answer: Answer<Arc<RunLimit>>,
        now: i64,
    ) -> Result<(), StoreError> {
        let done = match wanted {
            _ if self.draining.is_some() => Err(Error::Draining),
            OfLimits::Create { row, keys } => match self.create_limit(row, &keys, now).await {
                Err(Error::Store(error @ StoreError::Unavailable(_))) => return Err(error),
                done => done,
            },
            OfLimits::Update { project, id, etag, change } => {
                let found = self.find_limit(&project, &id, &etag);
                found.and_then(|before| self.update_limit(&before, &*change, now))
            }
            OfLimits::Delete { project, id, etag } => {
                let found = self.find_limit(&project, &id, &etag);
                if let Ok(limit) = &found {
                    self.limits.remove(limit);
                    self.gate.remove_limit(limit.row.uid);
                    self.flush.limits.retain(|row| row.uid != limit.row.uid);
                    self.flush.removed_limits.push(limit.row.uid);
                }
                found
            }
        };
        self.answer(answer, done);
        Ok(())
    }

    fn find_limit(&self, project: &str, id: &str, etag: &str) -> Result<Arc<RunLimit>, Error> {
        let full = || crate::domain::name::of_run_limit(project, id);
        let limit = self.limits.get(project, id).ok_or_else(|| Error::RunLimitNotFound(full()))?;
        if !etag.is_empty() && etag != limit.row.version.to_string() {
            return Err(Error::RunLimitChanged(full()));
        }
        Ok(Arc::clone(limit))
    }

    fn update_limit(
        &mut self,
        before: &Arc<RunLimit>,
        change: &dyn Fn(&RunLimit) -> Result<crate::domain::run_limit::Kept, Error>,
        now: i64,
    ) -> Result<Arc<RunLimit>, Error> {
        let kept = change(before)?;
        if kept == before.kept {
            return Ok(Arc::clone(before));
        }
        let row = RunLimitRow {
            settings: kept.encode_to_vec().into(),
            version: before.row.version + 1,
            updated: Timestamp::from_micros(now),
            ..before.row.clone()
        };
        self.put_limit(row, now)
    }

    fn put_limit(&mut self, row: RunLimitRow, now: i64) -> Result<Arc<RunLimit>, Error> {
        let limit = RunLimit::new(row.clone()).map_err(|problem| Error::field("run_limit.key", problem))?;
        let limit = Arc::new(limit);
        self.gate.set_project(row.uid, &row.project);
        self.gate.set_limit(row.uid, limit.terms(), now);
        self.limits.insert(Arc::clone(&limit));
        self.flush.limits.retain(|known| known.uid != row.uid);
        self.flush.limits.push(row);
        Ok(limit)
    }

    /// A new limit counts what runs and waits already.
    async fn create_limit(
        &mut self,
        row: RunLimitRow,
        keys: &HashMap<i64, String>,
        now: i64,
    ) -> Result<Arc<RunLimit>, Error> {
        let row =
            RunLimitRow { created: Timestamp::from_micros(now), updated: Timestamp::from_micros(now), ..row };
        let limit = RunLimit::new(row.clone()).map_err(|problem| Error::field("run_limit.key", problem))?;
        if !limit.kept.request.is_empty() {
            let same =
                self.limits.of_project(&row.project).find(|known| known.kept.request == limit.kept.request);
            match same {
                Some(known) if known.kept.print == limit.kept.print => return Ok(Arc::clone(known)),
                Some(_) => return Err(Error::RequestIdReused),
                None => {}
            }
        }
        if self.limits.get(&row.project, &row.id).is_some() {
            return Err(Error::RunLimitExists(limit.name()));
        }
        if self.limits.of_project(&row.project).count() >= LIMITS {
            return Err(Error::TooManyRunLimits(LIMITS));
        }
        let counted = self.count_for(&limit, keys).await?;
        let limit = self.put_limit(row, now)?;
        for (id, place, at) in counted {
            self.gate.count(id, place, at);
        }
        Ok(limit)
    }

    /// The runs that a limit covers and that have not ended, with where they count. This is the first of what a round does:
    /// what is on disk is what there is. Keys that were found out before are `keys`; what has come since is few.
    async fn count_for(
        &mut self,
        limit: &RunLimit,
        keys: &HashMap<i64, String>,
    ) -> Result<Vec<(i64, Place, i64)>, Error> {
        let (mut counted, mut after) = (Vec::new(), 0);
        loop {
            let parts = Arc::clone(&self.parts);
            let page = parts.store.open_executions(&limit.row.project, limit.graph(), after, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for row in page {
                after = row.execution.id;
                let key = match (keys.get(&after), self.lives.get(after)) {
                    _ if !limit.has_key() => String::new(),
                    (Some(key), _) => key.clone(),
                    (None, Some(live)) => limit.key_of(live.run.input(), live.run.about()),
                    (None, None) => counting::key(&*parts.store, &parts.objects, limit, &row).await?,
                };
                let place = Arc::new((limit.row.uid, key));
                counted.push((after, place, row.execution.at.as_micros()));
            }
            if counted.len() > COUNTED {
                return Err(Error::TooManyToCount(COUNTED));
            }
            if is_last {
                return Ok(counted);
            }
        }
    }
}

/// How urgent a run is: the smallest is first.
fn rank(priority: i32) -> i32 {
    match ExecutionPriority::try_from(priority) {
        Ok(ExecutionPriority::High) => 0,
        Ok(ExecutionPriority::Low) => 2,
        _ => 1,
    }
}
