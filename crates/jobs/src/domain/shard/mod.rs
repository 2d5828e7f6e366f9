//! All jobs of a shard and every rule by which they move. Pure: what has changed is collected in [`Changes`], which
//! is written down before anybody hears of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hashbrown::HashMap;

use super::{
    model::{End, JobKey, State, Stop, Terms},
    ready::{LaneKey, Limits, Ready},
};

mod attempts;
mod batches;
mod clock;
mod workers;

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
    /// Jobs that workers have.
    pub(crate) executing: u32,
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
    /// The newest piece of it.
    pub(crate) written: u32,
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
    ready: Ready<JobKey>,
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

    // --- the middle ---

    /// Starts what can start.
    pub(crate) fn schedule(&mut self, now: i64) {
        while let Some(pick) = self.ready.start_next() {
            let key = pick.job;
            let terms = Arc::clone(&self.batches[&key.batch].terms);
            let job = self.jobs.get_mut(&key).expect("what is ready is there");
            job.state = State::Executing;
            (job.fence, job.worker, job.at, job.ready) = (job.fence + 1, pick.worker, now, false);
            (job.output, job.written) = (0, 0);
            let fence = job.fence;
            if let Some(timeout) = terms.attempt_timeout {
                self.timers.insert((now + micros(timeout), Timer::Attempt(key, fence)));
            }
            self.batches.get_mut(&key.batch).expect("it has the job").executing += 1;
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
        Self {
            state,
            queue: 0,
            fence,
            failures,
            lost,
            stop,
            worker: 0,
            at,
            ended,
            output: 0,
            written: 0,
            ready: false,
        }
    }
}
