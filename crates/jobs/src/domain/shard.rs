//! All jobs of a shard and every rule by which they move. Pure: what has changed is collected in [`Changes`], which
//! is written down before anybody hears of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hashbrown::HashMap;

use super::{
    model::{End, JobKey, Outcome, State, Stop, Terms},
    ready::{LaneKey, Limits, Ready},
};

/// How often a job may be lost with its worker before it is given up: it may be what kills them.
const MOST_LOST: u32 = 20;
/// How long a worker may take to end a job that it was told to stop, beyond its lease.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// What is kept of a batch while it has jobs that have not ended.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) project: u32,
    pub(crate) terms: Arc<Terms>,
    limits: Limits,
    pub(crate) total: u32,
    pub(crate) counts: Counts,
}

/// How many jobs of a batch have ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) completed: u32,
    pub(crate) failed: u32,
    pub(crate) cancelled: u32,
}

impl Counts {
    fn ended(self) -> u32 {
        self.completed + self.failed + self.cancelled
    }

    /// What the batch is when all have ended.
    pub(crate) fn state(self) -> State {
        match self {
            Self { failed: 1.., .. } => State::Failed,
            Self { cancelled: 1.., .. } => State::Cancelled,
            _ => State::Completed,
        }
    }
}

/// What is kept of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) state: State,
    pub(crate) queue: u32,
    /// Counts how often it was handed to a worker: what a worker says under an older number is refused.
    pub(crate) fence: u32,
    pub(crate) failures: u32,
    pub(crate) lost: u32,
    pub(crate) stop: Option<Stop>,
    /// Which worker has it.
    pub(crate) worker: u32,
    /// When it may start, or when its present attempt has.
    pub(crate) at: i64,
    pub(crate) ended: i64,
    /// Bytes of output that this attempt has written.
    pub(crate) output: u32,
    /// Whether it is in the index.
    ready: bool,
}

/// A batch to be taken in.
#[derive(Clone, Debug)]
pub(crate) struct NewBatch {
    pub(crate) id: i64,
    pub(crate) project: String,
    pub(crate) terms: Terms,
    /// Queues of its jobs.
    pub(crate) queues: Vec<String>,
}

/// A job as it was kept.
#[derive(Clone, Debug)]
pub(crate) struct KeptJob {
    pub(crate) key: JobKey,
    pub(crate) job: Job,
    pub(crate) queue: String,
    /// The worker that has it, where it executes.
    pub(crate) worker: String,
}

#[derive(Debug)]
struct Worker {
    name: String,
    /// Whether there is a connection. Without one it holds what it had when the shard was opened.
    attached: bool,
    heard: i64,
    jobs: BTreeSet<JobKey>,
    queues: BTreeSet<u32>,
}

/// What somebody who attaches gets: a number, and which of the jobs that it believes to have are not its.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) worker: u32,
    pub(crate) lost: Vec<(JobKey, u32)>,
}

/// A job that starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) worker: u32,
    pub(crate) key: JobKey,
    pub(crate) fence: u32,
}

/// What has happened since the last flush.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Jobs whose rows are old.
    pub(crate) jobs: BTreeSet<JobKey>,
    /// How attempts of them ended.
    pub(crate) ends: HashMap<JobKey, End>,
    /// Batches whose terms have changed.
    pub(crate) terms: BTreeSet<i64>,
    /// Batches that have ended.
    pub(crate) ended: Vec<i64>,
    /// For workers, once it is written down.
    pub(crate) starts: Vec<Start>,
    /// Jobs that workers are to stop.
    pub(crate) stops: Vec<(Start, Stop)>,
    /// Workers that were silent for too long.
    pub(crate) gone: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A pending job may start.
    Due(JobKey),
    /// A job has not started in time.
    Expire(JobKey),
    /// A job has not ended in time.
    Deadline(JobKey),
    /// An attempt takes too long.
    Attempt(JobKey, u32),
    /// A stopped job's worker has not answered.
    Stopped(JobKey, u32),
    /// A worker may have been silent for too long.
    Silent(u32),
}

