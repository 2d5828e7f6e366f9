//! The one task that owns a shard: what has come in is done in memory, written in one flush, and only then told.
//!
//! While a flush is on its way to the disk, what comes in waits, and shares the next one: with one caller an operation
//! costs one disk flush, with many a flush is shared. If a flush fails, nobody was told anything, memory is thrown
//! away and read again from the disk, which is the truth.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use tokio::sync::mpsc;
use weft_kit::{Clock, Ids, Lifecycle};
use weft_store::{
    BatchChange, BatchRow, JobFlush, JobOutput, JobRow, JobStore, NewBatch, OwnedShard, StoreError, Timestamp,
};

use crate::{
    codec,
    domain::{
        model::{JobKey, State, Stop},
        shard::{self, Changes, Counts, Shard, Start},
    },
    error::JobsError,
    message::{
        Answer, Assignment, Attach, Attached, Message, Submission, WorkerEvent, WorkerId, WorkerMessage,
    },
    options::Options,
    view::{BatchView, Progress},
    watchers::Watchers,
};

/// How many messages share a flush at most.
const GROUP: usize = 1_024;
/// How many bytes they have about, at most, but for the last.
const GROUP_BYTES: usize = 16 << 20;
/// How many events a worker may be behind.
const EVENTS: usize = 4_096;
/// Rows of a page when a shard is opened.
const PAGE: u32 = 20_000;

/// What the engine works with.
pub(crate) struct Parts {
    pub(crate) number: i32,
    pub(crate) owner: String,
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) watchers: Arc<Watchers>,
}

/// What is told once the flush is on disk.
type Told = Box<dyn FnOnce() + Send>;

/// What is kept of a batch for those that its jobs are handed to.
struct Shown {
    project: String,
    name: String,
    kind: String,
    payload: Option<Bytes>,
}

pub(crate) struct Engine<'a> {
    parts: &'a Parts,
    owned: OwnedShard,
    shard: Shard,
    shown: HashMap<i64, Shown>,
    payload_bytes: usize,
    workers: HashMap<u32, mpsc::Sender<WorkerEvent>>,
    flush: JobFlush,
    notes: HashMap<i64, Bytes>,
    told: Vec<Told>,
    recorded: HashMap<u32, Vec<(JobKey, u32, bool)>>,
    /// Messages that wait for the next flush: repeats of what is in this one, and what is too much for it.
    deferred: Vec<Message>,
    draining: bool,
}

impl<'a> Engine<'a> {
    /// Takes the shard, and brings what has not ended into memory.
    pub(crate) async fn open(parts: &'a Parts) -> Result<Self, StoreError> {
        let now = Timestamp::from(parts.clock.now());
        let until = now.after(parts.options.shard_lease);
        let owned = parts.store.own_shard(parts.number, &parts.owner, now, until).await?;
        let shard = Shard::new(parts.options.worker_lease, parts.options.weights.clone());
        let mut engine = Self {
            parts,
            owned,
            shard,
            shown: HashMap::new(),
            payload_bytes: 0,
            workers: HashMap::new(),
            flush: JobFlush::default(),
            notes: HashMap::new(),
            told: Vec::new(),
            recorded: HashMap::new(),
            deferred: Vec::new(),
            draining: false,
        };
        let (batches, jobs) = tokio::try_join!(open_batches(parts), open_jobs(parts))?;
        for row in batches {
            let terms = codec::terms_from_bytes(row.batch.id, &row.batch.terms)?;
            let total = row.batch.total.cast_unsigned();
            engine.shard.open_batch(row.batch.id, &row.batch.project, terms, total);
            let NewBatch { id, project, name, kind, .. } = row.batch;
            engine.shown.insert(id, Shown { project, name, kind, payload: None });
        }
        let at = engine.now();
        for row in &jobs {
            engine.shard.keep_job(at, codec::job_from_row(row)?);
        }
        tracing::info!(
            shard = parts.number,
            epoch = engine.owned.epoch,
            jobs = engine.shard.job_count(),
            "the job engine is ready"
        );
        Ok(engine)
    }

    fn now(&self) -> i64 {
        Timestamp::from(self.parts.clock.now()).as_micros()
    }

