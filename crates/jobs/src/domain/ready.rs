//! Which job starts next, and where: fair between projects, urgent before others, never over a limit.
//!
//! Jobs that could start are in *lanes*: those of a lane share project, queue and limits, so that what holds one of
//! them up holds up all. A lane that could start something is *open* in its project; one that could not waits at the
//! first thing that it found full (a limit, or the workers of its queue), and nothing looks at it until there is room
//! again: work is for what starts, not for what waits.
//!
//! Between projects: stride scheduling (Waldspurger and Weihl, 1995), which is a weighted fair share with O(log n)
//! for each start; the same between the three priorities of a project, so that none starves.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{
    model::Priority,
    waiting::{Rank, Waiting},
};

/// One start of a project of weight 1.
const STRIDE: u64 = 1 << 20;
/// What a start costs in each class: the inverse of 16 : 4 : 1.
const CLASS_STRIDE: [u64; 3] = [1, 4, 16];

/// The limits that a job counts against.
pub type Limits = SmallVec<[u32; 3]>;

/// What the jobs of a lane share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaneKey {
    /// Its project ([`Ready::add_project`]).
    pub project: u32,
    /// Its queue ([`Ready::add_queue`]).
    pub queue: u32,
    /// What it counts against.
    pub limits: Limits,
}

/// A job that starts, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick<J> {
    /// Which.
    pub job: J,
    /// At which worker.
    pub worker: u32,
}

#[derive(Debug)]
struct Lane<J> {
    key: LaneKey,
    jobs: [BTreeSet<J>; 3],
    place: Place<J>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place<J> {
    /// In its project's sets, with these heads.
    Open([Option<J>; 3]),
    /// At a full limit.
    Limit(u32, Rank<J>),
    /// At the workers of its queue, none of which has a free slot.
    Workers(SmallVec<[u32; 2]>, Rank<J>),
    /// Nobody serves its queue.
    Unserved,
}

impl<J: Copy + Ord> Lane<J> {
    fn heads(&self) -> [Option<J>; 3] {
        std::array::from_fn(|class| self.jobs[class].first().copied())
    }

    fn rank(&self) -> Option<Rank<J>> {
        self.heads().into_iter().enumerate().find_map(|(class, head)| Some((class, head?)))
    }
}

#[derive(Debug)]
struct Project<J> {
    weight: u64,
    /// What it has used.
    share: u64,
    /// The same for each of its classes.
    classes: [u64; 3],
    /// How many jobs each of them has, open or waiting.
    backlog: [usize; 3],
    open: [BTreeSet<(J, u32)>; 3],
}

impl<J> Project<J> {
    fn is_open(&self) -> bool {
        self.open.iter().any(|lanes| !lanes.is_empty())
    }
}

#[derive(Debug)]
struct Capacity<J> {
    most: u32,
    used: u32,
    waiting: Waiting<J>,
    /// Whether it is in the list of those that may have room.
    freed: bool,
}

impl<J> Default for Capacity<J> {
    fn default() -> Self {
        Self { most: 0, used: 0, waiting: Waiting::default(), freed: false }
    }
}

impl<J> Capacity<J> {
    fn has_room(&self) -> bool {
        self.used < self.most
    }
}

/// Something with room for so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Limit(u32),
    Worker(u32),
}

#[derive(Debug, Default)]
struct Queue {
    workers: SmallVec<[u32; 2]>,
    lanes: BTreeSet<u32>,
}

/// The index. `J` names a job; in a lane the smallest is first.
#[derive(Debug)]
pub struct Ready<J> {
    lanes: Vec<Option<Lane<J>>>,
    free_lanes: Vec<u32>,
    by_key: HashMap<LaneKey, u32>,
    projects: Vec<Project<J>>,
    /// Projects with something open, by what they have used.
    open: BTreeSet<(u64, u32)>,
    /// What the project that started last had used: one that was idle begins here and not in the past.
    now: u64,
    queues: Vec<Queue>,
    limits: HashMap<u32, Capacity<J>>,
    workers: HashMap<u32, Capacity<J>>,
    freed: Vec<Room>,
}

impl<J> Default for Ready<J> {
    fn default() -> Self {
        Self {
            lanes: Vec::new(),
            free_lanes: Vec::new(),
            by_key: HashMap::new(),
            projects: Vec::new(),
            open: BTreeSet::new(),
            now: 0,
            queues: Vec::new(),
            limits: HashMap::new(),
            workers: HashMap::new(),
            freed: Vec::new(),
        }
    }
}

