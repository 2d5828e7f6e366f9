//! Random lives of the gate: arrivals, ends, pauses, changes of limits and deaths, and after each step: is any limit
//! exceeded, is any run forgotten, does any wait that could start?

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
enum Act {
    /// Of a graph and a customer.
    Arrive {
        graph: u8,
        customer: u8,
        rank: i32,
    },
    End(prop::sample::Index),
    /// One ends and is retried before anybody says that it has ended.
    Again(prop::sample::Index),
    Pause(prop::sample::Index),
    Resume(prop::sample::Index),
    Pass {
        seconds: i64,
    },
    Set {
        limit: u8,
        most: Option<usize>,
        rate: Option<(i64, u32)>,
        overflow: Overflow,
    },
    Remove(u8),
    Die,
}

fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![4 => Just(Overflow::Wait), 1 => Just(Overflow::Skip), 1 => Just(Overflow::Replace)]
}

fn act() -> impl Strategy<Value = Act> {
    let which = any::<prop::sample::Index>;
    prop_oneof![
        8 => (0..2_u8, 0..3_u8, 0..3).prop_map(|(graph, customer, rank)| Act::Arrive { graph, customer, rank }),
        5 => which().prop_map(Act::End),
        2 => which().prop_map(Act::Again),
        1 => which().prop_map(Act::Pause),
        1 => which().prop_map(Act::Resume),
        3 => (1..30_i64).prop_map(|seconds| Act::Pass { seconds }),
        3 => (0..3_u8, prop::option::of(1..4_usize), prop::option::of((1..20_i64, 1..4_u32)), overflow())
            .prop_map(|(limit, most, rate, overflow)| Act::Set { limit, most, rate, overflow }),
        1 => (0..3_u8).prop_map(Act::Remove),
        2 => Just(Act::Die),
    ]
}

fn uid(limit: u8) -> Uuid {
    Uuid::from_u128(u128::from(limit) + 1)
}

/// The first limit is of everything, the second of one graph, the third of each customer.
fn place(limit: u8, (graph, customer): (u8, u8)) -> Option<Place> {
    match limit {
        0 => Some(Arc::new((uid(0), String::new()))),
        1 => (graph == 1).then(|| Arc::new((uid(1), String::new()))),
        _ => Some(Arc::new((uid(2), customer.to_string()))),
    }
}

#[derive(Clone, Debug)]
struct Told {
    who: (u8, u8),
    order: (i32, i64),
    standing: Standing,
}

/// What is known beside the gate: the truth that it is asked about, and what a disk would have.
#[derive(Default)]
struct World {
    gate: Gate,
    now: i64,
    next: i64,
    runs: BTreeMap<i64, Told>,
    limits: HashMap<u8, Terms>,
    /// Starts since a limit had these terms.
    starts: HashMap<Place, Vec<i64>>,
    turns: HashMap<i64, Turn>,
    rates: HashMap<Place, i64>,
}

impl World {
    fn places(&self, who: (u8, u8)) -> Vec<Place> {
        let limits: BTreeSet<u8> = self.limits.keys().copied().collect();
        limits.into_iter().filter_map(|limit| place(limit, who)).collect()
    }

    fn running(&self, place: &Place) -> usize {
        let counts = |told: &&Told| told.standing == Standing::Runs && self.places(told.who).contains(place);
        self.runs.values().filter(counts).count()
    }

    /// A run has started: was it allowed to?
    fn started(&mut self, run: i64) -> Result<(), TestCaseError> {
        let who = self.runs[&run].who;
        for place in self.places(who) {
            let limit = u8::try_from(place.0.as_u128() - 1).unwrap();
            let terms = self.limits[&limit];
            if let Some(most) = terms.most {
                prop_assert!(self.running(&place) < most, "{place:?} is exceeded by {run}");
            }
            let starts = self.starts.entry(place).or_default();
            starts.push(self.now);
            if let Some(rate) = terms.rate {
                for (number, first) in starts.iter().enumerate() {
                    let count = (starts.len() - number) as i64;
                    let most = i64::from(rate.burst) + (self.now - first) / rate.pause;
                    prop_assert!(count <= most, "{count} starts where {most} may");
                }
            }
        }
        self.runs.get_mut(&run).unwrap().standing = Standing::Runs;
        Ok(())
    }

    /// What is on the disk is what was taken away.
    fn flush(&mut self) {
        for (run, turn) in self.gate.take_turns() {
            match turn {
                Some(turn) => drop(self.turns.insert(run, turn)),
                None => drop(self.turns.remove(&run)),
            }
        }
        self.rates.extend(self.gate.take_rates());
    }

