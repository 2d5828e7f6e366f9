//! Whose turn it is to act outside: projects share by weight, first in first out inside a project, and no limit is
//! exceeded.
//!
//! Limits are counted here and nowhere else: a step acts outside only in the process that owns its shard, or at a worker that is
//! attached to it, so what is at work is known exactly. A turn ends when the work has: not when it is told to stop, or nobody wants
//! its result any more.
//!
//! What is to act in this process needs a place in it; a task needs a worker that serves its queue. Both share the limits that
//! nodes set (a rate is one too, against which a step counts from its beginning until it is worked off), and nothing else: how many tasks a project's own workers do does not count against its share of this process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use smallvec::smallvec;
use tokio::sync::OwnedSemaphorePermit;
use weft_jobs::{LaneKey, Limits, Priority, Ready};

use super::pace::Paces;
use crate::{
    Options,
    domain::{limit::Counted, run::Performance},
};

/// The worker that is no program of its own: this process.
pub(super) const HERE: u32 = 0;

/// A step: its execution, number and generation.
pub(super) type StepKey = (i64, u32, u32);

/// A step whose turn has come.
pub(super) struct Turn {
    /// To be given back when the work has ended.
    pub(super) ticket: u64,
    pub(super) execution: i64,
    pub(super) performance: Performance,
    /// Where: here, or at a worker.
    pub(super) worker: u32,
    /// How often it was lost with its worker.
    pub(super) lost: u32,
}

struct Waiting {
    step: StepKey,
    performance: Performance,
    lane: LaneKey,
    lost: u32,
}

struct AtWork {
    lane: LaneKey,
    worker: u32,
    /// In this process, where it acts here.
    _place: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy)]
struct Project {
    /// For what acts in this process: share and limit.
    here: (u32, u32),
    /// The same for what its workers do.
    tasks: (u32, u32),
}

/// A limit with a key, as long as somebody counts against it.
struct Keyed {
    number: u32,
    users: usize,
}

/// A queue of tasks, as long as somebody has to do with it.
pub(crate) struct TaskQueue {
    number: u32,
    pub(crate) waiting: usize,
    pub(crate) working: usize,
    workers: usize,
}

/// A queue's project, by its number for tasks, and its name.
type QueueName = (u32, Arc<str>);

pub(crate) struct Turns {
    ready: Ready<u64>,
    /// The queue of what acts in this process.
    here: u32,
    /// How much may act here at once; and whether there is a place for the next.
    slots: (u32, bool),
    weights: BTreeMap<String, u32>,
    most_of_project: (u32, u32),
    projects: HashMap<String, Project>,
    keyed: HashMap<(u32, String), Keyed>,
    names: HashMap<u32, (u32, String)>,
    paces: Paces,
    queues: HashMap<QueueName, TaskQueue>,
    queue_names: HashMap<u32, QueueName>,
    free_queues: Vec<u32>,
    /// The queues that workers serve.
    served: HashMap<u32, Vec<u32>>,
    free_workers: Vec<u32>,
    workers: u32,
    waiting: HashMap<u64, Waiting>,
    waiting_here: usize,
    tickets: HashMap<StepKey, u64>,
    /// Who acts.
    at_work: HashMap<u64, AtWork>,
    at_work_here: usize,
    free_limits: Vec<u32>,
    limits: u32,
    next: u64,
}

impl Turns {
    /// Of the owner of an epoch: its tickets are nobody else's.
    pub(super) fn new(options: &Options, epoch: i64) -> Self {
        let most = |most: usize| u32::try_from(most).unwrap_or(u32::MAX);
        let mut ready = Ready::default();
        let here = ready.add_queue();
        let slots = most(options.max_outside);
        ready.set_slots(HERE, slots);
        ready.serve(HERE, here);
        Self {
            ready,
            here,
            slots: (slots, true),
            weights: options.weights.clone(),
            most_of_project: (most(options.max_outside_per_project), most(options.max_tasks_per_project)),
            projects: HashMap::new(),
            keyed: HashMap::new(),
            names: HashMap::new(),
            paces: Paces::default(),
            queues: HashMap::new(),
            queue_names: HashMap::new(),
            free_queues: Vec::new(),
            served: HashMap::new(),
            free_workers: Vec::new(),
            workers: HERE,
            waiting: HashMap::new(),
            waiting_here: 0,
            tickets: HashMap::new(),
            at_work: HashMap::new(),
            at_work_here: 0,
            free_limits: Vec::new(),
            limits: 0,
            next: epoch.cast_unsigned() << 40,
        }
    }