impl<J: Copy + Ord> Ready<J> {
    /// Makes a project known, with its weight, and gives its number.
    pub fn add_project(&mut self, weight: u32) -> u32 {
        let weight = u64::from(weight.max(1));
        let open = Default::default();
        self.projects.push(Project { weight, share: 0, classes: [0; 3], backlog: [0; 3], open });
        self.projects.len() as u32 - 1
    }

    /// Makes a queue known, and gives its number.
    pub fn add_queue(&mut self) -> u32 {
        self.queues.push(Queue::default());
        self.queues.len() as u32 - 1
    }

    /// Makes a limit known, or changes it.
    pub fn set_limit(&mut self, limit: u32, most: u32) {
        self.limits.entry(limit).or_default().most = most;
        self.note(Room::Limit(limit));
    }

    /// Forgets a limit that no job counts against.
    pub fn forget_limit(&mut self, limit: u32) {
        self.limits.remove(&limit);
    }

    /// A worker comes, with room for so many jobs.
    pub fn set_slots(&mut self, worker: u32, slots: u32) {
        self.workers.entry(worker).or_default().most = slots;
        self.note(Room::Worker(worker));
    }

    /// A worker serves a queue from now on.
    pub fn serve(&mut self, worker: u32, queue: u32) {
        let entry = &mut self.queues[queue as usize];
        if entry.workers.contains(&worker) {
            return;
        }
        entry.workers.push(worker);
        self.reopen_queue(queue);
    }

    /// A worker does not serve a queue any more.
    pub fn unserve(&mut self, worker: u32, queue: u32) {
        self.queues[queue as usize].workers.retain(|served| *served != worker);
        self.reopen_queue(queue);
    }

    /// A worker goes. It serves no queue, and no job counts for it any more.
    pub fn forget_worker(&mut self, worker: u32) {
        if let Some(gone) = self.workers.remove(&worker) {
            for lane in gone.waiting.all() {
                self.reopen(lane);
            }
        }
    }

    /// A job could start.
    pub fn push(&mut self, key: &LaneKey, class: Priority, job: J) {
        let lane = match self.by_key.get(key) {
            Some(lane) => *lane,
            None => self.new_lane(key.clone()),
        };
        let class = class.class();
        let project = &mut self.projects[key.project as usize];
        if project.backlog[class] == 0 {
            // A class that was idle begins with the others, and not in the past.
            let others = (0..3).filter(|other| project.backlog[*other] > 0);
            let least = others.map(|other| project.classes[other]).min().unwrap_or(0);
            project.classes[class] = project.classes[class].max(least);
        }
        project.backlog[class] += 1;
        self.lane_mut(lane).jobs[class].insert(job);
        self.renew(lane);
    }

    /// A job cannot start any more.
    pub fn remove(&mut self, key: &LaneKey, class: Priority, job: J) {
        let Some(&lane) = self.by_key.get(key) else { return };
        if self.lane_mut(lane).jobs[class.class()].remove(&job) {
            self.projects[key.project as usize].backlog[class.class()] -= 1;
        }
        self.renew(lane);
    }

    /// A job counts against its limits and its worker, without having been picked: it was executing at the start.
    pub fn occupy(&mut self, worker: u32, limits: &Limits) {
        for limit in limits {
            self.limits.entry(*limit).or_default().used += 1;
        }
        self.workers.entry(worker).or_default().used += 1;
    }

    /// Starts a job at a worker that has it already, whoever's turn it is. It counts even against a limit that is reached:
    /// nothing else starts there until there is room again.
    pub fn start_at(&mut self, worker: u32, key: &LaneKey, class: Priority, job: J) {
        self.remove(key, class, job);
        self.occupy(worker, &key.limits);
    }

    /// A job does not execute any more.
    pub fn release(&mut self, worker: u32, limits: &Limits) {
        for limit in limits {
            self.release_limit(*limit);
        }
        if let Some(capacity) = self.workers.get_mut(&worker) {
            capacity.used = capacity.used.saturating_sub(1);
        }
        self.note(Room::Worker(worker));
    }

    /// A job does not count against a limit any more, whether it executes or not.
    pub fn release_limit(&mut self, limit: u32) {
        if let Some(capacity) = self.limits.get_mut(&limit) {
            capacity.used = capacity.used.saturating_sub(1);
        }
        self.note(Room::Limit(limit));
    }