/// Names to numbers and back.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Names {
    fn get(&mut self, name: &str, new: impl FnOnce() -> u32) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = new();
        let name: Arc<str> = name.into();
        self.numbers.insert(Arc::clone(&name), number);
        self.names.push(name);
        number
    }
}

#[derive(Debug)]
struct NamedLimit {
    key: String,
    batches: u32,
}

/// The shard.
#[derive(Debug)]
pub(crate) struct Shard {
    lease: i64,
    weights: BTreeMap<String, u32>,
    batches: HashMap<i64, Batch>,
    jobs: HashMap<JobKey, Job>,
    ready: Ready,
    timers: BTreeSet<(i64, Timer)>,
    projects: Names,
    queues: Names,
    limits: HashMap<u32, NamedLimit>,
    limit_numbers: HashMap<String, u32>,
    next_limit: u32,
    workers: HashMap<u32, Worker>,
    /// The newest worker of each name.
    worker_numbers: HashMap<String, u32>,
    next_worker: u32,
    pub(crate) changes: Changes,
}

impl Shard {
    /// An empty one. `weights`: of projects whose share is not 1.
    pub(crate) fn new(lease: Duration, weights: BTreeMap<String, u32>) -> Self {
        Self {
            lease: lease.as_micros() as i64,
            weights,
            batches: HashMap::new(),
            jobs: HashMap::new(),
            ready: Ready::default(),
            timers: BTreeSet::new(),
            projects: Names::default(),
            queues: Names::default(),
            limits: HashMap::new(),
            limit_numbers: HashMap::new(),
            next_limit: 0,
            workers: HashMap::new(),
            worker_numbers: HashMap::new(),
            next_worker: 0,
            changes: Changes::default(),
        }
    }

    pub(crate) fn batch(&self, id: i64) -> Option<&Batch> {
        self.batches.get(&id)
    }

    pub(crate) fn job(&self, key: JobKey) -> Option<&Job> {
        self.jobs.get(&key)
    }