    /// Works until the mesh drains or a flush fails. What was said before the drain is still done and answered, but no
    /// job starts any more.
    pub(crate) async fn run(
        mut self,
        messages: &mut mpsc::Receiver<Message>,
        life: &Lifecycle,
    ) -> Result<(), StoreError> {
        let renewal = self.parts.options.shard_lease / 3;
        let mut renew = tokio::time::interval_at(tokio::time::Instant::now() + renewal, renewal);
        renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut group = Vec::new();
        loop {
            let timer = self
                .shard
                .next_timer()
                .map(|at| Duration::from_micros(at.saturating_sub(self.now()).max(0) as u64));
            let mut must_flush = false;
            if self.deferred.is_empty() {
                tokio::select! {
                    received = messages.recv_many(&mut group, GROUP) => if received == 0 { break },
                    () = tokio::time::sleep(timer.unwrap_or(Duration::from_hours(24))), if timer.is_some() => {}
                    _ = renew.tick() => must_flush = true,
                    () = life.draining(), if !self.draining => {
                        self.draining = true;
                        messages.close();
                    }
                }
            }
            drop(group.splice(0..0, self.deferred.drain(..)));
            let mut bytes = 0;
            let fits = group.iter().take_while(|message| {
                let before = bytes;
                bytes += message.weight();
                before < GROUP_BYTES
            });
            let fits = fits.count();
            self.deferred = group.split_off(fits);
            self.round(&mut group, must_flush).await?;
        }
        self.parts.store.leave_shard(self.owned.shard, self.owned.epoch).await
    }

    /// One flush and what led to it.
    async fn round(&mut self, group: &mut Vec<Message>, must_flush: bool) -> Result<(), StoreError> {
        let now = self.now();
        let chance = self.parts.ids.fraction();
        self.shard.tick(now, chance);
        let mut known = known(self.parts, group).await?;
        for message in group.drain(..) {
            self.take(now, chance, message, &mut known);
        }
        if !self.draining {
            self.shard.schedule(now);
        }
        let changes = self.shard.take_changes();
        self.fill(&changes);
        let written: Vec<i64> = self.flush.outputs.iter().map(|output| output.batch).collect();
        let nothing = self.flush.batches.is_empty()
            && self.flush.changes.is_empty()
            && self.flush.jobs.is_empty()
            && self.flush.outputs.is_empty();
        if !nothing || must_flush {
            let flush = self.next_flush();
            self.parts.store.flush_jobs(flush).await?;
            self.owned.flush += 1;
        }
        self.tell(changes, &written).await
    }

    fn next_flush(&mut self) -> JobFlush {
        let now = Timestamp::from(self.parts.clock.now());
        JobFlush {
            shard: self.owned.shard,
            epoch: self.owned.epoch,
            flush: self.owned.flush + 1,
            lease_until: now.after(self.parts.options.shard_lease),
            ..std::mem::take(&mut self.flush)
        }
    }

    fn take(&mut self, now: i64, chance: f64, message: Message, known: &mut Known) {
        match message {
            Message::Submit(new, answer) => self.submit(now, *new, answer, known),
            Message::Cancel { batch, number, answer } => {
                let there = match number {
                    Some(number) => self.shard.job(JobKey { batch, number }).is_some(),
                    None => self.shard.batch(batch).is_some(),
                };
                self.shard.cancel(now, batch, number, Stop::Cancelled);
                self.answer(answer, if there { Ok(()) } else { Err(JobsError::NotFound) });
            }
            Message::Decide { batch, goes, note, answer } => {
                let held = self.shard.batch(batch).is_some_and(|batch| batch.terms.held);
                if held {
                    // What is cancelled is not held any more either: nobody decides twice.
                    self.shard.release(now, batch);
                    if !goes {
                        self.shard.cancel(now, batch, None, Stop::Cancelled);
                    }
                    self.notes.insert(batch, note);
                }
                self.answer(answer, if held { Ok(()) } else { Err(JobsError::NotFound) });
            }
            Message::Progress(batches, answer) => {
                let progress = batches.into_iter().filter_map(|id| Some((id, self.progress(id)?))).collect();
                self.answer(answer, Ok(progress));
            }
            Message::Attach(attach, answer) => self.attach(now, chance, &attach, answer),
            // Of a connection to the engine as it was before it was opened again.
            Message::Worker(WorkerId { epoch, .. }, _) | Message::Detach(WorkerId { epoch, .. })
                if epoch != self.owned.epoch => {}
            Message::Worker(WorkerId { number, .. }, message) => {
                self.shard.heard(now, number);
                self.worker(now, chance, number, message);
            }
            Message::Detach(WorkerId { number, .. }) => {
                self.workers.remove(&number);
                self.shard.detach(now, number, chance);
            }
        }
    }

