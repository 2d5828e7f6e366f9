//! Workers: they come, say what they serve, and go; their jobs stay with them, or go to others.

use std::collections::BTreeSet;

use super::{Attached, Shard, Start, Timer, Worker};
use crate::domain::model::{JobKey, State};

impl Shard {
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

    pub(super) fn add_worker(&mut self, now: i64, name: &str, attached: bool) -> u32 {
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
}
