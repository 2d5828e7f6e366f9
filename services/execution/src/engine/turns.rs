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

    /// A worker has a step at work that waits here: it counts from now on. Nothing where the step does not wait, waits for
    /// another attempt, or a limit of it is reached.
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
        let starts = self.ready.start_at(worker, &lane, Priority::Normal, ticket);
        starts.then(|| self.start(ticket, (worker, None), now))
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
        let name = (project, counted.name.clone());
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
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::Value as Json;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::domain::gate::Rate;

    fn turns(slots: usize, of_project: usize, weights: &[(&str, u32)]) -> Turns {
        let weights = weights.iter().map(|(project, weight)| ((*project).to_owned(), *weight)).collect();
        let options = Options {
            max_outside: slots,
            max_outside_per_project: of_project,
            weights,
            ..Options::default()
        };
        Turns::new(&options, 1)
    }

    fn next(turns: &mut Turns) -> Option<Turn> {
        turns.next(&mut Some(Arc::new(Semaphore::new(1)).try_acquire_owned().expect("it is free")), 0)
    }

    fn work(step: u32, limit: Option<(&str, u32)>) -> Performance {
        Performance {
            step,
            failures: 0,
            generation: 0,
            kind: crate::kinds::find("http").unwrap(),
            request: Arc::new(Json::Null),
            queue: None,
            timeout: None,
            limit: limit.map(|(name, most)| Counted { name: name.to_owned(), most: Some(most), rate: None }),
            cache: None,
        }
    }

    #[test]
    fn a_flood_holds_up_nobody_else() {
        let mut turns = turns(10, 8, &[("heavy", 3)]);
        for step in 0..10_000 {
            turns.want("flood", 1, work(step, None));
        }
        let begun: Vec<_> = std::iter::from_fn(|| next(&mut turns)).collect();
        assert_eq!(begun.len(), 8, "places are left for others");
        turns.want("other", 2, work(0, None));
        assert_eq!(next(&mut turns).map(|turn| turn.execution), Some(2));
        // Of three that want all they can get, one has three times the weight.
        for step in 0..1_000 {
            turns.want("other", 2, work(step + 1, None));
            turns.want("heavy", 3, work(step, None));
        }
        let mut at_work: std::collections::VecDeque<_> = begun.into_iter().map(|turn| turn.ticket).collect();
        let mut counts = BTreeMap::<i64, u32>::new();
        for _ in 0..1_000 {
            turns.ended(at_work.pop_front().unwrap());
            while let Some(turn) = next(&mut turns) {
                *counts.entry(turn.execution).or_default() += 1;
                at_work.push_back(turn.ticket);
            }
        }
        let (flood, other, heavy) = (f64::from(counts[&1]), f64::from(counts[&2]), f64::from(counts[&3]));
        assert!((heavy / other - 3.0).abs() < 0.15 && (other / flood - 1.0).abs() < 0.05, "{counts:?}");
    }

    #[test]
    fn what_is_forgotten_does_not_begin_and_what_acts_keeps_its_turn() {
        let mut turns = turns(10, 10, &[]);
        for step in 0..3 {
            turns.want("p", 1, work(step, Some(("k", 1))));
        }
        let first = next(&mut turns).unwrap();
        assert!(next(&mut turns).is_none());
        turns.forget((1, 0, 0));
        turns.forget((1, 1, 0));
        assert!(next(&mut turns).is_none(), "the one that acts has not ended");
        turns.ended(first.ticket);
        let last = next(&mut turns).unwrap();
        assert_eq!(last.performance.step, 2);
        turns.ended(last.ticket);
        turns.ended(last.ticket);
        assert!(turns.is_idle() && turns.keyed.is_empty() && turns.names.is_empty());
    }

    fn task(step: u32, queue: &str, limit: Option<(&str, u32)>) -> Performance {
        Performance { queue: Some(queue.into()), ..work(step, limit) }
    }

    /// What workers begin where there is no place in the process.
    fn begun(turns: &mut Turns) -> Vec<(u32, u32)> {
        let begun = std::iter::from_fn(|| turns.next(&mut None, 0));
        begun.map(|turn| (turn.performance.step, turn.worker)).collect()
    }

    #[test]
    fn tasks_go_to_who_serves_their_queue_and_need_no_place_here() {
        let mut turns = turns(1, 1, &[]);
        let (mail, paper) = (Arc::<str>::from("mail"), Arc::<str>::from("paper"));
        turns.want("p", 1, task(0, "mail", None));
        turns.want("p", 1, task(1, "paper", None));
        turns.want("p", 1, work(2, None));
        turns.want("other", 2, task(3, "mail", None));
        assert!(begun(&mut turns).is_empty(), "nobody serves a queue, and there is no place");
        let worker = turns.add_worker(2);
        turns.serve(worker, "p", [&mail]);
        assert_eq!(begun(&mut turns), [(0, worker)]);
        turns.serve(worker, "p", [&mail, &paper]);
        assert_eq!(begun(&mut turns), [(1, worker)]);
        assert_eq!(next(&mut turns).map(|turn| (turn.performance.step, turn.worker)), Some((2, HERE)));
        assert!(turns.has_waiting() && !turns.has_waiting_here());
        let of_other = turns.queues_of("other").map(|(name, queue)| (name.to_owned(), queue.waiting));
        assert_eq!(of_other.collect::<Vec<_>>(), [("mail".to_owned(), 1)], "names are of a project");
        assert!(!turns.is_idle(), "what acts here acts still, what workers have does not count");
    }

    #[test]
    fn what_is_given_back_is_first_and_limits_are_shared_with_what_acts_here() {
        let mut turns = turns(4, 4, &[]);
        let queue = Arc::<str>::from("q");
        let worker = turns.add_worker(9);
        turns.serve(worker, "p", [&queue]);
        for step in 0..4 {
            turns.want("p", 1, task(step, "q", Some(("k", 2))));
        }
        turns.want("p", 1, work(4, Some(("k", 2))));
        let first = turns.next(&mut None, 0).unwrap();
        let second = turns.next(&mut None, 0).unwrap();
        assert!(next(&mut turns).is_none(), "two of `k` are at work");
        turns.give_back(Turn { lost: 1, ..first });
        let again = turns.next(&mut None, 0).unwrap();
        assert_eq!((again.performance.step, again.lost), (0, 1), "before those that came later");
        turns.ended(again.ticket);
        // One that says that it has a step gets it, if the limit lets it.
        assert!(turns.adopt(((1, 3, 0), 7), worker, |_| true, 0).is_none(), "another attempt");
        assert!(turns.adopt(((1, 3, 0), 0), worker, |_| false, 0).is_none(), "another queue");
        let adopted = turns.adopt(((1, 3, 0), 0), worker, |name| name == "q", 0).unwrap();
        assert!(turns.adopt(((1, 2, 0), 0), worker, |_| true, 0).is_none(), "the limit is reached");
        turns.ended(adopted.ticket);
        turns.ended(second.ticket);
        let third = turns.next(&mut None, 0).unwrap();
        assert_eq!(next(&mut turns).map(|turn| turn.performance.step), Some(4));
        turns.ended(third.ticket);
        turns.remove_worker(worker);
        assert!(turns.queues.is_empty() && turns.queue_names.is_empty() && turns.served.is_empty());
        let number = turns.add_worker(1);
        assert_eq!(number, worker, "numbers are used again");
    }

    #[test]
    fn a_projects_workers_do_not_use_up_its_share_of_this_process() {
        let mut turns = turns(2, 2, &[]);
        let queue = Arc::<str>::from("q");
        let worker = turns.add_worker(1_000);
        turns.serve(worker, "busy", [&queue]);
        for step in 0..1_000 {
            turns.want("busy", 1, task(step, "q", None));
        }
        assert_eq!(begun(&mut turns).len(), 1_000);
        for step in 0..10 {
            turns.want("busy", 1, work(2_000 + step, None));
            turns.want("calm", 2, work(step, None));
        }
        let mut counts = BTreeMap::<i64, u32>::new();
        for _ in 0..10 {
            let turn = next(&mut turns).unwrap();
            *counts.entry(turn.execution).or_default() += 1;
            turns.ended(turn.ticket);
        }
        assert_eq!(counts, BTreeMap::from([(1, 5), (2, 5)]));
    }

    #[derive(Clone, Debug)]
    enum Task {
        Want { queue: u8, key: Option<u8>, most: u32 },
        Come { slots: u32, queues: Vec<u8> },
        Go(prop::sample::Index),
        Slots(prop::sample::Index, u32),
        End(prop::sample::Index),
        Forget(prop::sample::Index),
    }

    fn of_tasks() -> impl Strategy<Value = Task> {
        use prop::sample::Index;
        prop_oneof![
            6 => (0..3_u8, prop::option::of(0..2_u8), 1..4_u32)
                .prop_map(|(queue, key, most)| Task::Want { queue, key, most }),
            2 => (0..4_u32, prop::collection::vec(0..3_u8, 1..3))
                .prop_map(|(slots, queues)| Task::Come { slots, queues }),
            1 => any::<Index>().prop_map(Task::Go),
            1 => (any::<Index>(), 0..4_u32).prop_map(|(which, slots)| Task::Slots(which, slots)),
            4 => any::<Index>().prop_map(Task::End),
            1 => any::<Index>().prop_map(Task::Forget),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        /// Whoever comes, goes and is lost: no slot, key or project has more than it may, nothing waits that could begin, and
        /// nothing is at two workers.
        #[test]
        fn tasks_keep_to_slots_and_limits(acts in prop::collection::vec(of_tasks(), 1..150)) {
            const OF_PROJECT: usize = 6;
            let options = Options { max_tasks_per_project: OF_PROJECT, ..Options::default() };
            let mut turns = Turns::new(&options, 1);
            let mut most_of: HashMap<u8, u32> = HashMap::new();
            let mut waits: HashMap<u32, (u8, Option<u8>)> = HashMap::new();
            let mut at_work: Vec<(Turn, u8, Option<u8>)> = Vec::new();
            let mut workers: Vec<(u32, u32, Vec<u8>)> = Vec::new();
            for (step, act) in (0_u32..).zip(acts) {
                match act {
                    Task::Want { queue, key, most } => {
                        let name = key.map(|key| key.to_string());
                        let limit = name.as_deref().map(|key| (key, most));
                        turns.want("p", 1, task(step, &queue.to_string(), limit));
                        most_of.extend(key.map(|key| (key, most)));
                        waits.insert(step, (queue, key));
                    }
                    Task::Come { slots, queues } => {
                        let number = turns.add_worker(slots);
                        let names: Vec<Arc<str>> = queues.iter().map(|queue| queue.to_string().into()).collect();
                        turns.serve(number, "p", &names);
                        workers.push((number, slots, queues));
                    }
                    Task::Go(which) if !workers.is_empty() => {
                        let (number, ..) = workers.swap_remove(which.index(workers.len()));
                        turns.unserve(number);
                        let (gone, stays) = at_work.into_iter().partition(|(turn, ..)| turn.worker == number);
                        at_work = stays;
                        for (turn, queue, key) in gone {
                            let turn: Turn = turn;
                            waits.insert(turn.performance.step, (queue, key));
                            turns.give_back(turn);
                        }
                        turns.remove_worker(number);
                    }
                    Task::Slots(which, slots) if !workers.is_empty() => {
                        let place = which.index(workers.len());
                        workers[place].1 = slots;
                        turns.set_slots(workers[place].0, slots);
                    }
                    Task::End(which) if !at_work.is_empty() => {
                        let (turn, ..) = at_work.swap_remove(which.index(at_work.len()));
                        turns.ended(turn.ticket);
                    }
                    Task::Forget(which) if !waits.is_empty() => {
                        let mut steps: Vec<_> = waits.keys().copied().collect();
                        steps.sort_unstable();
                        let step = steps[which.index(steps.len())];
                        waits.remove(&step);
                        turns.forget((1, step, 0));
                    }
                    _ => {}
                }
                let has = |at_work: &[(Turn, u8, Option<u8>)], worker: u32| {
                    at_work.iter().filter(|(turn, ..)| turn.worker == worker).count()
                };
                while let Some(turn) = turns.next(&mut None, 0) {
                    let (queue, key) = waits.remove(&turn.performance.step).expect("it waits, and nobody has it");
                    let (number, slots, served) = workers.iter().find(|(number, ..)| *number == turn.worker).unwrap();
                    prop_assert!(served.contains(&queue), "it serves the queue");
                    at_work.push((turn, queue, key));
                    prop_assert!(has(&at_work, *number) <= *slots as usize);
                    prop_assert!(at_work.len() <= OF_PROJECT);
                    if let Some(of_key) = key {
                        let count = at_work.iter().filter(|(.., key)| *key == Some(of_key)).count();
                        prop_assert!(count <= most_of[&of_key] as usize);
                    }
                }
                for (queue, key) in waits.values() {
                    let of_key = at_work.iter().filter(|(.., other)| other == key).count();
                    let is_full = at_work.len() == OF_PROJECT
                        || key.is_some_and(|key| of_key >= most_of[&key] as usize)
                        || workers.iter().all(|(number, slots, served)| {
                            !served.contains(queue) || has(&at_work, *number) >= *slots as usize
                        });
                    prop_assert!(is_full, "something waits that could begin");
                }
                let waiting: usize = turns.queues_of("p").map(|(_, queue)| queue.waiting).sum();
                let working: usize = turns.queues_of("p").map(|(_, queue)| queue.working).sum();
                prop_assert_eq!((waiting, working), (waits.len(), at_work.len()));
            }
        }
    }

    #[test]
    fn a_rate_holds_up_what_it_must_and_is_forgotten_when_it_is_worked_off() {
        let mut turns = turns(10, 10, &[]);
        let begin = |turns: &mut Turns, now| {
            turns.pass(now);
            let mut place = Arc::new(Semaphore::new(1)).try_acquire_owned().ok();
            turns.next(&mut place, now).map(|turn| turn.ticket)
        };
        let rate = |pause, burst| {
            let rate = Some(Rate { pause, burst });
            Some(Counted { name: "api".to_owned(), most: None, rate })
        };
        for step in 0..5 {
            turns.want("p", 1, Performance { limit: rate(10, 2), ..work(step, None) });
        }
        let first = begin(&mut turns, 100).expect("two may begin at once");
        begin(&mut turns, 100).expect("two may begin at once");
        assert_eq!((begin(&mut turns, 100), turns.next_timer()), (None, Some(110)));
        turns.ended(first);
        assert_eq!(begin(&mut turns, 109), None, "its end gives nothing back");
        begin(&mut turns, 110).expect("the first is worked off");
        assert_eq!((begin(&mut turns, 110), turns.next_timer()), (None, Some(120)));
        // The newest rate counts for those that wait, too.
        turns.want("p", 1, Performance { limit: rate(1_000, 3), ..work(5, None) });
        begin(&mut turns, 111).expect("one more at once");
        assert_eq!((begin(&mut turns, 111), turns.next_timer()), (None, Some(120)));
        begin(&mut turns, 120).expect("the second is worked off");
        assert_eq!(begin(&mut turns, 130).map(drop), Some(()), "the third is worked off");
        assert_eq!(turns.next_timer(), None, "nobody waits");
        turns.want("p", 1, Performance { limit: rate(1_000, 3), ..work(6, None) });
        assert_eq!(begin(&mut turns, 131), None);
        turns.forget((1, 6, 0));
        turns.pass(10_000);
        assert!(turns.paces.is_empty(), "nothing is left of it");
    }

    proptest! {
        /// Whenever steps come: none begins before the rate allows it, and none waits that might begin.
        #[test]
        fn a_rate_is_kept_exactly(
            pause in 1..20_i64,
            burst in 1..5_u32,
            arrivals in prop::collection::vec(0..30_i64, 1..60),
        ) {
            let mut turns = turns(1_000, 1_000, &[]);
            // As the generic cell rate algorithm has it: until when all is worked off.
            let (mut now, mut until, mut waits, mut step) = (0, 0_i64, 0_u32, 0);
            let mut instants: Vec<i64> = arrivals.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let last = instants.last().copied().unwrap_or(0);
            instants.extend((1..=2_000).map(|more| last + more));
            for (index, at) in instants.into_iter().enumerate() {
                now = at.max(now);
                if index < arrivals.len() {
                    let rate = Some(Rate { pause, burst });
                    let limit = Some(Counted { name: "k".to_owned(), most: None, rate });
                    turns.want("p", 1, Performance { limit, ..work(step, None) });
                    step += 1;
                    waits += 1;
                }
                turns.pass(now);
                let place = || Arc::new(Semaphore::new(1)).try_acquire_owned().ok();
                while let Some(turn) = turns.next(&mut place(), now) {
                    prop_assert!(until.max(now) + pause - now <= i64::from(burst) * pause, "too early");
                    until = until.max(now) + pause;
                    waits -= 1;
                    turns.ended(turn.ticket);
                }
                let might = until.max(now) + pause - now <= i64::from(burst) * pause;
                prop_assert!(waits == 0 || !might, "somebody waits who might begin");
            }
            prop_assert_eq!(waits, 0);
        }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Want { project: u8, key: Option<u8>, most: u32 },
        Forget(prop::sample::Index),
        End(prop::sample::Index),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => (0..3_u8, prop::option::of(0..3_u8), 1..3_u32)
                .prop_map(|(project, key, most)| Act::Want { project, key, most }),
            1 => any::<prop::sample::Index>().prop_map(Act::Forget),
            3 => any::<prop::sample::Index>().prop_map(Act::End),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        /// Whatever is wanted, forgotten and ended: no bound is exceeded, and nothing waits that could act.
        #[test]
        fn no_bound_is_exceeded_and_no_place_is_left_empty(acts in prop::collection::vec(act(), 1..120)) {
            const SLOTS: usize = 5;
            const OF_PROJECT: usize = 3;
            let mut turns = turns(SLOTS, OF_PROJECT, &[("0", 2)]);
            let mut most_of: HashMap<(u8, u8), u32> = HashMap::new();
            let mut waits: Vec<(u32, u8, Option<u8>)> = Vec::new();
            let mut at_work: Vec<(u64, u8, Option<u8>)> = Vec::new();
            for (step, act) in (0_u32..).zip(acts) {
                match act {
                    Act::Want { project, key, most } => {
                        let name = key.map(|key| key.to_string());
                        turns.want(&project.to_string(), 1, work(step, name.as_deref().map(|key| (key, most))));
                        most_of.extend(key.map(|key| ((project, key), most)));
                        waits.push((step, project, key));
                    }
                    Act::Forget(which) if !waits.is_empty() => {
                        let (step, ..) = waits.swap_remove(which.index(waits.len()));
                        turns.forget((1, step, 0));
                    }
                    Act::End(which) if !at_work.is_empty() => {
                        turns.ended(at_work.swap_remove(which.index(at_work.len())).0);
                    }
                    Act::Forget(_) | Act::End(_) => {}
                }
                while let Some(turn) = next(&mut turns) {
                    let place = waits.iter().position(|(step, ..)| *step == turn.performance.step).unwrap();
                    let (_, project, key) = waits.swap_remove(place);
                    at_work.push((turn.ticket, project, key));
                    let of_project = at_work.iter().filter(|work| work.1 == project).count();
                    prop_assert!(at_work.len() <= SLOTS && of_project <= OF_PROJECT);
                    if let Some(of_key) = key {
                        let count = at_work.iter().filter(|work| (work.1, work.2) == (project, key)).count();
                        prop_assert!(count <= most_of[&(project, of_key)] as usize);
                    }
                }
                for (_, project, key) in &waits {
                    let of_project = at_work.iter().filter(|work| work.1 == *project).count();
                    let of_key = at_work.iter().filter(|work| (work.1, work.2) == (*project, *key)).count();
                    let is_full = at_work.len() == SLOTS
                        || of_project == OF_PROJECT
                        || key.is_some_and(|key| of_key >= most_of[&(*project, key)] as usize);
                    prop_assert!(is_full, "something waits that could act");
                }
            }
        }
    }
}