    /// How far a batch is that has not ended.
    fn progress(&self, id: i64) -> Option<Progress> {
        let batch = self.shard.batch(id)?;
        let Counts { completed, failed, cancelled } = batch.counts;
        Some(Progress { executing: batch.executing, completed, failed, cancelled })
    }

    fn answer<T: Send + 'static>(&mut self, answer: Answer<T>, value: Result<T, JobsError>) {
        // Fails when the caller has gone away, who then does not want to know.
        self.told.push(Box::new(move || drop(answer.send(value))));
    }

    fn submit(&mut self, now: i64, new: Submission, answer: Answer<BatchView>, known: &mut Known) {
        let decided = match known.verdict(&new) {
            Verdict::New => None,
            Verdict::Later => return self.deferred.push(Message::Submit(Box::new(new), answer)),
            Verdict::Repeat(row) => Some(BatchView::try_from(*row).map_err(JobsError::Store)),
            Verdict::Refused(error) => Some(Err(error)),
        };
        let limit = self.parts.options.max_jobs;
        let full = self.shard.job_count() + new.queues.len() > limit;
        let full = full.then_some(Err(JobsError::Full { limit }));
        if let Some(decided) = decided.or(full) {
            return self.answer(answer, decided);
        }
        known.remember(&new);
        self.owned.last_batch += 1;
        let id = self.owned.last_batch;
        let Submission { project, name, uid, kind, terms, queues, payload, note, request } = new;
        let name = name.unwrap_or_else(|| format!("x{id:x}"));
        let batch = NewBatch {
            id,
            project: project.clone(),
            name: name.clone(),
            uid,
            kind: kind.clone(),
            total: queues.len() as i32,
            terms: codec::terms_to_bytes(&terms),
            note,
            payload: payload.clone(),
            request,
            at: Timestamp::from_micros(now),
        };
        let row = BatchRow {
            batch: batch.clone(),
            state: State::Pending.number(),
            completed: 0,
            failed: 0,
            cancelled: 0,
            ended: None,
        };
        self.answer(answer, BatchView::try_from(row).map_err(JobsError::Store));
        self.flush.batches.push(batch);
        let kept =
            (self.payload_bytes + payload.len() <= self.parts.options.payload_bytes).then_some(payload);
        self.payload_bytes += kept.as_ref().map_or(0, Bytes::len);
        self.shown.insert(id, Shown { project: project.clone(), name, kind, payload: kept });
        self.shard.submit(now, shard::NewBatch { id, project, terms, queues });
    }

    fn attach(&mut self, now: i64, chance: f64, attach: &Attach, answer: Answer<Attached>) {
        let Attach { worker, slots, queues, running } = attach;
        let attached = self.shard.attach(now, worker, *slots, queues, running, chance);
        let (sender, events) = mpsc::channel(EVENTS);
        self.workers.insert(attached.worker, sender);
        self.answer(answer, Ok(Attached { worker: self.id(attached.worker), lost: attached.lost, events }));
    }

    fn id(&self, number: u32) -> WorkerId {
        WorkerId { epoch: self.owned.epoch, number }
    }

    fn worker(&mut self, now: i64, chance: f64, worker: u32, message: WorkerMessage) {
        match message {
            WorkerMessage::Alive => {}
            WorkerMessage::Serve(queues) => self.shard.serve(worker, &queues),
            WorkerMessage::Unserve(queues) => self.shard.unserve(now, worker, &queues, chance),
            WorkerMessage::Slots(slots) => self.shard.set_slots(worker, slots),
            WorkerMessage::Reports(reports) => {
                for report in reports {
                    let (key, fence) = (report.key, report.fence);
                    let taken = self.shard.result(now, worker, key, fence, report.outcome, chance);
                    self.recorded.entry(worker).or_default().push((key, fence, taken));
                }
            }
            WorkerMessage::Output(pieces) => {
                for piece in pieces {
                    if !self.shard.holds(worker, piece.key, piece.fence) {
                        continue;
                    }
                    let most = self.parts.options.max_output_bytes;
                    let taken = self.shard.write_output(piece.key, piece.sequence, piece.bytes.len(), most);
                    if taken > 0 {
                        self.flush.outputs.push(JobOutput {
                            batch: piece.key.batch,
                            number: piece.key.number.cast_signed(),
                            fence: piece.fence.into(),
                            sequence: piece.sequence,
                            at: Timestamp::from_micros(now),
                            stream: piece.stream,
                            bytes: piece.bytes.slice(..taken),
                        });
                    }
                }
            }
        }
    }

    /// Makes rows of what has changed.
    fn fill(&mut self, changes: &Changes) {
        for key in &changes.jobs {
            let job = self.shard.job(*key).expect("what has changed is there until it is forgotten");
            let outcome = changes.ends.get(key).map(codec::end_to_bytes);
            self.flush.jobs.push(JobRow {
                batch: key.batch,
                number: key.number.cast_signed(),
                queue: self.shard.queue_name(job.queue).to_string(),
                state: job.state.number(),
                changed: 0,
                hot: codec::job_to_bytes(job, self.shard.worker_name(job.worker)),
                outcome,
            });
        }
        let ended: HashSet<i64> = changes.ended.iter().copied().collect();
        let touched: HashSet<i64> = changes.terms.iter().chain(&changes.ended).copied().collect();
        for id in touched {
            let batch = self.shard.batch(id).expect("it is there until it is forgotten");
            let counts = batch.counts;
            let is_ended = ended.contains(&id);
            // The last of its jobs to end has the time.
            let last = (0..batch.total).filter_map(|number| self.shard.job(JobKey { batch: id, number }));
            let at = last.map(|job| job.ended).max().unwrap_or(0);
            self.flush.changes.push(BatchChange {
                id,
                state: if is_ended { counts.state() } else { State::Pending }.number(),
                completed: counts.completed.cast_signed(),
                failed: counts.failed.cast_signed(),
                cancelled: counts.cancelled.cast_signed(),
                terms: codec::terms_to_bytes(&batch.terms),
                note: self.notes.remove(&id),
                ended: is_ended.then(|| Timestamp::from_micros(at)),
            });
        }
    }

    /// Tells everybody, now that it is on disk.
    async fn tell(&mut self, changes: Changes, written: &[i64]) -> Result<(), StoreError> {
        for told in self.told.drain(..) {
            told();
        }
        for (worker, recorded) in std::mem::take(&mut self.recorded) {
            self.send(worker, WorkerEvent::Recorded(recorded));
        }
        let mut stops: HashMap<u32, Vec<(JobKey, u32, Stop)>> = HashMap::new();
        for (start, why) in &changes.stops {
            stops.entry(start.worker).or_default().push((start.key, start.fence, *why));
        }
        for (worker, stops) in stops {
            self.send(worker, WorkerEvent::Stop(stops));
        }
        self.hand_out(&changes.starts).await?;
        for worker in &changes.gone {
            // Ends its stream.
            self.workers.remove(worker);
        }
        self.shard.forget(&changes);
        for id in &changes.ended {
            if let Some(shown) = self.shown.remove(id) {
                self.payload_bytes -= shown.payload.map_or(0, |payload| payload.len());
            }
        }
        let jobs = changes.jobs.iter().map(|key| key.batch);
        self.parts.watchers.wake(jobs.chain(changes.terms).chain(written.iter().copied()), self.owned.flush);
        Ok(())
    }

    async fn hand_out(&mut self, starts: &[Start]) -> Result<(), StoreError> {
        if starts.is_empty() {
            return Ok(());
        }
        let absent = starts.iter().map(|start| start.key.batch);
        let mut absent: Vec<i64> = absent.filter(|id| self.shown[id].payload.is_none()).collect();
        absent.dedup();
        let read = if absent.is_empty() {
            HashMap::new()
        } else {
            self.parts.store.payloads(&absent).await?.into_iter().collect::<HashMap<_, _>>()
        };
        let mut jobs: HashMap<u32, Vec<Assignment>> = HashMap::new();
        for start in starts {
            let shown = &self.shown[&start.key.batch];
            let payload = shown.payload.clone().or_else(|| read.get(&start.key.batch).cloned());
            let job = self.shard.job(start.key).expect("it has just started");
            jobs.entry(start.worker).or_default().push(Assignment {
                key: start.key,
                fence: start.fence,
                failures: job.failures,
                queue: self.shard.queue_name(job.queue).to_string(),
                kind: shown.kind.clone(),
                project: shown.project.clone(),
                batch_name: shown.name.clone(),
                payload: payload.unwrap_or_default(),
            });
        }
        for (worker, jobs) in jobs {
            self.send(worker, WorkerEvent::Jobs(jobs));
        }
        Ok(())
    }

    /// A worker that does not read is gone.
    fn send(&mut self, worker: u32, event: WorkerEvent) {
        let Some(sender) = self.workers.get(&worker) else { return };
        if sender.try_send(event).is_err() {
            self.workers.remove(&worker);
            self.deferred.push(Message::Detach(self.id(worker)));
        }
    }
}

