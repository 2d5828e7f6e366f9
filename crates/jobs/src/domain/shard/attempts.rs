//! Attempts: what a worker says of the job that it has, and what becomes of one that failed or was lost.

use std::sync::Arc;

use super::{MOST_LOST, Shard, Timer, micros};
use crate::domain::model::{End, JobKey, Outcome, State, Stop};

impl Shard {
    /// Whether a worker has that lease.
    pub(crate) fn holds(&self, worker: u32, key: JobKey, fence: u32) -> bool {
        let job = self.jobs.get(&key);
        job.is_some_and(|job| job.state == State::Executing && job.worker == worker && job.fence == fence)
    }

    /// Counts output, and says how much of a piece is still within the bound: nothing of one that came before.
    pub(crate) fn write_output(&mut self, key: JobKey, sequence: i64, bytes: usize, most: u32) -> usize {
        let Some(job) = self.jobs.get_mut(&key) else { return 0 };
        let Ok(sequence) = u32::try_from(sequence) else { return 0 };
        if sequence <= job.written {
            return 0;
        }
        job.written = sequence;
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
    pub(super) fn fail(&mut self, now: i64, key: JobKey, end: End, retryable: bool, chance: f64) {
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
    pub(super) fn lose(&mut self, now: i64, key: JobKey, chance: f64) {
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

    pub(super) fn give_back(&mut self, now: i64, key: JobKey, at: i64) {
        self.leave_worker(key);
        let job = self.jobs.get_mut(&key).expect("it executes");
        (job.state, job.stop, job.at) = (State::Pending, None, at);
        self.changes.jobs.insert(key);
        self.make_ready(now, key);
    }

    pub(super) fn leave_worker(&mut self, key: JobKey) {
        let job = &self.jobs[&key];
        if job.state != State::Executing {
            return;
        }
        let worker = job.worker;
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.jobs.remove(&key);
        }
        let batch = self.batches.get_mut(&key.batch).expect("it has the job");
        batch.executing -= 1;
        self.ready.release(worker, &batch.limits);
        let (at, fence) = (job.at, job.fence);
        if let Some(timeout) = batch.terms.attempt_timeout {
            self.timers.remove(&(at + micros(timeout), Timer::Attempt(key, fence)));
        }
    }
}

fn timed_out() -> End {
    End {
        reason: Stop::TimedOut.reason().into(),
        message: "the attempt took too long".into(),
        ..End::default()
    }
}
