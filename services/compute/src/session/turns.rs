//! Who makes a step next, where more layouts move than may at once.
//!
//! Layouts that somebody drags come before those that somebody watches, and those before layouts that nobody sees: 16 : 4 : 1
//! where all of them want steps all the time, so that nothing waits for ever. Within a class projects share alike, however
//! many layouts each of them has, and the layouts of a project take turns. A turn counts as much as the layout's last steps took: a
//! project with large graphs gets fewer steps, not more of the cores. Both are stride scheduling (Waldspurger and
//! Weihl, 1995).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::oneshot;

/// How much a layout matters to people at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Somebody holds a node, or has just done something to it.
    Moved,
    /// Somebody looks.
    Watched,
    /// Nobody looks.
    Unseen,
}

const CLASSES: usize = 3;
const WEIGHTS: [u64; CLASSES] = [16, 4, 1];
/// What a turn of a weight of 1 and of one microsecond costs.
const UNIT: u64 = 16;

/// The right to make steps, for so many at once.
#[derive(Debug)]
pub(super) struct Turns(Mutex<Waiting<oneshot::Sender<Turn>>>);

/// The right to make one step; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Option<Arc<Turns>>);

impl Turns {
    pub(super) fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Waiting::new(at_once))))
    }

    /// Waits for a turn. `cost` is what the last steps of the layout took.
    pub(super) async fn take(self: &Arc<Self>, class: Class, project: &str, cost: Duration) -> Turn {
        let (send, turn) = oneshot::channel();
        self.lock().push(class, project, micros(cost), send);
        self.hand_out();
        turn.await.expect("whoever waits is given a turn")
    }

    fn hand_out(self: &Arc<Self>) {
        loop {
            let Some(next) = self.lock().next(|waiter| !waiter.is_closed()) else { return };
            // Who waited may have gone this moment.
            if let Err(mut unused) = next.send(Turn(Some(Arc::clone(self)))) {
                unused.0.take();
                self.lock().free += 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<oneshot::Sender<Turn>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.lock().free += 1;
            turns.hand_out();
        }
    }
}

fn micros(cost: Duration) -> u64 {
    u64::try_from(cost.as_micros()).unwrap_or(u64::MAX).clamp(1, 10_000_000)
}

/// Those who wait, and how far each class and project has come. Knows no time.
#[derive(Debug)]
struct Waiting<T> {
    free: usize,
    classes: [Line<T>; CLASSES],
    /// How far the class has come that was served last.
    now: u64,
}

/// Those of one class that wait.
#[derive(Debug)]
struct Line<T> {
    projects: HashMap<String, Queue<T>>,
    /// How many wait.
    length: usize,
    /// How far the class has come.
    pass: u64,
    /// How far the project has come that was served last: who comes begins there, and does not make up for having been away.
    now: u64,
}

/// Those of one project that wait, and how far it has come. Kept without any until the others have come as far.
#[derive(Debug)]
struct Queue<T> {
    pass: u64,
    waiting: VecDeque<(u64, T)>,
}

impl<T> Waiting<T> {
    fn new(free: usize) -> Self {
        let line = || Line { projects: HashMap::new(), length: 0, pass: 0, now: 0 };
        Self { free, classes: [line(), line(), line()], now: 0 }
    }

    fn push(&mut self, class: Class, project: &str, cost: u64, waiter: T) {
        let line = &mut self.classes[class as usize];
        if line.length == 0 {
            line.pass = line.pass.max(self.now);
        }
        line.length += 1;
        if !line.projects.contains_key(project) {
            line.projects.insert(project.to_owned(), Queue { pass: line.now, waiting: VecDeque::new() });
        }
        let queue = line.projects.get_mut(project).expect("it was put there");
        if queue.waiting.is_empty() {
            queue.pass = queue.pass.max(line.now);
        }
        queue.waiting.push_back((cost, waiter));
    }