    /// A step wants to act.
    pub(super) fn want(&mut self, project: &str, execution: i64, performance: Performance) {
        let Project { here, tasks } = self.project(project);
        let ((share, limit), queue) = match &performance.queue {
            Some(queue) => (tasks, self.queue((tasks.0, Arc::clone(queue))).number),
            None => (here, self.here),
        };
        let mut limits: Limits = smallvec![limit];
        // Those of a name are one, wherever its steps act.
        if let Some(counted) = &performance.limit {
            limits.extend(counted.most.map(|most| self.keyed(here.0, &counted.name, most)));
            limits.extend(self.paced(here.0, counted));
        }
        let lane = LaneKey { project: share, queue, limits };
        let step = (execution, performance.step, performance.generation);
        self.next += 1;
        self.wait(self.next, Waiting { step, performance, lane, lost: 0 });
    }

    fn wait(&mut self, ticket: u64, waiting: Waiting) {
        self.ready.push(&waiting.lane, Priority::Normal, ticket);
        self.tickets.insert(waiting.step, ticket);
        match self.queue_of(&waiting.lane) {
            Some(queue) => queue.waiting += 1,
            None => self.waiting_here += 1,
        }
        self.waiting.insert(ticket, waiting);
    }

    /// It does not wait any more.
    fn waited(&mut self, ticket: u64) -> Waiting {
        let waiting = self.waiting.remove(&ticket).expect("what is ready waits");
        self.tickets.remove(&waiting.step);
        match self.queue_of(&waiting.lane) {
            Some(queue) => queue.waiting -= 1,
            None => self.waiting_here -= 1,
        }
        waiting
    }

    /// A step that waits for its turn does not want to act any more. One that acts already goes on.
    pub(super) fn forget(&mut self, step: StepKey) {
        let Some(&ticket) = self.tickets.get(&step) else { return };
        let Waiting { lane, .. } = self.waited(ticket);
        self.ready.remove(&lane, Priority::Normal, ticket);
        self.leave(&lane);
        for limit in &lane.limits {
            self.unpace(*limit);
        }
    }

    /// Whether anybody waits for a turn.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether anybody waits to act in this process.
    pub(super) fn has_waiting_here(&self) -> bool {
        self.waiting_here > 0
    }

    /// Whose turn it is. What acts here takes the place; without one, only workers begin something.
    pub(super) fn next(&mut self, place: &mut Option<OwnedSemaphorePermit>, now: i64) -> Option<Turn> {
        let (slots, has_place) = self.slots;
        if has_place != place.is_some() {
            self.slots.1 = place.is_some();
            self.ready.set_slots(HERE, if place.is_some() { slots } else { 0 });
        }
        let pick = self.ready.start_next()?;
        let place = if pick.worker == HERE { place.take() } else { None };
        Some(self.start(pick.job, (pick.worker, place), now))
    }

    fn start(&mut self, ticket: u64, (worker, place): (u32, Option<OwnedSemaphorePermit>), now: i64) -> Turn {
        let Waiting { step, performance, mut lane, lost } = self.waited(ticket);
        // What it counts against by its rate is given back by time, and not by its end.
        lane.limits.retain(|limit| !self.paces.begin(*limit, now));
        match self.queue_of(&lane) {
            Some(queue) => queue.working += 1,
            None => self.at_work_here += 1,
        }
        self.at_work.insert(ticket, AtWork { lane, worker, _place: place });
        Turn { ticket, execution: step.0, performance, worker, lost }
    }

