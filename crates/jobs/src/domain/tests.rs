//! Random lives of a shard, with deaths: nothing is lost, nothing ends twice, no limit is broken, and nothing waits
//! that could start.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;

use super::{
    model::{End, JobKey, Limit, Outcome, Priority, Retry, State, Stop, Terms},
    shard::{Changes, Job, KeptJob, NewBatch, Shard},
};

const SECOND: i64 = 1_000_000;
const LEASE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
enum Step {
    Submit {
        project: u8,
        priority: u8,
        queues: Vec<u8>,
        at_once: u8,
        stop_after: u8,
        limited: bool,
        delay: u8,
    },
    Attach {
        worker: u8,
        slots: u8,
        queues: Vec<u8>,
        knows: bool,
    },
    Detach {
        worker: u8,
    },
    Unserve {
        worker: u8,
        queue: u8,
    },
    Slots {
        worker: u8,
        slots: u8,
    },
    Result {
        pick: u8,
        kind: u8,
    },
    OldResult {
        pick: u8,
    },
    Cancel {
        pick: u8,
        whole: bool,
    },
    Time {
        seconds: u8,
        heard: bool,
    },
    Die,
}

fn step() -> impl Strategy<Value = Step> {
    let queues = || prop::collection::vec(0..4_u8, 1..6);
    prop_oneof![
        4 => (0..3_u8, 0..3_u8, queues(), 0..3_u8, 0..3_u8, any::<bool>(), 0..4_u8).prop_map(
            |(project, priority, queues, at_once, stop_after, limited, delay)| Step::Submit {
                project, priority, queues, at_once, stop_after, limited, delay: delay.saturating_sub(1)
            }
        ),
        3 => (0..3_u8, 0..5_u8, queues(), any::<bool>())
            .prop_map(|(worker, slots, queues, knows)| Step::Attach { worker, slots, queues, knows }),
        1 => (0..3_u8).prop_map(|worker| Step::Detach { worker }),
        1 => (0..3_u8, 0..4_u8).prop_map(|(worker, queue)| Step::Unserve { worker, queue }),
        1 => (0..3_u8, 0..5_u8).prop_map(|(worker, slots)| Step::Slots { worker, slots }),
        8 => (any::<u8>(), 0..5_u8).prop_map(|(pick, kind)| Step::Result { pick, kind }),
        1 => any::<u8>().prop_map(|pick| Step::OldResult { pick }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(pick, whole)| Step::Cancel { pick, whole }),
        2 => (0..30_u8, any::<bool>()).prop_map(|(seconds, heard)| Step::Time { seconds, heard }),
        1 => Just(Step::Die),
    ]
}

/// What is on disk, and what the world outside knows: the simple model.
#[derive(Default)]
struct World {
    now: i64,
    next: i64,
    batches: BTreeMap<i64, (String, Terms, Vec<String>)>,
    /// Rows, as the last flush has left them.
    rows: BTreeMap<JobKey, (Job, String)>,
    ended: BTreeSet<i64>,
    /// Connected workers: their numbers, slots and queues.
    workers: BTreeMap<u8, (u32, u32, BTreeSet<String>)>,
    /// Leases that were handed out and neither answered nor taken back.
    leases: BTreeMap<JobKey, (u32, u32)>,
    /// All leases that there ever were.
    old: BTreeSet<(u32, JobKey, u32)>,
}

fn queue(number: u8) -> String {
    format!("q{number}")
}

impl World {
    fn terms(&self, step: &Step) -> Terms {
        let Step::Submit { project, priority, at_once, stop_after, limited, delay, .. } = *step else {
            panic!("another step")
        };
        let limit = Limit { key: format!("kind/{project}"), most: 2 };
        Terms {
            priority: Priority::ALL[usize::from(priority)],
            not_before: (delay > 0).then(|| self.now + i64::from(delay) * 5 * SECOND),
            attempt_timeout: (delay == 2).then_some(Duration::from_secs(7)),
            deadline: (delay == 1).then(|| self.now + 60 * SECOND),
            retry: Retry { max_attempts: 1 + u32::from(stop_after), ..Retry::default() },
            at_once: at_once.into(),
            stop_after: stop_after.into(),
            limits: if limited { vec![limit] } else { vec![] },
            ..Terms::default()
        }
    }