    /// Who is next, if there is room for one. Who is not there any more pays for nothing.
    fn next(&mut self, is_there: impl Fn(&T) -> bool) -> Option<T> {
        if self.free == 0 {
            return None;
        }
        for line in &mut self.classes {
            for queue in line.projects.values_mut() {
                let before = queue.waiting.len();
                queue.waiting.retain(|(_, waiter)| is_there(waiter));
                line.length -= before - queue.waiting.len();
            }
        }
        let classes = (0..CLASSES).filter(|at| self.classes[*at].length > 0);
        let at = classes.min_by_key(|at| self.classes[*at].pass)?;
        let line = &mut self.classes[at];
        let queues = line.projects.iter_mut().filter(|(_, queue)| !queue.waiting.is_empty());
        let (_, queue) =
            queues.min_by(|(a, a_queue), (b, b_queue)| (a_queue.pass, a).cmp(&(b_queue.pass, b)))?;
        let (cost, waiter) = queue.waiting.pop_front()?;
        line.now = queue.pass;
        queue.pass = queue.pass.saturating_add(cost);
        line.length -= 1;
        let now = line.now;
        line.projects.retain(|_, queue| !queue.waiting.is_empty() || queue.pass > now);
        self.now = line.pass;
        line.pass = line.pass.saturating_add(cost.saturating_mul(UNIT) / WEIGHTS[at]);
        self.free -= 1;
        Some(waiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves so many turns to layouts that all want the next one at once, and says how many each got.
    fn served(layouts: &[(Class, &str, u64)], at_once: usize, turns: usize) -> Vec<usize> {
        let mut waiting = Waiting::new(at_once);
        for (number, (class, project, cost)) in layouts.iter().enumerate() {
            waiting.push(*class, project, *cost, number);
        }
        let (mut counts, mut running) = (vec![0; layouts.len()], VecDeque::new());
        for _ in 0..turns {
            while let Some(next) = waiting.next(|_| true) {
                running.push_back(next);
            }
            let done = running.pop_front().expect("there is somebody");
            counts[done] += 1;
            waiting.free += 1;
            let (class, project, cost) = layouts[done];
            waiting.push(class, project, cost, done);
        }
        counts
    }

    #[test]
    fn a_project_with_many_layouts_takes_no_steps_from_another() {
        use Class::Watched;
        let mut layouts = vec![(Watched, "many", 1); 50];
        layouts.push((Watched, "one", 1));
        let counts = served(&layouts, 1, 10_000);
        assert!((4_900..=5_100).contains(&counts[50]), "the only layout of its project: {}", counts[50]);
        for count in &counts[..50] {
            assert!((95..=105).contains(count), "those of the other share the rest: {counts:?}");
        }
        // Two at once: the one layout cannot make two steps at once, and makes every step that it can.
        let counts = served(&layouts, 2, 10_000);
        assert!(counts[50] >= 4_900, "{}", counts[50]);
    }

    #[test]
    fn who_is_moved_or_watched_comes_first_and_nobody_starves() {
        use Class::{Moved, Unseen, Watched};
        let layouts = [(Unseen, "p", 1), (Watched, "p", 1), (Moved, "q", 1)];
        let counts = served(&layouts, 1, 2_100);
        for (count, share) in counts.iter().zip([100, 400, 1_600]) {
            assert!(count.abs_diff(share) <= 25, "{counts:?}");
        }
        // What nobody sees has everything where nobody looks.
        assert_eq!(served(&layouts[..1], 1, 100), [100]);
    }

    #[test]
    fn a_turn_counts_as_much_as_it_takes() {
        use Class::Watched;
        let counts = served(&[(Watched, "large", 900), (Watched, "small", 100)], 1, 10_000);
        assert!((8_900..=9_100).contains(&counts[1]), "as much time, nine times as many steps: {counts:?}");
    }

    #[test]
    fn who_was_away_makes_up_for_nothing() {
        let mut waiting = Waiting::new(usize::MAX);
        for turn in 0..1_000 {
            waiting.push(Class::Watched, "always", 1, turn);
            assert_eq!(waiting.next(|_| true), Some(turn));
        }
        for number in 0..100 {
            waiting.push(Class::Watched, "back", 1, 1_000 + number);
            waiting.push(Class::Watched, "always", 1, number);
        }
        let first: Vec<_> = std::iter::from_fn(|| waiting.next(|_| true)).take(20).collect();
        let back = first.iter().filter(|number| **number >= 1_000).count();
        assert!((9..=11).contains(&back), "{first:?}");
    }

    #[tokio::test]
    async fn a_turn_is_given_back_by_whoever_leaves() {
        let turns = Turns::new(1);
        let first = turns.take(Class::Watched, "p", Duration::ZERO).await;
        let mut second = Box::pin(turns.take(Class::Watched, "p", Duration::ZERO));
        let mut third = Box::pin(turns.take(Class::Watched, "p", Duration::ZERO));
        assert!(futures::poll!(&mut second).is_pending() && futures::poll!(&mut third).is_pending());
        drop(second);
        drop(first);
        let third = third.await;
        let fourth = turns.take(Class::Unseen, "q", Duration::ZERO);
        drop(third);
        fourth.await;
    }
}