/// What names and requests there are.
#[derive(Default)]
struct Known {
    found: Vec<BatchRow>,
    /// Those of this flush.
    names: HashSet<(String, String)>,
    requests: HashSet<Bytes>,
}

enum Verdict {
    New,
    Later,
    Repeat(Box<BatchRow>),
    Refused(JobsError),
}

impl Known {
    fn verdict(&self, new: &Submission) -> Verdict {
        if let Some((request, print)) = &new.request {
            if self.requests.contains(request) {
                // What it repeats is on disk by then.
                return Verdict::Later;
            }
            let same =
                |row: &&BatchRow| row.batch.request.as_ref().is_some_and(|(known, _)| known == request);
            if let Some(row) = self.found.iter().find(same) {
                let matches = row.batch.project == new.project
                    && row.batch.request.as_ref().is_some_and(|(_, known)| known == print);
                return if matches {
                    Verdict::Repeat(Box::new(row.clone()))
                } else {
                    Verdict::Refused(JobsError::RequestReused)
                };
            }
        }
        let Some(name) = &new.name else { return Verdict::New };
        if self.names.contains(&(new.project.clone(), name.clone())) {
            return Verdict::Later;
        }
        let taken = self.found.iter().any(|row| row.batch.project == new.project && row.batch.name == *name);
        if taken { Verdict::Refused(JobsError::NameTaken) } else { Verdict::New }
    }