    pub(crate) fn job_count(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn queue_name(&self, queue: u32) -> &Arc<str> {
        &self.queues.names[queue as usize]
    }

    pub(crate) fn worker_name(&self, worker: u32) -> &str {
        self.workers.get(&worker).map_or("", |worker| &worker.name)
    }

    /// When something happens by itself next.
    pub(crate) fn next_timer(&self) -> Option<i64> {
        self.timers.first().map(|(at, _)| *at)
    }

    // --- coming in ---

    /// Takes a batch in.
    pub(crate) fn submit(&mut self, now: i64, new: NewBatch) {
        let NewBatch { id, project, terms, queues } = new;
        self.open_batch(id, &project, terms, queues.len() as u32);
        for (number, queue) in (0..).zip(queues) {
            let key = JobKey { batch: id, number };
            let queue = self.queue(&queue);
            let at = self.batches[&id].terms.not_before.unwrap_or(now).max(now);
            let job = Job {
                state: State::Pending,
                queue,
                fence: 0,
                failures: 0,
                lost: 0,
                stop: None,
                worker: 0,
                at,
                ended: 0,
                output: 0,
                ready: false,
            };
            self.changes.jobs.insert(key);
            self.jobs.insert(key, job);
            self.start_clock(key);
            self.make_ready(now, key);
        }
    }

    /// A batch that was kept; its jobs follow.
    pub(crate) fn open_batch(&mut self, id: i64, project: &str, terms: Terms, total: u32) {
        let weight = self.weights.get(project).copied().unwrap_or(1);
        let project = self.projects.get(project, || self.ready.add_project(weight));
        let own = (terms.at_once > 0).then(|| (format!("batch/{id}"), terms.at_once));
        let named = terms.limits.iter().map(|limit| (limit.key.clone(), limit.most));
        // Sorted, and each once.
        let all: BTreeMap<String, u32> = named.chain(own).collect();
        let limits = all.into_iter().map(|(key, most)| self.limit(&key, most)).collect();
        let counts = Counts::default();
        self.batches.insert(id, Batch { project, terms: Arc::new(terms), limits, total, counts });
    }

    /// A job that was kept, of a batch that is open. Workers that had jobs get a lease in which to come back.
    pub(crate) fn keep_job(&mut self, now: i64, kept: KeptJob) {
        let KeptJob { key, mut job, queue, worker } = kept;
        let queue = self.queue(&queue);
        let Some(batch) = self.batches.get_mut(&key.batch) else { return };
        match job.state {
            State::Completed => batch.counts.completed += 1,
            State::Failed => batch.counts.failed += 1,
            State::Cancelled => batch.counts.cancelled += 1,
            State::Pending | State::Executing => {
                job.queue = queue;
                if job.state == State::Executing {
                    let limits = batch.limits.clone();
                    let found = self.worker_numbers.get(&worker).copied();
                    job.worker = found.unwrap_or_else(|| self.add_worker(now, &worker, false));
                    self.workers.get_mut(&job.worker).expect("just found").jobs.insert(key);
                    self.ready.occupy(job.worker, &limits);
                    if job.stop.is_some() {
                        self.await_stop(now, key, job.fence);
                    }
                }
                self.jobs.insert(key, job);
                self.start_clock(key);
                self.make_ready(now, key);
            }
        }
    }

    // --- what people do ---

    /// Lets a held batch go.
    pub(crate) fn release(&mut self, now: i64, batch: i64) {
        let Some(held) = self.batches.get_mut(&batch) else { return };
        Arc::make_mut(&mut held.terms).held = false;
        self.changes.terms.insert(batch);
        for key in self.keys_of(batch) {
            self.make_ready(now, key);
        }
    }

    /// Cancels all jobs of a batch, or one.
    pub(crate) fn cancel(&mut self, now: i64, batch: i64, number: Option<u32>, why: Stop) {
        match number {
            Some(number) => self.stop(now, JobKey { batch, number }, why),
            None => self.keys_of(batch).into_iter().for_each(|key| self.stop(now, key, why)),
        }
    }

    fn keys_of(&self, batch: i64) -> Vec<JobKey> {
        let total = self.batches.get(&batch).map_or(0, |batch| batch.total);
        let keys = (0..total).map(|number| JobKey { batch, number });
        keys.filter(|key| self.jobs.get(key).is_some_and(|job| !job.state.is_terminal())).collect()
    }

    /// Ends a pending job, or asks the worker of an executing one to.
    fn stop(&mut self, now: i64, key: JobKey, why: Stop) {
        let Some(job) = self.jobs.get_mut(&key) else { return };
        match job.state {
            State::Pending => self.end_stopped(now, key, why),
            State::Executing if job.stop.is_none() => {
                job.stop = Some(why);
                let start = Start { worker: job.worker, key, fence: job.fence };
                self.changes.jobs.insert(key);
                self.changes.stops.push((start, why));
                self.await_stop(now, key, start.fence);
            }
            // A person's wish is stronger than a retry after a time-out.
            State::Executing if job.stop == Some(Stop::TimedOut) && why != Stop::TimedOut => {
                job.stop = Some(why);
                self.changes.jobs.insert(key);
            }
            _ => {}
        }
    }

    /// A worker has so long to end a job that it was told to stop.
    fn await_stop(&mut self, now: i64, key: JobKey, fence: u32) {
        let until = now + self.lease + STOP_GRACE.as_micros() as i64;
        self.timers.insert((until, Timer::Stopped(key, fence)));
    }

    /// What a job that was stopped ends as.
    fn end_stopped(&mut self, now: i64, key: JobKey, why: Stop) {
        let (state, message) = match why {
            Stop::Cancelled => (State::Cancelled, "it was cancelled"),
            Stop::BatchStopped => (State::Cancelled, "too many others of its batch failed"),
            Stop::Deadline => (State::Failed, "it had not ended by its deadline"),
            Stop::TimedOut => (State::Failed, "the attempt took too long"),
        };
        let end = End { reason: why.reason().into(), message: message.into(), result: bytes::Bytes::new() };
        self.end(now, key, state, end);
    }

    // --- workers ---

    /// A worker comes, or comes back. Jobs that it had under this name, and does not name as running, are given
    /// back.
    pub(crate) fn attach(
        &mut self,
        now: i64,
        name: &str,
        slots: u32,
        queues: &[String],
        running: &[(JobKey, u32)],
        chance: f64,
    ) -> Attached {
        let before = self.worker_numbers.get(name).copied();
        let number = self.add_worker(now, name, true);
        let mut lost = Vec::new();
        for &(key, fence) in running {
            let kept = self.jobs.get_mut(&key).filter(|job| {
                job.state == State::Executing && job.fence == fence && Some(job.worker) == before
            });
            let Some(job) = kept else {
                lost.push((key, fence));
                continue;
            };
            job.worker = number;
            let limits = self.batches[&key.batch].limits.clone();
            self.ready.release(before.expect("the job has it"), &limits);
            self.ready.occupy(number, &limits);
            self.workers.get_mut(&before.expect("the job has it")).expect("it is there").jobs.remove(&key);
            self.workers.get_mut(&number).expect("just added").jobs.insert(key);
            if let Some(why) = self.jobs[&key].stop {
                self.changes.stops.push((Start { worker: number, key, fence }, why));
            }
        }
        if let Some(before) = before {
            if self.workers[&before].attached {
                self.changes.gone.push(before);
            }
            self.detach(now, before, chance);
        }
        self.ready.set_slots(number, slots);
        self.serve(number, queues);
        Attached { worker: number, lost }
    }

    fn add_worker(&mut self, now: i64, name: &str, attached: bool) -> u32 {
        self.next_worker += 1;
        let number = self.next_worker;
        let (jobs, queues) = (BTreeSet::new(), BTreeSet::new());
        self.workers.insert(number, Worker { name: name.into(), attached, heard: now, jobs, queues });
        self.worker_numbers.insert(name.into(), number);
        self.ready.set_slots(number, 0);
        self.timers.insert((now + self.lease, Timer::Silent(number)));
        number
    }

    /// A worker serves these queues too.
    pub(crate) fn serve(&mut self, worker: u32, queues: &[String]) {
        for queue in queues {
            let queue = self.queue(queue);
            let Some(serving) = self.workers.get_mut(&worker) else { return };
            if serving.queues.insert(queue) {
                self.ready.serve(worker, queue);
            }
        }
    }

    /// A worker does not serve these queues any more: its jobs of them are given back.
    pub(crate) fn unserve(&mut self, now: i64, worker: u32, queues: &[String], chance: f64) {
        for queue in queues {
            let queue = self.queue(queue);
            let Some(serving) = self.workers.get_mut(&worker) else { return };
            if !serving.queues.remove(&queue) {
                continue;
            }
            let its = serving.jobs.iter().filter(|key| self.jobs[*key].queue == queue);
            let jobs: Vec<_> = its.copied().collect();
            self.ready.unserve(worker, queue);
            for key in jobs {
                self.lose(now, key, chance);
            }
        }
    }

    /// A worker has room for so many jobs from now on.
    pub(crate) fn set_slots(&mut self, worker: u32, slots: u32) {
        if self.workers.contains_key(&worker) {
            self.ready.set_slots(worker, slots);
        }
    }

    /// A worker gives a sign of life, which holds for all of its jobs.
    pub(crate) fn heard(&mut self, now: i64, worker: u32) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.heard = worker.heard.max(now);
        }
    }

    /// A worker is gone: its jobs are given back at once.
    pub(crate) fn detach(&mut self, now: i64, number: u32, chance: f64) {
        let Some(worker) = self.workers.get(&number) else { return };
        let jobs: Vec<_> = worker.jobs.iter().copied().collect();
        let queues = worker.queues.clone();
        self.ready.set_slots(number, 0);
        for queue in queues {
            self.ready.unserve(number, queue);
        }
        for key in jobs {
            self.lose(now, key, chance);
        }
        self.ready.forget_worker(number);
        let gone = self.workers.remove(&number).expect("it was there");
        if self.worker_numbers.get(&gone.name) == Some(&number) {
            self.worker_numbers.remove(&gone.name);
        }
    }

    /// Whether a worker has that lease.
    pub(crate) fn holds(&self, worker: u32, key: JobKey, fence: u32) -> bool {
        let job = self.jobs.get(&key);
        job.is_some_and(|job| job.state == State::Executing && job.worker == worker && job.fence == fence)
    }

    /// Counts output, and says how much of it is still within the bound.
    pub(crate) fn write_output(&mut self, key: JobKey, bytes: usize, most: u32) -> usize {
        let Some(job) = self.jobs.get_mut(&key) else { return 0 };
        let taken = bytes.min(most.saturating_sub(job.output) as usize);
        job.output += taken as u32;
        taken
    }

    /// A worker says what became of an attempt. False: it does not have that lease (any more).
    pub(crate) fn result(
        &mut self,
        now: i64,
        worker: u32,
        key: JobKey,
        fence: u32,
        outcome: Outcome,
        chance: f64,
    ) -> bool {
        if !self.holds(worker, key, fence) {
            return false;
        }
        let stop = self.jobs[&key].stop;
        match (outcome, stop) {
            (Outcome::Completed { result }, _) => {
                self.end(now, key, State::Completed, End { result, ..End::default() });
            }
            (_, Some(Stop::TimedOut)) => self.fail(now, key, timed_out(), true, chance),
            (_, Some(why)) => self.end_stopped(now, key, why),
            (Outcome::Failed { reason, message, retryable, result }, None) => {
                self.fail(now, key, End { reason, message, result }, retryable, chance);
            }
            // Nobody asked for it here: somebody at the worker's end has.
            (Outcome::Cancelled, None) => self.end_stopped(now, key, Stop::Cancelled),
        }
        true
    }

    /// An attempt has failed: again, or never.
    fn fail(&mut self, now: i64, key: JobKey, end: End, retryable: bool, chance: f64) {
        let terms = Arc::clone(&self.batches[&key.batch].terms);
        let retry = &terms.retry;
        let job = self.jobs.get_mut(&key).expect("it executes");
        job.failures += 1;
        if !retryable || job.failures >= retry.max_attempts || retry.final_reasons.contains(&end.reason) {
            return self.end(now, key, State::Failed, end);
        }
        let at = now + micros(retry.pause(job.failures, chance));
        self.changes.ends.insert(key, end);
        self.give_back(now, key, at);
    }

    /// A worker has gone with the job.
    fn lose(&mut self, now: i64, key: JobKey, chance: f64) {
        let job = self.jobs.get_mut(&key).expect("a worker's job is there");
        match job.stop {
            Some(Stop::TimedOut) => return self.fail(now, key, timed_out(), true, chance),
            Some(why) => return self.end_stopped(now, key, why),
            None => {}
        }
        job.lost += 1;
        if job.lost < MOST_LOST {
            return self.give_back(now, key, now);
        }
        let message = format!("{MOST_LOST} workers were lost with it");
        self.end(now, key, State::Failed, End { reason: "WORKER_LOST".into(), message, ..End::default() });
    }

    fn give_back(&mut self, now: i64, key: JobKey, at: i64) {
        self.leave_worker(key);
        let job = self.jobs.get_mut(&key).expect("it executes");
        (job.state, job.stop, job.at, job.output) = (State::Pending, None, at, 0);
        self.changes.jobs.insert(key);
        self.make_ready(now, key);
    }

    fn leave_worker(&mut self, key: JobKey) {
        let job = &self.jobs[&key];
        if job.state != State::Executing {
            return;
        }
        let worker = job.worker;
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.jobs.remove(&key);
        }
        let batch = &self.batches[&key.batch];
        self.ready.release(worker, &batch.limits);
        let (at, fence) = (job.at, job.fence);
        if let Some(timeout) = batch.terms.attempt_timeout {
            self.timers.remove(&(at + micros(timeout), Timer::Attempt(key, fence)));
        }
    }

    // --- time ---

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: i64, chance: f64) {
        while let Some(&(at, timer)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            match timer {
                Timer::Due(key) => self.make_ready(now, key),
                Timer::Expire(key) => self.expire(now, key),
                Timer::Deadline(key) => self.stop(now, key, Stop::Deadline),
                Timer::Attempt(key, fence) => {
                    if self.executes(key, fence) {
                        self.stop(now, key, Stop::TimedOut);
                    }
                }
                Timer::Stopped(key, fence) => {
                    if self.executes(key, fence) {
                        self.lose(now, key, chance);
                    }
                }
                Timer::Silent(worker) => self.check_silence(now, worker, chance),
            }
        }
    }

    fn executes(&self, key: JobKey, fence: u32) -> bool {
        self.jobs.get(&key).is_some_and(|job| job.state == State::Executing && job.fence == fence)
    }

    /// A job that never started in time: one that was tried already is not late.
    fn expire(&mut self, now: i64, key: JobKey) {
        let Some(job) = self.jobs.get(&key) else { return };
        if job.state == State::Pending && job.fence == 0 {
            let message = "it could not start in time".into();
            let end = End { reason: "EXPIRED".into(), message, ..End::default() };
            self.end(now, key, State::Failed, end);
        }
    }

    fn check_silence(&mut self, now: i64, number: u32, chance: f64) {
        let Some(worker) = self.workers.get(&number) else { return };
        let until = worker.heard + self.lease;
        if until > now {
            self.timers.insert((until, Timer::Silent(number)));
            return;
        }
        if worker.attached {
            self.changes.gone.push(number);
        }
        self.detach(now, number, chance);
    }

    // --- the middle ---

    /// Starts what can start.
    pub(crate) fn schedule(&mut self, now: i64) {
        while let Some(pick) = self.ready.next() {
            let key = pick.job;
            let terms = Arc::clone(&self.batches[&key.batch].terms);
            let job = self.jobs.get_mut(&key).expect("what is ready is there");
            job.state = State::Executing;
            (job.fence, job.worker, job.at, job.ready, job.output) =
                (job.fence + 1, pick.worker, now, false, 0);
            let fence = job.fence;
            if let Some(timeout) = terms.attempt_timeout {
                self.timers.insert((now + micros(timeout), Timer::Attempt(key, fence)));
            }
            self.workers.get_mut(&pick.worker).expect("it was picked").jobs.insert(key);
            self.changes.jobs.insert(key);
            self.changes.starts.push(Start { worker: pick.worker, key, fence });
        }
    }

    /// What has changed since the last time; jobs that have ended are still there until [`Shard::forget`].
    pub(crate) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Lets go of what has ended: it is on disk.
    pub(crate) fn forget(&mut self, changes: &Changes) {
        for key in &changes.jobs {
            if self.jobs.get(key).is_some_and(|job| job.state.is_terminal()) {
                self.jobs.remove(key);
            }
        }
        for id in &changes.ended {
            let Some(batch) = self.batches.remove(id) else { continue };
            for number in batch.limits {
                let limit = self.limits.get_mut(&number).expect("a batch's limit is there");
                limit.batches -= 1;
                if limit.batches == 0 {
                    self.limit_numbers.remove(&limit.key);
                    self.limits.remove(&number);
                    self.ready.forget_limit(number);
                }
            }
        }
    }

    /// Timers that go with a job as long as it lives.
    fn start_clock(&mut self, key: JobKey) {
        let terms = &self.batches[&key.batch].terms;
        let (expire, deadline, attempt) = (terms.start_before, terms.deadline, terms.attempt_timeout);
        let job = &self.jobs[&key];
        let (state, fence, at) = (job.state, job.fence, job.at);
        if let (Some(expire), State::Pending, 0) = (expire, state, fence) {
            self.timers.insert((expire, Timer::Expire(key)));
        }
        if let Some(deadline) = deadline {
            self.timers.insert((deadline, Timer::Deadline(key)));
        }
        if let (Some(attempt), State::Executing) = (attempt, state) {
            self.timers.insert((at + micros(attempt), Timer::Attempt(key, fence)));
        }
    }

    /// Puts a pending job into the index, or where it waits for its time.
    fn make_ready(&mut self, now: i64, key: JobKey) {
        let Some(job) = self.jobs.get(&key) else { return };
        let batch = &self.batches[&key.batch];
        if job.state != State::Pending || job.ready || batch.terms.held {
            return;
        }
        if job.at > now {
            self.timers.insert((job.at, Timer::Due(key)));
            return;
        }
        let (lane, priority) = (lane_of(batch, job), batch.terms.priority);
        self.ready.push(&lane, priority, key);
        self.jobs.get_mut(&key).expect("it is there").ready = true;
    }

    /// Takes back the timers of a job that ends.
    fn stop_clock(&mut self, key: JobKey) {
        let terms = &self.batches[&key.batch].terms;
        let deadline = terms.deadline.map(|at| (at, Timer::Deadline(key)));
        let expire = terms.start_before.map(|at| (at, Timer::Expire(key)));
        let due = Some((self.jobs[&key].at, Timer::Due(key)));
        for timer in [deadline, expire, due].into_iter().flatten() {
            self.timers.remove(&timer);
        }
    }

    /// The end of a job, and perhaps of its batch.
    fn end(&mut self, now: i64, key: JobKey, state: State, end: End) {
        self.leave_worker(key);
        self.stop_clock(key);
        let batch = self.batches.get_mut(&key.batch).expect("it has jobs");
        let job = self.jobs.get_mut(&key).expect("it ends");
        if job.ready {
            self.ready.remove(&lane_of(batch, job), batch.terms.priority, key);
        }
        (job.state, job.ended, job.ready) = (state, now, false);
        match state {
            State::Completed => batch.counts.completed += 1,
            State::Failed => batch.counts.failed += 1,
            _ => batch.counts.cancelled += 1,
        }
        let (counts, total, stop_after) = (batch.counts, batch.total, batch.terms.stop_after);
        self.changes.jobs.insert(key);
        self.changes.ends.insert(key, end);
        if counts.ended() == total {
            self.changes.ended.push(key.batch);
        } else if state == State::Failed && counts.failed == stop_after {
            self.cancel(now, key.batch, None, Stop::BatchStopped);
        }
    }

    fn queue(&mut self, name: &str) -> u32 {
        self.queues.get(name, || self.ready.add_queue())
    }

    fn limit(&mut self, key: &str, most: u32) -> u32 {
        let number = if let Some(number) = self.limit_numbers.get(key) {
            *number
        } else {
            self.next_limit += 1;
            self.limit_numbers.insert(key.into(), self.next_limit);
            self.limits.insert(self.next_limit, NamedLimit { key: key.into(), batches: 0 });
            self.next_limit
        };
        self.limits.get_mut(&number).expect("just found").batches += 1;
        self.ready.set_limit(number, most);
        number
    }
}

fn lane_of(batch: &Batch, job: &Job) -> LaneKey {
    LaneKey { project: batch.project, queue: job.queue, limits: batch.limits.clone() }
}

/// Microseconds, and a hundred years for whatever is longer: added to an instant of our time it is still one.
fn micros(duration: Duration) -> i64 {
    const MOST: Duration = Duration::from_hours(100 * 366 * 24);
    duration.min(MOST).as_micros() as i64
}

fn timed_out() -> End {
    End {
        reason: Stop::TimedOut.reason().into(),
        message: "the attempt took too long".into(),
        ..End::default()
    }
}

impl Job {
    /// As it was kept, without what is found out when the shard is opened.
    pub(crate) const fn kept(
        state: State,
        fence: u32,
        failures: u32,
        lost: u32,
        stop: Option<Stop>,
        at: i64,
        ended: i64,
    ) -> Self {
        Self { state, queue: 0, fence, failures, lost, stop, worker: 0, at, ended, output: 0, ready: false }
    }
}