    fn step(&mut self, shard: &mut Shard, step: &Step) {
        match step {
            Step::Submit { project, queues, .. } => {
                self.next += 1;
                let (id, project, terms) = (self.next, format!("p{project}"), self.terms(step));
                let queues: Vec<String> = queues.iter().copied().map(queue).collect();
                self.batches.insert(id, (project.clone(), terms.clone(), queues.clone()));
                shard.submit(self.now, NewBatch { id, project, terms, queues });
            }
            Step::Attach { worker, slots, queues, knows } => {
                let queues: Vec<String> = queues.iter().copied().map(queue).collect();
                let before = self.workers.get(worker).map(|known| known.0);
                let running: Vec<(JobKey, u32)> = if *knows {
                    let had = self.rows.iter().filter(|(_, (job, _))| {
                        job.state == State::Executing && before.is_none_or(|before| before == job.worker)
                    });
                    had.map(|(key, (job, _))| (*key, job.fence)).collect()
                } else {
                    Vec::new()
                };
                let name = format!("w{worker}");
                let attached = shard.attach(self.now, &name, u32::from(*slots), &queues, &running, 0.5);
                self.workers
                    .insert(*worker, (attached.worker, u32::from(*slots), queues.into_iter().collect()));
            }
            Step::Detach { worker } => {
                if let Some((number, ..)) = self.workers.remove(worker) {
                    shard.detach(self.now, number, 0.5);
                }
            }
            Step::Unserve { worker, queue: number } => {
                if let Some((worker, _, queues)) = self.workers.get_mut(worker) {
                    queues.remove(&queue(*number));
                    shard.unserve(self.now, *worker, &[queue(*number)], 0.5);
                }
            }
            Step::Slots { worker, slots } => {
                if let Some((worker, room, _)) = self.workers.get_mut(worker) {
                    *room = u32::from(*slots);
                    shard.set_slots(*worker, *room);
                }
            }
            Step::Result { pick, kind } => {
                let all: Vec<_> = self.leases.iter().map(|(key, lease)| (*key, *lease)).collect();
                let Some((key, (worker, fence))) = all.get(usize::from(*pick) % all.len().max(1)) else {
                    return;
                };
                assert!(shard.result(self.now, *worker, *key, *fence, outcome(*kind), 0.5), "{key:?}");
                assert!(
                    !shard.result(self.now, *worker, *key, *fence, outcome(*kind), 0.5),
                    "twice: {key:?}"
                );
            }
            Step::OldResult { pick } => {
                let Some((worker, key, fence)) =
                    self.old.iter().nth(usize::from(*pick) % self.old.len().max(1))
                else {
                    return;
                };
                if self.leases.get(key) != Some(&(*worker, *fence)) {
                    assert!(!shard.result(self.now, *worker, *key, *fence, outcome(0), 0.5), "old: {key:?}");
                }
            }
            Step::Cancel { pick, whole } => {
                let all: Vec<_> = self.rows.keys().copied().collect();
                let Some(key) = all.get(usize::from(*pick) % all.len().max(1)) else { return };
                shard.cancel(self.now, key.batch, (!whole).then_some(key.number), Stop::Cancelled);
            }
            Step::Time { seconds, heard } => {
                self.now += i64::from(*seconds) * SECOND;
                if *heard {
                    self.workers.values().for_each(|(worker, ..)| shard.heard(self.now, *worker));
                }
                shard.tick(self.now, 0.5);
            }
            Step::Die => {
                self.workers.clear();
                *shard = self.open();
                assert!(shard.next_timer().is_none() || self.leases.len() + self.rows.len() > 0);
            }
        }
    }

    /// A shard made of what is on disk.
    fn open(&self) -> Shard {
        let mut shard = Shard::new(LEASE, BTreeMap::new());
        for (id, (project, terms, queues)) in &self.batches {
            if self.ended.contains(id) {
                continue;
            }
            shard.open_batch(*id, project, terms.clone(), queues.len() as u32);
            for number in 0..queues.len() as u32 {
                let key = JobKey { batch: *id, number };
                let (job, worker) = self.rows[&key].clone();
                let kept =
                    Job::kept(job.state, job.fence, job.failures, job.lost, job.stop, job.at, job.ended);
                let queue = queues[number as usize].clone();
                shard.keep_job(self.now, KeptJob { key, job: kept, queue, worker });
            }
        }
        shard
    }