    fn die(&mut self) -> Result<(), TestCaseError> {
        let before = std::mem::take(&mut self.gate);
        for (limit, terms) in &self.limits {
            self.gate.set_project(uid(*limit), "p");
            self.gate.set_limit(uid(*limit), *terms, self.now);
        }
        for (place, until) in &self.rates {
            self.gate.set_rate(place, *until);
        }
        for (run, turn) in &self.turns {
            self.gate.restore(*run, turn);
        }
        prop_assert_eq!(
            &self.gate.evicted,
            &before.evicted,
            "who is to be cancelled is kept, and none is made up"
        );
        Ok(())
    }

    fn end(&mut self, run: i64) {
        self.gate.leave(run);
        self.runs.remove(&run);
    }

    fn pick(&self, which: prop::sample::Index, is: impl Fn(&Told) -> bool) -> Option<i64> {
        let some: Vec<i64> = self.runs.iter().filter(|(_, told)| is(told)).map(|(run, _)| *run).collect();
        (!some.is_empty()).then(|| some[which.index(some.len())])
    }

    fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        match act {
            Act::Arrive { graph, customer, rank } => {
                self.next += 1;
                self.arrive(self.next, (graph, customer), rank)?;
            }
            Act::Again(which) => {
                if let Some(run) = self.pick(which, |_| true) {
                    let told = self.runs[&run].clone();
                    self.arrive(run, told.who, told.order.0)?;
                }
            }
            Act::End(which) => {
                if let Some(run) = self.pick(which, |_| true) {
                    self.end(run);
                }
            }
            Act::Pause(which) => {
                if let Some(run) = self.pick(which, |told| told.standing == Standing::Waits) {
                    self.gate.set_aside(run, true);
                    self.runs.get_mut(&run).unwrap().standing = Standing::Aside;
                }
            }
            Act::Resume(which) => {
                if let Some(run) = self.pick(which, |told| told.standing == Standing::Aside) {
                    self.gate.set_aside(run, false);
                    self.runs.get_mut(&run).unwrap().standing = Standing::Waits;
                }
            }
            Act::Pass { seconds } => self.now += seconds * SECOND,
            Act::Set { most: None, rate: None, .. } => {}
            Act::Set { limit, most, rate, overflow } => {
                let rate = rate.map(|(pause, burst)| Rate { pause: pause * SECOND, burst });
                let terms = Terms { most, rate, overflow };
                let is_new = self.limits.insert(limit, terms).is_none();
                self.gate.set_project(uid(limit), "p");
                self.gate.set_limit(uid(limit), terms, self.now);
                self.starts.retain(|place, _| place.0 != uid(limit));
                let all: Vec<_> =
                    self.runs.iter().map(|(run, told)| (*run, told.who, told.order.1)).collect();
                for (run, who, at) in all {
                    if let Some(place) = place(limit, who).filter(|_| is_new) {
                        self.gate.count(run, place, at);
                    }
                }
            }
            Act::Remove(limit) => {
                self.limits.remove(&limit);
                self.gate.remove_limit(uid(limit));
                self.starts.retain(|place, _| place.0 != uid(limit));
                self.rates.retain(|place, _| place.0 != uid(limit));
            }
            Act::Die => {
                self.flush();
                self.die()?;
            }
        }
        Ok(())
    }

    fn arrive(&mut self, run: i64, who: (u8, u8), rank: i32) -> Result<(), TestCaseError> {
        let order = (rank, self.now);
        let told = Told { who, order, standing: Standing::Waits };
        let places = self.places(who);
        if places.is_empty() {
            self.gate.leave(run);
            self.runs.insert(run, Told { standing: Standing::Runs, ..told });
            return Ok(());
        }
        self.runs.insert(run, told);
        let (before, most) = (self.gate.evicted.clone(), places.len());
        match self.gate.arrive(run, places, order, self.now) {
            Arrival::Starts => self.started(run)?,
            Arrival::Waits => {
                prop_assert!(!self.gate.evicted.contains(&run), "the newcomer is spared");
                let more = self.gate.evicted.difference(&before).count();
                prop_assert!(more <= most, "{more} are cancelled for one");
            }
            Arrival::Skipped(limit) => {
                let limit = u8::try_from(limit.as_u128() - 1).unwrap();
                prop_assert_eq!(self.limits[&limit].overflow, Overflow::Skip);
                self.runs.remove(&run);
            }
        }
        Ok(())
    }

    /// What the engine does between two messages.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        while let Some((run, limit)) = self.gate.next_evicted() {
            prop_assert!(self.limits.keys().any(|known| uid(*known) == limit), "of a limit that is none");
            self.end(run);
        }
        while let Some(run) = self.gate.next(self.now) {
            prop_assert_eq!(self.runs.get(&run).map(|told| told.standing), Some(Standing::Waits));
            self.started(run)?;
        }
        prop_assert!(!self.gate.is_open(), "there is nothing left to look at");
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (run, told) in &self.runs {
            match told.standing {
                Standing::Waits => {
                    let places = self.places(told.who);
                    let blocked = places.iter().any(|place| self.gate.block(place, self.now).is_some());
                    prop_assert!(blocked, "{run} waits and could start");
                    prop_assert_eq!(self.gate.standing(*run), Some(Standing::Waits), "{} is forgotten", run);
                    let why = self.gate.why(*run, self.now).unwrap();
                    prop_assert!(why.position >= 1);
                    let by_rate =
                        why.at.is_none_or(|at| self.gate.next_timer().is_some_and(|timer| timer <= at));
                    prop_assert!(by_rate, "nothing wakes {run}");
                }
                Standing::Aside => prop_assert_eq!(self.gate.standing(*run), Some(Standing::Aside)),
                Standing::Runs => {
                    prop_assert!(self.gate.standing(*run).is_none_or(|standing| standing == Standing::Runs));
                }
            }
        }
        let waits = self.runs.values().filter(|told| told.standing == Standing::Waits).count();
        prop_assert_eq!(self.gate.lanes.values().map(|lane| lane.waits.len()).sum::<usize>(), waits);
        let is_queued = |told: &&Told| {
            let is_aside = told.standing == Standing::Aside && !self.places(told.who).is_empty();
            told.standing == Standing::Waits || is_aside
        };
        prop_assert_eq!(self.gate.queued("p"), self.runs.values().filter(is_queued).count());
        prop_assert!(self.gate.timers.len() <= self.gate.buckets.len(), "a place has more than one timer");
        for limit in self.limits.keys() {
            let (runs, waits) = self.gate.counts(uid(*limit));
            let of = |standing: Standing| {
                let counts = |told: &&Told| told.standing == standing && place(*limit, told.who).is_some();
                self.runs.values().filter(counts).count()
            };
            prop_assert_eq!((runs, waits), (of(Standing::Runs), of(Standing::Waits)));
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn no_limit_is_exceeded_and_no_run_is_forgotten(
        acts in prop::collection::vec((act(), prop::bool::weighted(0.8)), 1..120),
    ) {
        let mut world = World { now: SECOND, ..World::default() };
        for (act, is_last) in acts {
            world.act(act)?;
            // Several messages share a round.
            if !is_last {
                continue;
            }
            world.settle()?;
            world.check()?;
        }
        // Once nothing limits any more, whatever waited starts.
        for limit in 0..3 {
            world.act(Act::Remove(limit))?;
        }
        world.settle()?;
        prop_assert!(world.runs.values().all(|told| told.standing != Standing::Waits));
        for run in world.runs.keys().copied().collect::<Vec<_>>() {
            world.end(run);
        }
        world.settle()?;
        world.now += 1_000_000 * SECOND;
        world.settle()?;
        world.flush();
        prop_assert!(world.turns.is_empty() && world.gate.runs.is_empty() && world.gate.lanes.is_empty());
        prop_assert!(world.gate.buckets.is_empty(), "nothing is left in memory: {:?}", world.gate.buckets);
    }
}

