//! Whose turn it is to act outside: projects share by weight, first in first out inside a project, and no limit is
//! exceeded.
//!
//! Limits are counted here and nowhere else: a step acts outside only in the process that owns its shard, so what is at
//! work is known exactly. A turn ends when the work has: not when it is told to stop, or nobody wants its result any more.

use std::collections::{BTreeMap, HashMap};

use smallvec::smallvec;
use weft_jobs::{LaneKey, Limits, Priority, Ready};

use crate::{
    Options,
    domain::{limit::Counted, run::Performance},
};

/// The one worker: this process.
const HERE: u32 = 0;

/// A step: its execution, number and generation.
pub(super) type StepKey = (i64, u32, u32);

/// A step whose turn has come.
pub(super) struct Turn {
    /// To be given back when the work has ended.
    pub(super) ticket: u64,
    pub(super) execution: i64,
    pub(super) performance: Performance,
}

struct Waiting {
    step: StepKey,
    performance: Performance,
    lane: LaneKey,
}

struct Project {
    number: u32,
    limit: u32,
}

/// A limit with a key, as long as somebody counts against it.
struct Keyed {
    number: u32,
    users: usize,
}

pub(super) struct Turns {
    ready: Ready<u64>,
    queue: u32,
    weights: BTreeMap<String, u32>,
    most_of_project: u32,
    projects: HashMap<String, Project>,
    keyed: HashMap<(u32, String), Keyed>,
    names: HashMap<u32, (u32, String)>,
    waiting: HashMap<u64, Waiting>,
    tickets: HashMap<StepKey, u64>,
    at_work: HashMap<u64, LaneKey>,
    free_limits: Vec<u32>,
    limits: u32,
    next: u64,
}

impl Turns {
    /// Of the owner of an epoch: its tickets are nobody else's.
    pub(super) fn new(options: &Options, epoch: i64) -> Self {
        let mut ready = Ready::default();
        let queue = ready.add_queue();
        ready.set_slots(HERE, u32::try_from(options.max_outside).unwrap_or(u32::MAX));
        ready.serve(HERE, queue);
        Self {
            ready,
            queue,
            weights: options.weights.clone(),
            most_of_project: u32::try_from(options.max_outside_per_project).unwrap_or(u32::MAX),
            projects: HashMap::new(),
            keyed: HashMap::new(),
            names: HashMap::new(),
            waiting: HashMap::new(),
            tickets: HashMap::new(),
            at_work: HashMap::new(),
            free_limits: Vec::new(),
            limits: 0,
            next: epoch.cast_unsigned() << 40,
        }
    }

    /// A step wants to act.
    pub(super) fn want(&mut self, project: &str, execution: i64, performance: Performance) {
        let Project { number, limit } = *self.project(project);
        let mut limits: Limits = smallvec![limit];
        limits.extend(performance.limit.as_ref().map(|counted| self.keyed(number, counted)));
        let lane = LaneKey { project: number, queue: self.queue, limits };
        let step = (execution, performance.step, performance.generation);
        self.next += 1;
        self.ready.push(&lane, Priority::Normal, self.next);
        self.tickets.insert(step, self.next);
        self.waiting.insert(self.next, Waiting { step, performance, lane });
    }

    /// A step that waits for its turn does not want to act any more. One that acts already goes on.
    pub(super) fn forget(&mut self, step: StepKey) {
        let Some(ticket) = self.tickets.remove(&step) else { return };
        let Some(Waiting { lane, .. }) = self.waiting.remove(&ticket) else { return };
        self.ready.remove(&lane, Priority::Normal, ticket);
        self.leave(&lane);
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self) -> Option<Turn> {
        let ticket = self.ready.start_next()?.job;
        let Waiting { step, performance, lane } = self.waiting.remove(&ticket).expect("what is ready waits");
        self.tickets.remove(&step);
        self.at_work.insert(ticket, lane);
        Some(Turn { ticket, execution: step.0, performance })
    }

    /// The work of a turn has ended. Turns of owners before are nothing to this one.
    pub(super) fn ended(&mut self, ticket: u64) {
        let Some(lane) = self.at_work.remove(&ticket) else { return };
        self.ready.release(HERE, &lane.limits);
        self.leave(&lane);
    }

    /// Whether nothing acts.
    pub(super) fn is_idle(&self) -> bool {
        self.at_work.is_empty()
    }

    fn project(&mut self, name: &str) -> &Project {
        if !self.projects.contains_key(name) {
            let weight = self.weights.get(name).copied().unwrap_or(1);
            let (number, limit) = (self.ready.add_project(weight), self.limit());
            self.ready.set_limit(limit, self.most_of_project);
            self.projects.insert(name.to_owned(), Project { number, limit });
        }
        &self.projects[name]
    }

    fn keyed(&mut self, project: u32, counted: &Counted) -> u32 {
        let name = (project, counted.name.clone());
        let number = if let Some(keyed) = self.keyed.get_mut(&name) {
            keyed.users += 1;
            keyed.number
        } else {
            let number = self.limit();
            self.names.insert(number, name.clone());
            self.keyed.insert(name, Keyed { number, users: 1 });
            number
        };
        self.ready.set_limit(number, counted.most);
        number
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
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

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

    fn work(step: u32, limit: Option<(&str, u32)>) -> Performance {
        Performance {
            step,
            failures: 0,
            generation: 0,
            kind: crate::kinds::find("http").unwrap(),
            request: Arc::new(Json::Null),
            timeout: None,
            limit: limit.map(|(name, most)| Counted { name: name.to_owned(), most }),
        }
    }

    #[test]
    fn a_flood_holds_up_nobody_else() {
        let mut turns = turns(10, 8, &[("heavy", 3)]);
        for step in 0..10_000 {
            turns.want("flood", 1, work(step, None));
        }
        let begun: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(begun.len(), 8, "places are left for others");
        turns.want("other", 2, work(0, None));
        assert_eq!(turns.next().map(|turn| turn.execution), Some(2));
        // Of three that want all they can get, one has three times the weight.
        for step in 0..1_000 {
            turns.want("other", 2, work(step + 1, None));
            turns.want("heavy", 3, work(step, None));
        }
        let mut at_work: std::collections::VecDeque<_> = begun.into_iter().map(|turn| turn.ticket).collect();
        let mut counts = BTreeMap::<i64, u32>::new();
        for _ in 0..1_000 {
            turns.ended(at_work.pop_front().unwrap());
            while let Some(turn) = turns.next() {
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
        let first = turns.next().unwrap();
        assert!(turns.next().is_none());
        turns.forget((1, 0, 0));
        turns.forget((1, 1, 0));
        assert!(turns.next().is_none(), "the one that acts has not ended");
        turns.ended(first.ticket);
        let last = turns.next().unwrap();
        assert_eq!(last.performance.step, 2);
        turns.ended(last.ticket);
        turns.ended(last.ticket);
        assert!(turns.is_idle() && turns.keyed.is_empty() && turns.names.is_empty());
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
                while let Some(turn) = turns.next() {
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