    /// Starts what can start, writes down what has changed, and looks at everything.
    fn flush(&mut self, shard: &mut Shard) {
        shard.schedule(self.now);
        let changes: Changes = shard.take_changes();
        for gone in &changes.gone {
            self.workers.retain(|_, (worker, ..)| worker != gone);
        }
        for key in &changes.jobs {
            let job = shard.job(*key).expect("what has changed is there").clone();
            let row = (job.clone(), shard.worker_name(job.worker).to_owned());
            let before = self.rows.insert(*key, row);
            assert!(before.is_none_or(|(before, _)| !before.state.is_terminal()), "{key:?} ended twice");
            assert!(!job.state.is_terminal() || changes.ends.contains_key(key));
        }
        for id in &changes.ended {
            assert!(self.ended.insert(*id), "batch {id} ended twice");
        }
        shard.forget(&changes);
        let executing = self.rows.iter().filter(|(_, (job, _))| job.state == State::Executing);
        self.leases = executing.map(|(key, (job, _))| (*key, (job.worker, job.fence))).collect();
        // A job that was taken over by another connection has another worker, without a new row.
        for (key, lease) in &mut self.leases {
            lease.0 = shard.job(*key).expect("it executes").worker;
            self.rows.get_mut(key).expect("it executes").0.worker = lease.0;
        }
        self.old.extend(self.leases.iter().map(|(key, (worker, fence))| (*worker, *key, *fence)));
        for (worker, key, fence) in &self.old {
            let is_its = self.leases.get(key) == Some(&(*worker, *fence));
            assert_eq!(
                shard.holds(*worker, *key, *fence),
                is_its,
                "{key:?}: lease {fence} of worker {worker}"
            );
        }
        self.check(shard);
    }

    fn check(&self, shard: &Shard) {
        let live = self.rows.values().filter(|(job, _)| !job.state.is_terminal()).count();
        assert_eq!(shard.job_count(), live, "memory is what is on disk");
        for (id, (_, _, queues)) in &self.batches {
            let done = (0..queues.len() as u32)
                .all(|number| self.rows[&JobKey { batch: *id, number }].0.state.is_terminal());
            assert_eq!(done, self.ended.contains(id), "batch {id} ends with its last job");
        }
        let mut used: BTreeMap<String, u32> = BTreeMap::new();
        let mut busy: BTreeMap<u32, u32> = BTreeMap::new();
        for key in self.leases.keys() {
            for (limit, _) in self.limits(*key) {
                *used.entry(limit).or_default() += 1;
            }
            *busy.entry(self.leases[key].0).or_default() += 1;
        }
        for (key, (job, _)) in &self.rows {
            for (limit, most) in self.limits(*key) {
                assert!(used.get(&limit).copied().unwrap_or(0) <= most, "{limit} is broken");
            }
            let (_, _, queues) = &self.batches[&key.batch];
            let queue = &queues[key.number as usize];
            let room = self.workers.values().any(|(worker, slots, queues)| {
                queues.contains(queue) && busy.get(worker).copied().unwrap_or(0) < *slots
            });
            let free =
                self.limits(*key).iter().all(|(limit, most)| used.get(limit).copied().unwrap_or(0) < *most);
            let due = job.state == State::Pending && job.at <= self.now;
            // What became due since the clock was last looked at starts with the next look.
            assert!(!(due && room && free), "{key:?} waits for nothing");
        }
    }

    fn limits(&self, key: JobKey) -> Vec<(String, u32)> {
        let (_, terms, _) = &self.batches[&key.batch];
        let named = terms.limits.iter().map(|limit| (limit.key.clone(), limit.most));
        let own = (terms.at_once > 0).then(|| (format!("batch/{}", key.batch), terms.at_once));
        named.chain(own).collect()
    }
}