fn gate(most: usize, overflow: Overflow) -> Gate {
    let mut gate = Gate::default();
    gate.set_limit(uid(0), Terms { most: Some(most), rate: None, overflow }, 0);
    gate
}

fn all() -> Vec<Place> {
    vec![place(0, (0, 0)).unwrap()]
}

#[test]
fn higher_priorities_start_first_and_the_oldest_of_one() {
    let mut gate = gate(1, Overflow::Wait);
    assert_eq!(gate.arrive(1, all(), (1, 1), 1), Arrival::Starts);
    for (run, rank) in [(2, 2), (3, 1), (4, 0), (5, 1)] {
        assert_eq!(gate.arrive(run, all(), (rank, run), run), Arrival::Waits);
    }
    assert_eq!(gate.why(5, 9).unwrap().position, 3);
    let mut order = Vec::new();
    for run in [1, 4, 3, 5, 2] {
        assert_eq!(gate.next(9), None);
        gate.leave(run);
        order.extend(gate.next(9));
    }
    assert_eq!(order, [4, 3, 5, 2]);
}

#[test]
fn a_place_is_kept_in_a_pause_and_not_while_waiting() {
    let mut gate = gate(1, Overflow::Wait);
    gate.arrive(1, all(), (1, 1), 1);
    gate.arrive(2, all(), (1, 2), 2);
    gate.arrive(3, all(), (1, 3), 3);
    gate.set_aside(1, true);
    assert_eq!(gate.next(4), None, "what has started keeps its place");
    gate.set_aside(2, true);
    gate.leave(1);
    assert_eq!(gate.next(5), Some(3), "what is paused in the queue is passed over");
    gate.set_aside(2, false);
    assert_eq!(gate.next(6), None);
    gate.leave(3);
    assert_eq!(gate.next(7), Some(2));
}