    /// A worker has a step at work that waits here: it counts from now on, even against a limit that is reached, because it is
    /// at work. Nothing where the step does not wait, or waits for another attempt.
    pub(super) fn adopt(
        &mut self,
        (step, failures): (StepKey, u32),
        worker: u32,
        is_served: impl FnOnce(&str) -> bool,
        now: i64,
    ) -> Option<Turn> {
        let &ticket = self.tickets.get(&step)?;
        let Waiting { performance, lane, .. } = &self.waiting[&ticket];
        if performance.failures != failures || !performance.queue.as_deref().is_some_and(is_served) {
            return None;
        }
        let lane = lane.clone();
        self.ready.start_at(worker, &lane, Priority::Normal, ticket);
        Some(self.start(ticket, (worker, None), now))
    }

    /// The work of a turn has ended. Turns of owners before are nothing to this one.
    pub(super) fn ended(&mut self, ticket: u64) {
        if let Some(lane) = self.left(ticket) {
            self.leave(&lane);
        }
    }

    /// The work of a turn was lost with its worker: the step waits again, before those that came after it.
    pub(super) fn give_back(&mut self, turn: Turn) {
        let Turn { ticket, execution, performance, lost, .. } = turn;
        let Some(lane) = self.left(ticket) else { return };
        let step = (execution, performance.step, performance.generation);
        self.wait(ticket, Waiting { step, performance, lane, lost });
    }

    /// Who acted does not.
    fn left(&mut self, ticket: u64) -> Option<LaneKey> {
        let AtWork { lane, worker, _place } = self.at_work.remove(&ticket)?;
        self.ready.release(worker, &lane.limits);
        match self.queue_of(&lane) {
            Some(queue) => queue.working -= 1,
            None => self.at_work_here -= 1,
        }
        Some(lane)
    }

    /// Lets go on what rates have held up until now.
    pub(super) fn pass(&mut self, now: i64) {
        while let Some(limit) = self.paces.pass(now) {
            self.ready.release_limit(limit);
            self.unpace(limit);
        }
    }

    /// When a rate lets somebody begin who may wait for it.
    pub(super) fn next_timer(&self) -> Option<i64> {
        self.paces.next_timer().filter(|_| self.has_waiting())
    }

    /// Whether nothing acts in this process.
    pub(super) fn is_idle(&self) -> bool {
        self.at_work_here == 0
    }

    /// A worker comes, with room for so many tasks. It serves no queue yet.
    pub(super) fn add_worker(&mut self, slots: u32) -> u32 {
        let worker = self.free_workers.pop().unwrap_or_else(|| {
            self.workers += 1;
            self.workers
        });
        self.ready.set_slots(worker, slots);
        worker
    }

    /// A worker has room for so many tasks from now on.
    pub(super) fn set_slots(&mut self, worker: u32, slots: u32) {
        self.ready.set_slots(worker, slots);
    }