    fn remember(&mut self, new: &Submission) {
        self.requests.extend(new.request.as_ref().map(|(request, _)| request.clone()));
        self.names.extend(new.name.clone().map(|name| (new.project.clone(), name)));
    }
}

/// Batches that have the names or the requests of those that are submitted.
async fn known(parts: &Parts, group: &[Message]) -> Result<Known, StoreError> {
    let mut names = Vec::new();
    let mut requests = Vec::new();
    for message in group {
        let Message::Submit(new, _) = message else { continue };
        names.extend(new.name.clone().map(|name| (new.project.clone(), name)));
        requests.extend(new.request.as_ref().map(|(request, _)| request.clone()));
    }
    if names.is_empty() && requests.is_empty() {
        return Ok(Known::default());
    }
    let found = parts.store.find_batches(&names, &requests).await?;
    Ok(Known { found, ..Known::default() })
}

async fn open_batches(parts: &Parts) -> Result<Vec<BatchRow>, StoreError> {
    let mut rows: Vec<BatchRow> = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row| row.batch.id);
        let page = parts.store.open_batches(parts.number, after, PAGE).await?;
        let last = page.len() < PAGE as usize;
        rows.extend(page);
        if last {
            return Ok(rows);
        }
    }
}

async fn open_jobs(parts: &Parts) -> Result<Vec<JobRow>, StoreError> {
    let mut rows: Vec<JobRow> = Vec::new();
    loop {
        let after = rows.last().map_or((0, 0), |row| (row.batch, row.number));
        let page = parts.store.open_jobs(parts.number, after, PAGE).await?;
        let last = page.len() < PAGE as usize;
        rows.extend(page);
        if last {
            return Ok(rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::Terms;

    #[test]
    fn terms_come_back_as_they_went() {
        let terms = Terms {
            held: true,
            attempt_timeout: Some(Duration::from_secs(3)),
            not_before: Some(-5),
            at_once: 7,
            ..Terms::default()
        };
        let bytes = codec::terms_to_bytes(&terms);
        assert_eq!(codec::terms_from_bytes(1, &bytes).unwrap(), terms);
        assert!(codec::terms_from_bytes(1, b"\xff").is_err());
    }
}