    /// Starts the next job: takes it out, and counts it.
    pub fn start_next(&mut self) -> Option<Pick<J>> {
        loop {
            self.wake();
            let &(_, project) = self.open.first()?;
            let (class, lane) = self.choose(project);
            let key = self.lane(lane).key.clone();
            if let Some(full) = key.limits.iter().copied().find(|limit| !self.limit_has_room(*limit)) {
                self.wait(lane, Some(full));
                continue;
            }
            let workers = &self.queues[key.queue as usize].workers;
            let room = |worker: &&u32| self.workers.get(*worker).filter(|slots| slots.has_room());
            let least = workers.iter().filter(|worker| room(worker).is_some());
            let Some(worker) = least.copied().min_by_key(|worker| self.workers[worker].used) else {
                self.wait(lane, None);
                continue;
            };
            let job = self.lane_mut(lane).jobs[class].pop_first().expect("an open lane's head is there");
            self.occupy(worker, &key.limits);
            self.charge(project, class);
            self.renew(lane);
            // Room that is left is for others that wait for it too.
            self.note_all(&key);
            return Some(Pick { job, worker });
        }
    }

    /// Opens what may start since there is room again: one lane for each thing that has room, which is asked again
    /// when that lane has started something or could not.
    fn wake(&mut self) {
        while let Some(room) = self.freed.pop() {
            let capacity = match room {
                Room::Limit(limit) => self.limits.get_mut(&limit),
                Room::Worker(worker) => self.workers.get_mut(&worker),
            };
            let Some(capacity) = capacity else { continue };
            capacity.freed = false;
            if !capacity.has_room() {
                continue;
            }
            let projects = &self.projects;
            if let Some(lane) = capacity.waiting.first(|project| projects[project as usize].share) {
                self.reopen(lane);
            }
        }
    }

    /// The class that is next in a project with something open, and the lane whose head is the oldest there.
    fn choose(&mut self, project: u32) -> (usize, u32) {
        let project = &self.projects[project as usize];
        let open = (0..3).filter(|class| !project.open[*class].is_empty());
        let class = open.min_by_key(|class| project.classes[*class]).expect("the project is open");
        (class, project.open[class].first().expect("the class is open").1)
    }

    /// Books a start.
    fn charge(&mut self, number: u32, class: usize) {
        let project = &mut self.projects[number as usize];
        let was = (project.share, number);
        self.now = self.now.max(project.share);
        project.share += STRIDE / project.weight;
        project.classes[class] += CLASS_STRIDE[class];
        project.backlog[class] -= 1;
        if self.open.remove(&was) {
            self.open.insert((project.share, number));
        }
    }

    /// Puts a lane where it waits: at a limit, or at its queue's workers.
    fn wait(&mut self, number: u32, limit: Option<u32>) {
        self.close(number);
        let lane = self.lane(number);
        let Some(rank) = lane.rank() else { return };
        let project = lane.key.project;
        let share = self.projects[project as usize].share;
        let key = lane.key.clone();
        let workers = self.queues[key.queue as usize].workers.clone();
        let place = if let Some(limit) = limit {
            self.limits.get_mut(&limit).expect("it is full").waiting.insert(project, share, rank, number);
            Place::Limit(limit, rank)
        } else if workers.is_empty() {
            Place::Unserved
        } else {
            for worker in &workers {
                let capacity = self.workers.get_mut(worker).expect("it serves");
                capacity.waiting.insert(project, share, rank, number);
            }
            Place::Workers(workers, rank)
        };
        self.lane_mut(number).place = place;
        // It was woken for something that it did not take.
        self.note_all(&key);
    }

    /// Puts a lane back where it could start something.
    fn reopen(&mut self, number: u32) {
        self.close(number);
        self.renew(number);
    }

    fn reopen_queue(&mut self, queue: u32) {
        for lane in self.queues[queue as usize].lanes.clone() {
            self.reopen(lane);
        }
    }

    /// Takes a lane out of wherever it is: it is open then, with no heads.
    fn close(&mut self, number: u32) {
        let lane = self.lane_mut(number);
        let project = lane.key.project;
        match std::mem::replace(&mut lane.place, Place::Open([None; 3])) {
            Place::Open(heads) => self.set_heads(project, number, heads, [None; 3]),
            Place::Limit(limit, rank) => {
                if let Some(capacity) = self.limits.get_mut(&limit) {
                    capacity.waiting.remove(project, rank, number);
                }
            }
            Place::Workers(workers, rank) => {
                for worker in workers {
                    if let Some(capacity) = self.workers.get_mut(&worker) {
                        capacity.waiting.remove(project, rank, number);
                    }
                }
            }
            Place::Unserved => {}
        }
    }

