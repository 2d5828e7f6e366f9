//! Time: what is due, what is late, and who is silent.

use super::{STOP_GRACE, Shard, Timer, micros};
use crate::domain::model::{End, JobKey, State, Stop};

impl Shard {
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

    pub(super) fn executes(&self, key: JobKey, fence: u32) -> bool {
        self.jobs.get(&key).is_some_and(|job| job.state == State::Executing && job.fence == fence)
    }

    /// A job that never started in time: one that was tried already is not late.
    pub(super) fn expire(&mut self, now: i64, key: JobKey) {
        let Some(job) = self.jobs.get(&key) else { return };
        if job.state == State::Pending && job.fence == 0 {
            let message = "it could not start in time".into();
            let end = End { reason: "EXPIRED".into(), message, ..End::default() };
            self.end(now, key, State::Failed, end);
        }
    }

    pub(super) fn check_silence(&mut self, now: i64, number: u32, chance: f64) {
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

    /// Timers that go with a job as long as it lives.
    pub(super) fn start_clock(&mut self, key: JobKey) {
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

    /// Takes back the timers of a job that ends.
    pub(super) fn stop_clock(&mut self, key: JobKey) {
        let terms = &self.batches[&key.batch].terms;
        let deadline = terms.deadline.map(|at| (at, Timer::Deadline(key)));
        let expire = terms.start_before.map(|at| (at, Timer::Expire(key)));
        let due = Some((self.jobs[&key].at, Timer::Due(key)));
        for timer in [deadline, expire, due].into_iter().flatten() {
            self.timers.remove(&timer);
        }
    }

    /// A worker has so long to end a job that it was told to stop.
    pub(super) fn await_stop(&mut self, now: i64, key: JobKey, fence: u32) {
        let until = now + self.lease + STOP_GRACE.as_micros() as i64;
        self.timers.insert((until, Timer::Stopped(key, fence)));
    }
}