    /// A worker serves these queues of its project, and no others.
    pub(super) fn serve<'a>(
        &mut self,
        worker: u32,
        project: &str,
        queues: impl IntoIterator<Item = &'a Arc<str>>,
    ) {
        let of = self.project(project).tasks.0;
        let before = self.served.remove(&worker).unwrap_or_default();
        let mut served = Vec::new();
        for name in queues {
            let queue = self.queue((of, Arc::clone(name)));
            if !served.contains(&queue.number) {
                queue.workers += 1;
                served.push(queue.number);
            }
        }
        for queue in &served {
            self.ready.serve(worker, *queue);
        }
        self.served.insert(worker, served);
        for queue in before {
            if !self.served[&worker].contains(&queue) {
                self.ready.unserve(worker, queue);
            }
            self.unserved(queue);
        }
    }

    /// A worker serves no queue any more. What it has goes on.
    pub(super) fn unserve(&mut self, worker: u32) {
        for queue in self.served.remove(&worker).unwrap_or_default() {
            self.ready.unserve(worker, queue);
            self.unserved(queue);
        }
    }

    fn unserved(&mut self, queue: u32) {
        let name = self.queue_names[&queue].clone();
        if let Some(queue) = self.queues.get_mut(&name) {
            queue.workers -= 1;
        }
        self.tidy(&name);
    }

    /// A worker goes: it has nothing any more.
    pub(super) fn remove_worker(&mut self, worker: u32) {
        self.unserve(worker);
        self.ready.forget_worker(worker);
        self.free_workers.push(worker);
    }

    /// The queues of a project that something waits in, is at work of, or a worker serves.
    pub(crate) fn queues_of(&self, project: &str) -> impl Iterator<Item = (&str, &TaskQueue)> {
        let of = self.projects.get(project).map(|project| project.tasks.0);
        let own = self.queues.iter().filter(move |((project, _), _)| Some(*project) == of);
        own.map(|((_, name), queue)| (&**name, queue))
    }

    /// How many tasks wait for a worker.
    pub(super) fn waiting_tasks(&self) -> usize {
        self.waiting.len() - self.waiting_here
    }

    fn project(&mut self, name: &str) -> Project {
        if let Some(project) = self.projects.get(name) {
            return *project;
        }
        let weight = self.weights.get(name).copied().unwrap_or(1);
        let here = (self.ready.add_project(weight), self.limit());
        let tasks = (self.ready.add_project(weight), self.limit());
        self.ready.set_limit(here.1, self.most_of_project.0);
        self.ready.set_limit(tasks.1, self.most_of_project.1);
        let project = Project { here, tasks };
        self.projects.insert(name.to_owned(), project);
        project
    }

    fn queue(&mut self, name: QueueName) -> &mut TaskQueue {
        let Self { queues, queue_names, free_queues, ready, .. } = self;
        queues.entry(name).or_insert_with_key(|name| {
            let number = free_queues.pop().unwrap_or_else(|| ready.add_queue());
            queue_names.insert(number, name.clone());
            TaskQueue { number, waiting: 0, working: 0, workers: 0 }
        })
    }

    fn queue_of(&mut self, lane: &LaneKey) -> Option<&mut TaskQueue> {
        let name = self.queue_names.get(&lane.queue)?;
        self.queues.get_mut(name)
    }

    /// Forgets a queue that nobody has to do with.
    fn tidy(&mut self, name: &QueueName) {
        let Some(queue) = self.queues.get(name) else { return };
        if queue.waiting + queue.working + queue.workers == 0 {
            let number = queue.number;
            self.queues.remove(name);
            self.queue_names.remove(&number);
            self.free_queues.push(number);
        }
    }

    fn keyed(&mut self, project: u32, name: &str, most: u32) -> u32 {
        let name = (project, name.to_owned());
        let number = if let Some(keyed) = self.keyed.get_mut(&name) {
            keyed.users += 1;
            keyed.number
        } else {
            let number = self.limit();
            self.names.insert(number, name.clone());
            self.keyed.insert(name, Keyed { number, users: 1 });
            number
        };
        self.ready.set_limit(number, most);
        number
    }

    /// The limit that a step counts against by its rate.
    fn paced(&mut self, project: u32, counted: &Counted) -> Option<u32> {
        let rate = counted.rate?;
        let name = self.paces.name(project, &counted.name);
        let number = self.paces.number(&name).unwrap_or_else(|| self.limit());
        self.paces.join(name, number, rate);
        self.ready.set_limit(number, rate.burst);
        Some(number)
    }

    /// One less counts by a rate, if this limit is of one.
    fn unpace(&mut self, number: u32) {
        if self.paces.leave(number) {
            self.ready.forget_limit(number);
            self.free_limits.push(number);
        }
    }

    fn limit(&mut self) -> u32 {
        self.free_limits.pop().unwrap_or_else(|| {
            self.limits += 1;
            self.limits
        })
    }

    /// One less counts against what it was limited by: what nobody counts against is forgotten.
    fn leave(&mut self, lane: &LaneKey) {
        for number in &lane.limits {
            let Some(name) = self.names.get(number) else { continue };
            let keyed = self.keyed.get_mut(name).expect("a limit with a name has users");
            keyed.users -= 1;
            if keyed.users == 0 {
                self.keyed.remove(name);
                self.names.remove(number);
                self.ready.forget_limit(*number);
                self.free_limits.push(*number);
            }
        }
        if let Some(name) = self.queue_names.get(&lane.queue).cloned() {
            self.tidy(&name);
        }
    }
}

#[cfg(test)]
mod tests;