    /// After a lane's jobs have changed: what is known of its first ones elsewhere is put right, and an empty lane
    /// is removed.
    fn renew(&mut self, number: u32) {
        let lane = self.lane(number);
        let (heads, rank) = (lane.heads(), lane.rank());
        let Some(rank) = rank else {
            self.close(number);
            let lane = self.lanes[number as usize].take().expect("it was there");
            self.by_key.remove(&lane.key);
            self.queues[lane.key.queue as usize].lanes.remove(&number);
            self.free_lanes.push(number);
            return;
        };
        let project = lane.key.project;
        match &mut self.lane_mut(number).place {
            Place::Open(before) => {
                let before = std::mem::replace(before, heads);
                self.set_heads(project, number, before, heads);
            }
            Place::Limit(limit, before) => {
                let (limit, before) = (*limit, std::mem::replace(before, rank));
                if let (true, Some(capacity)) = (before != rank, self.limits.get_mut(&limit)) {
                    let share = self.projects[project as usize].share;
                    capacity.waiting.remove(project, before, number);
                    capacity.waiting.insert(project, share, rank, number);
                }
            }
            Place::Workers(workers, before) => {
                let (workers, before) = (workers.clone(), std::mem::replace(before, rank));
                let share = self.projects[project as usize].share;
                for worker in workers.iter().filter(|_| before != rank) {
                    if let Some(capacity) = self.workers.get_mut(worker) {
                        capacity.waiting.remove(project, before, number);
                        capacity.waiting.insert(project, share, rank, number);
                    }
                }
            }
            Place::Unserved => {}
        }
    }

    fn set_heads(&mut self, number: u32, lane: u32, before: [Option<J>; 3], after: [Option<J>; 3]) {
        let project = &mut self.projects[number as usize];
        let was_open = project.is_open();
        for (class, (before, after)) in before.into_iter().zip(after).enumerate() {
            if before == after {
                continue;
            }
            if let Some(before) = before {
                project.open[class].remove(&(before, lane));
            }
            if let Some(after) = after {
                project.open[class].insert((after, lane));
            }
        }
        match (was_open, project.is_open()) {
            (false, true) => {
                project.share = project.share.max(self.now);
                self.open.insert((project.share, number));
            }
            (true, false) => {
                self.open.remove(&(project.share, number));
            }
            _ => {}
        }
    }

    fn note_all(&mut self, key: &LaneKey) {
        for limit in &key.limits {
            self.note(Room::Limit(*limit));
        }
        for index in 0..self.queues[key.queue as usize].workers.len() {
            self.note(Room::Worker(self.queues[key.queue as usize].workers[index]));
        }
    }

    /// Remembers that there may be room for who waits.
    fn note(&mut self, room: Room) {
        let capacity = match room {
            Room::Limit(limit) => self.limits.get_mut(&limit),
            Room::Worker(worker) => self.workers.get_mut(&worker),
        };
        if let Some(capacity) = capacity
            && !capacity.freed
            && capacity.has_room()
            && !capacity.waiting.is_empty()
        {
            capacity.freed = true;
            self.freed.push(room);
        }
    }

    fn new_lane(&mut self, key: LaneKey) -> u32 {
        let lane = Lane { key: key.clone(), jobs: Default::default(), place: Place::Open([None; 3]) };
        let number = if let Some(free) = self.free_lanes.pop() {
            self.lanes[free as usize] = Some(lane);
            free
        } else {
            self.lanes.push(Some(lane));
            self.lanes.len() as u32 - 1
        };
        self.queues[key.queue as usize].lanes.insert(number);
        self.by_key.insert(key, number);
        number
    }

    fn limit_has_room(&self, limit: u32) -> bool {
        self.limits.get(&limit).is_none_or(Capacity::has_room)
    }

    fn lane(&self, number: u32) -> &Lane<J> {
        self.lanes[number as usize].as_ref().expect("a lane that is referred to is there")
    }

    fn lane_mut(&mut self, number: u32) -> &mut Lane<J> {
        self.lanes[number as usize].as_mut().expect("a lane that is referred to is there")
    }
}