fn outcome(kind: u8) -> Outcome {
    match kind {
        0..3 => Outcome::Completed { result: "done".into() },
        3 => Outcome::Failed {
            reason: "BROKEN".into(),
            message: String::new(),
            retryable: true,
            result: bytes::Bytes::new(),
        },
        _ => Outcome::Cancelled,
    }
}

proptest! {
    /// `PROPTEST_CASES` says how many.
    #[test]
    fn a_random_life_keeps_every_promise(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World { now: 1_000 * SECOND, ..World::default() };
        let mut shard = Shard::new(LEASE, BTreeMap::new());
        for step in &steps {
            world.step(&mut shard, step);
            world.flush(&mut shard);
        }
        // In the end everything ends: one worker with room for all, and time.
        let queues = (0..4).map(queue).collect();
        let attached = shard.attach(world.now, "last", 1_000, &(0..4).map(queue).collect::<Vec<_>>(), &[], 0.5);
        world.workers.insert(9, (attached.worker, 1_000, queues));
        for _ in 0..2_000 {
            world.flush(&mut shard);
            if shard.job_count() == 0 {
                break;
            }
            for (key, (worker, fence)) in world.leases.clone() {
                shard.result(world.now, worker, key, fence, outcome(0), 0.5);
            }
            world.now += SECOND;
            shard.heard(world.now, attached.worker);
            shard.tick(world.now, 0.5);
        }
        prop_assert_eq!(shard.job_count(), 0);
        prop_assert_eq!(world.ended.len(), world.batches.len());
    }
}

/// A shard with one worker that serves everything.
fn with_worker(slots: u32, queues: &[&str], weights: &[(&str, u32)]) -> (Shard, u32) {
    let weights = weights.iter().map(|(project, weight)| ((*project).to_owned(), *weight)).collect();
    let mut shard = Shard::new(LEASE, weights);
    let queues: Vec<String> = queues.iter().map(|queue| (*queue).to_owned()).collect();
    let worker = shard.attach(0, "w", slots, &queues, &[], 0.5).worker;
    (shard, worker)
}

fn submit(shard: &mut Shard, id: i64, project: &str, priority: Priority, jobs: usize) {
    let terms = Terms { priority, ..Terms::default() };
    let queues = vec!["q".to_owned(); jobs];
    shard.submit(0, NewBatch { id, project: project.into(), terms, queues });
}

/// Runs one job at a time, and says which batches they were of.
fn run(shard: &mut Shard, worker: u32, count: usize) -> Vec<i64> {
    let mut order = Vec::new();
    for _ in 0..count {
        shard.schedule(0);
        let changes = shard.take_changes();
        shard.forget(&changes);
        let [start] = changes.starts[..] else { panic!("one at a time: {:?}", changes.starts) };
        order.push(start.key.batch);
        assert!(shard.result(0, worker, start.key, start.fence, outcome(0), 0.5));
    }
    order
}

#[test]
fn projects_share_by_weight_however_much_one_has_queued() {
    let (mut shard, worker) = with_worker(1, &["q"], &[("heavy", 3)]);
    submit(&mut shard, 1, "flood", Priority::High, 20_000);
    submit(&mut shard, 2, "heavy", Priority::Low, 4_000);
    submit(&mut shard, 3, "light", Priority::Low, 4_000);
    let order = run(&mut shard, worker, 5_000);
    let of = |batch| order.iter().filter(|one| **one == batch).count();
    assert_eq!((of(1), of(2), of(3)), (1_000, 3_000, 1_000));
}

#[test]
fn urgent_first_oldest_first_and_none_starves() {
    let (mut shard, worker) = with_worker(1, &["q"], &[]);
    submit(&mut shard, 1, "p", Priority::Low, 500);
    submit(&mut shard, 2, "p", Priority::Normal, 500);
    submit(&mut shard, 3, "p", Priority::High, 500);
    let order = run(&mut shard, worker, 210);
    assert_eq!(order[0], 3, "the most urgent first");
    let of = |batch| order.iter().filter(|one| **one == batch).count();
    assert_eq!((of(3), of(2), of(1)), (160, 40, 10));
    submit(&mut shard, 4, "p", Priority::High, 1);
    assert!(!run(&mut shard, worker, 300).contains(&4), "the older ones of its priority are first");
}

