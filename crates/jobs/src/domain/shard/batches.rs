//! What people do with batches: they are taken in, let go, and cancelled.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Batch, Counts, Job, KeptJob, NewBatch, Shard, Start};
use crate::domain::model::{End, JobKey, State, Stop, Terms};

impl Shard {
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
                written: 0,
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
        self.batches
            .insert(id, Batch { project, terms: Arc::new(terms), limits, total, counts, executing: 0 });
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
                    batch.executing += 1;
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

    pub(super) fn keys_of(&self, batch: i64) -> Vec<JobKey> {
        let total = self.batches.get(&batch).map_or(0, |batch| batch.total);
        let keys = (0..total).map(|number| JobKey { batch, number });
        keys.filter(|key| self.jobs.get(key).is_some_and(|job| !job.state.is_terminal())).collect()
    }

    /// Ends a pending job, or asks the worker of an executing one to.
    pub(super) fn stop(&mut self, now: i64, key: JobKey, why: Stop) {
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

    /// What a job that was stopped ends as.
    pub(super) fn end_stopped(&mut self, now: i64, key: JobKey, why: Stop) {
        let (state, message) = match why {
            Stop::Cancelled => (State::Cancelled, "it was cancelled"),
            Stop::BatchStopped => (State::Cancelled, "too many others of its batch failed"),
            Stop::Deadline => (State::Failed, "it had not ended by its deadline"),
            Stop::TimedOut => (State::Failed, "the attempt took too long"),
        };
        let end = End { reason: why.reason().into(), message: message.into(), result: bytes::Bytes::new() };
        self.end(now, key, state, end);
    }
}
