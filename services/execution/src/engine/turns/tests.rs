use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value as Json;
use tokio::sync::Semaphore;

use super::*;
use crate::domain::gate::Rate;

fn turns(slots: usize, of_project: usize, weights: &[(&str, u32)]) -> Turns {
    let weights = weights.iter().map(|(project, weight)| ((*project).to_owned(), *weight)).collect();
    let options =
        Options { max_outside: slots, max_outside_per_project: of_project, weights, ..Options::default() };
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
    // One that says that it has a step gets it, whatever the limit: it is at work.
    assert!(turns.adopt(((1, 3, 0), 7), worker, |_| true, 0).is_none(), "another attempt");
    assert!(turns.adopt(((1, 3, 0), 0), worker, |_| false, 0).is_none(), "another queue");
    let adopted = turns.adopt(((1, 3, 0), 0), worker, |name| name == "q", 0).unwrap();
    let more = turns.adopt(((1, 2, 0), 0), worker, |_| true, 0).expect("it is at work");
    turns.ended(adopted.ticket);
    assert!(turns.next(&mut None, 0).is_none() && next(&mut turns).is_none(), "two of `k` are at work still");
    turns.ended(more.ticket);
    turns.want("p", 1, task(5, "q", Some(("k", 2))));
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