#[test]
fn a_batch_stops_after_so_many_failures() {
    let (mut shard, worker) = with_worker(2, &["q"], &[]);
    let terms = Terms { stop_after: 2, ..Terms::default() };
    shard.submit(0, NewBatch { id: 1, project: "p".into(), terms, queues: vec!["q".into(); 50] });
    let mut ends: Vec<(JobKey, End)> = Vec::new();
    let mut ended = Vec::new();
    for _ in 0..2 {
        shard.schedule(0);
        let changes = shard.take_changes();
        shard.forget(&changes);
        ends.extend(changes.ends);
        ended.extend(changes.ended);
        for start in changes.starts {
            assert!(shard.result(0, worker, start.key, start.fence, outcome(3), 0.5));
        }
    }
    let stopped = ends.iter().filter(|(_, end)| end.reason == "BATCH_STOPPED").count();
    assert_eq!((ends.len(), stopped, ended), (50, 48, vec![1]));
}

#[test]
fn a_silent_worker_loses_its_jobs_after_the_lease_and_a_gone_one_at_once() {
    let (mut shard, worker) = with_worker(1, &["q"], &[]);
    submit(&mut shard, 1, "p", Priority::Normal, 1);
    shard.schedule(0);
    let first = shard.take_changes().starts[0];
    let lease = LEASE.as_micros() as i64;
    shard.tick(lease - 1, 0.5);
    assert!(shard.holds(worker, first.key, first.fence));
    shard.heard(lease - 1, worker);
    shard.tick(2 * lease - 2, 0.5);
    assert!(shard.holds(worker, first.key, first.fence), "it was heard");
    shard.tick(2 * lease, 0.5);
    assert_eq!(shard.take_changes().gone, [worker]);
    assert!(!shard.result(2 * lease, worker, first.key, first.fence, outcome(0), 0.5), "too late");

    let next = shard.attach(2 * lease, "w", 1, &["q".into()], &[], 0.5).worker;
    shard.schedule(2 * lease);
    let second = shard.take_changes().starts[0];
    assert_eq!((second.key, second.fence), (first.key, first.fence + 1));
    shard.detach(2 * lease, next, 0.5);
    assert_eq!(shard.job(first.key).unwrap().state, State::Pending);
}

#[test]
fn what_has_ended_leaves_no_timer() {
    let (mut shard, worker) = with_worker(1, &["q"], &[]);
    let timers = |shard: &Shard| shard.next_timer();
    let idle = timers(&shard);
    let terms = Terms {
        deadline: Some(1),
        start_before: Some(2),
        attempt_timeout: Some(Duration::from_micros(1)),
        ..Terms::default()
    };
    shard.submit(0, NewBatch { id: 1, project: "p".into(), terms, queues: vec!["q".into(); 3] });
    assert_eq!(timers(&shard), Some(1));
    run(&mut shard, worker, 3);
    assert_eq!(timers(&shard), idle);
}

#[test]
fn what_a_worker_says_under_its_own_old_lease_is_refused() {
    let (mut shard, worker) = with_worker(1, &["q"], &[]);
    let terms = Terms { retry: Retry { max_attempts: 2, ..Retry::default() }, ..Terms::default() };
    shard.submit(0, NewBatch { id: 1, project: "p".into(), terms, queues: vec!["q".into()] });
    shard.schedule(0);
    let first = shard.take_changes().starts[0];
    assert!(shard.result(0, worker, first.key, first.fence, outcome(3), 0.5));
    shard.heard(SECOND, worker);
    shard.tick(SECOND, 0.5);
    shard.schedule(SECOND);
    let second = shard.take_changes().starts[0];
    assert_eq!((second.worker, second.key, second.fence), (worker, first.key, first.fence + 1));
    assert!(!shard.holds(worker, first.key, first.fence));
    assert!(!shard.result(SECOND, worker, first.key, first.fence, outcome(0), 0.5));
    assert!(shard.result(SECOND, worker, second.key, second.fence, outcome(0), 0.5));
}