#[test]
fn the_oldest_makes_room_and_the_newest_stays() {
    let mut gate = gate(2, Overflow::Replace);
    gate.arrive(1, all(), (1, 1), 1);
    gate.arrive(2, all(), (1, 2), 2);
    assert_eq!(gate.arrive(3, all(), (1, 3), 3), Arrival::Waits);
    assert_eq!((gate.next_evicted(), gate.next_evicted()), (Some((1, uid(0))), None));
    assert_eq!(gate.arrive(4, all(), (1, 4), 4), Arrival::Waits);
    assert_eq!((gate.next_evicted(), gate.next_evicted()), (Some((2, uid(0))), None));
    assert_eq!(gate.next(5), None, "nobody starts before the place is free");
    gate.leave(1);
    gate.leave(2);
    assert_eq!((gate.next(6), gate.next(6), gate.next(6)), (Some(3), Some(4), None));
}

#[test]
fn a_changed_limit_cancels_one_for_each_that_comes_and_a_start_of_the_process_nobody() {
    let mut gate = gate(3, Overflow::Wait);
    for run in 1..=9 {
        gate.arrive(run, all(), (1, run), run);
    }
    let terms = Terms { most: Some(1), rate: None, overflow: Overflow::Replace };
    gate.set_limit(uid(0), terms, 10);
    let mut again = Gate::default();
    again.set_limit(uid(0), terms, 10);
    for (run, turn) in gate.take_turns() {
        again.restore(run, &turn.unwrap());
    }
    assert_eq!(again.next_evicted(), None);
    again.arrive(10, all(), (1, 10), 10);
    // What was to be cancelled is, also when the process died before.
    let mut last = Gate::default();
    last.set_limit(uid(0), terms, 10);
    let turns: HashMap<i64, Turn> = again.runs.iter().map(|(run, known)| (*run, turn(known))).collect();
    for (run, turn) in &turns {
        last.restore(*run, turn);
    }
    assert_eq!((last.next_evicted(), last.next_evicted()), (Some((1, uid(0))), None));
    // Of a limit that is none any more nothing is left over.
    last.arrive(11, all(), (1, 11), 11);
    last.remove_limit(uid(0));
    assert!(!last.has_evicted());
}

#[test]
fn one_that_comes_back_counts_once() {
    let mut gate = gate(1, Overflow::Wait);
    assert_eq!(gate.arrive(1, all(), (1, 1), 1), Arrival::Starts);
    assert_eq!(gate.arrive(1, all(), (1, 2), 2), Arrival::Starts);
    assert_eq!(gate.counts(uid(0)), (1, 0));
    gate.leave(1);
    assert_eq!(gate.arrive(2, all(), (1, 3), 3), Arrival::Starts);
    // What has not started after all waits like before.
    gate.take_back(2, false);
    assert_eq!((gate.counts(uid(0)), gate.next(4)), ((0, 1), Some(2)));
}

#[test]
fn a_rate_lets_one_start_after_the_other_and_a_change_counts_at_once() {
    let mut gate = Gate::default();
    let terms =
        |pause, burst| Terms { most: None, rate: Some(Rate { pause, burst }), overflow: Overflow::Wait };
    gate.set_limit(uid(0), terms(10, 2), 0);
    for run in 1..=4 {
        gate.arrive(run, all(), (1, run), 100);
    }
    assert_eq!(gate.why(3, 100).unwrap().at, Some(110));
    assert_eq!((gate.next(109), gate.next_timer()), (None, Some(110)));
    assert_eq!((gate.next(110), gate.next(110)), (Some(3), None));
    gate.set_limit(uid(0), terms(2, 1), 111);
    assert_eq!(gate.next(111), None);
    assert_eq!(gate.next_timer(), Some(113));
    assert_eq!(gate.next(113), Some(4));
}
