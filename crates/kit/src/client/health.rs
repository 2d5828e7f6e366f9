//! Which addresses are left alone for a while: because no connection to them holds, or because what answers
//! there says UNAVAILABLE, or nothing at all, again and again while others do not.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// After so many failures in a row an address is left alone for a while.
const FAILURES_TO_EJECT: u32 = 3;
/// For how long, as a rule.
const EJECTION: Duration = Duration::from_secs(5);
/// Behind a circuit breaker: for how long at first; it doubles each time that the way turns out to be closed
/// still.
pub(super) const FIRST_EJECTION: Duration = Duration::from_millis(500);
/// And at most.
const LONGEST_EJECTION: Duration = Duration::from_secs(8);

/// After so many answers in a row that say UNAVAILABLE an address is left alone, if others are there.
const REFUSALS_TO_EJECT: u32 = 5;
/// How long answers are counted together.
const WINDOW: Duration = Duration::from_secs(10);
/// Of fewer answers in that time nothing is concluded,
const ENOUGH_ANSWERS: u32 = 20;
/// nor of fewer refusals among them than one in so many,
const FEW: u32 = 5;
/// nor where the others refuse more than one in so many of what it refuses.
const FAR_ABOVE: f64 = 4.0;

/// What happens while no connection of a service works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Calls are tried anyway: right within a mesh, whose processes come back within a moment.
    Absent,
    /// Calls are refused at once with UNAVAILABLE and the time to try again; then the next one finds out.
    Breaks,
}

/// The addresses of one service, which are judged beside each other.
#[derive(Default)]
pub(super) struct Siblings(RwLock<Vec<Arc<Health>>>);

impl Siblings {
    pub(super) fn set(&self, all: Vec<Arc<Health>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// Whether one more may be left alone because of its answers: never more than half of all, since what most
    /// say is no fault of theirs.
    fn can_spare_one(&self, now: Instant) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let left_alone = all.iter().filter(|health| health.ejection(now).is_some()).count();
        (left_alone + 1) * 2 <= all.len()
    }

    /// Which part of their answers those refuse that are not `health`; `None` if there are too few to tell.
    fn others_refuse(&self, health: &Arc<Health>, now: Instant) -> Option<f64> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let others = all.iter().filter(|other| !Arc::ptr_eq(other, health));
        let (answers, refusals) = others.fold((0, 0), |(answers, refusals), other| {
            let counted = other.lock().counted(now);
            (answers + counted.answers, refusals + counted.refusals)
        });
        (answers >= ENOUGH_ANSWERS).then(|| f64::from(refusals) / f64::from(answers))
    }
}

/// What is told of how a call over an address was answered.
pub(super) struct Verdict {
    siblings: Arc<Siblings>,
    health: Arc<Health>,
}

impl Verdict {
    pub(super) fn new(siblings: &Arc<Siblings>, health: &Arc<Health>) -> Self {
        Self { siblings: Arc::clone(siblings), health: Arc::clone(health) }
    }

    /// An answer came; whether it said UNAVAILABLE. One that did not come before that of another attempt of the
    /// same call is no better.
    pub(super) fn answered(&self, refused: bool) {
        let now = Instant::now();
        let counted = {
            let mut answers = self.health.lock();
            answers.count(refused, now);
            *answers
        };
        if !refused || !self.is_suspect(counted, now) || !self.siblings.can_spare_one(now) {
            return;
        }
        tracing::debug!(?counted, "an address is left alone for its answers");
        self.health.leave_alone(now + EJECTION, now);
        // Who goes on like that afterwards has not come back: one answer will do.
        self.health.lock().in_a_row = REFUSALS_TO_EJECT - 1;
    }

    fn is_suspect(&self, counted: Lately, now: Instant) -> bool {
        if counted.in_a_row >= REFUSALS_TO_EJECT {
            return true;
        }
        let many = counted.answers >= ENOUGH_ANSWERS && counted.refusals * FEW >= counted.answers;
        let rate = f64::from(counted.refusals) / f64::from(counted.answers);
        many && self.siblings.others_refuse(&self.health, now).is_some_and(|others| rate > others * FAR_ABOVE)
    }
}

/// What answered lately.
#[derive(Clone, Copy, Debug, Default)]
struct Lately {
    since: Option<Instant>,
    answers: u32,
    refusals: u32,
    in_a_row: u32,
}

impl Lately {
    fn counted(self, now: Instant) -> Self {
        let is_now = self.since.is_some_and(|since| now.saturating_duration_since(since) < WINDOW);
        if is_now { self } else { Self { since: Some(now), in_a_row: self.in_a_row, ..Self::default() } }
    }

    fn count(&mut self, refused: bool, now: Instant) {
        *self = self.counted(now);
        self.answers += 1;
        if refused {
            self.refusals += 1;
            self.in_a_row += 1;
        } else {
            self.in_a_row = 0;
        }
    }
}

/// How an address did lately.
#[derive(Default)]
pub(super) struct Health {
    lately: Mutex<Lately>,
    failures: AtomicU32,
    /// How often in a row it was left alone without a success in between.
    ejections: AtomicU32,
    ejected_until: RwLock<Option<Instant>>,
}

impl Health {
    /// For how long it is still left alone.
    pub(super) fn ejection(&self, now: Instant) -> Option<Duration> {
        let until = (*self.ejected_until.read().unwrap_or_else(PoisonError::into_inner))?;
        Some(until.saturating_duration_since(now)).filter(|pause| !pause.is_zero())
    }

    /// A call succeeded, as far as the way is concerned.
    pub(super) fn succeeded(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.ejections.store(0, Ordering::Relaxed);
    }

    /// A call failed because of the way.
    pub(super) fn failed(&self, circuit: Circuit) {
        let ejections = self.ejections.load(Ordering::Relaxed);
        // Who was left alone and fails again has not come back: no need to be sure.
        let enough = if circuit == Circuit::Breaks && ejections > 0 { 1 } else { FAILURES_TO_EJECT };
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 < enough {
            return;
        }
        let now = Instant::now();
        let pause = match circuit {
            Circuit::Absent => EJECTION,
            Circuit::Breaks => (FIRST_EJECTION * (1 << ejections.min(8))).min(LONGEST_EJECTION),
        };
        if self.leave_alone(now + pause, now) {
            self.failures.store(0, Ordering::Relaxed);
            self.ejections.store(ejections + 1, Ordering::Relaxed);
        }
    }

    /// Whether that is new: a call that began before the others failed says nothing.
    fn leave_alone(&self, end: Instant, now: Instant) -> bool {
        let mut until = self.ejected_until.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = until.is_none_or(|until| until <= now);
        if is_new {
            *until = Some(end);
        }
        is_new
    }

    fn lock(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: [usize; 0] = [];

    struct Service(Arc<Siblings>, Vec<Arc<Health>>);

    impl Service {
        fn new(addresses: usize) -> Self {
            let siblings = Arc::new(Siblings::default());
            let all: Vec<_> = (0..addresses).map(|_| Arc::new(Health::default())).collect();
            siblings.set(all.clone());
            Self(siblings, all)
        }

        fn answers(&self, address: usize, refused: bool, times: u32) {
            for _ in 0..times {
                Verdict::new(&self.0, &self.1[address]).answered(refused);
            }
        }

        fn left_alone(&self) -> Vec<usize> {
            let now = Instant::now();
            (0..self.1.len()).filter(|address| self.1[*address].ejection(now).is_some()).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_refuses_again_and_again_is_left_alone_for_a_while() {
        let service = Service::new(2);
        service.answers(0, true, 4);
        service.answers(0, false, 1);
        service.answers(0, true, 4);
        assert_eq!(service.left_alone(), NOBODY);
        service.answers(0, true, 1);
        assert_eq!(service.left_alone(), [0]);
        tokio::time::advance(EJECTION).await;
        assert_eq!(service.left_alone(), NOBODY);
        service.answers(0, true, 1);
        assert_eq!(service.left_alone(), [0], "it goes on like that");
        tokio::time::advance(EJECTION).await;
        service.answers(0, false, 1);
        service.answers(0, true, 4);
        assert_eq!(service.left_alone(), NOBODY, "it had come back");
    }

    #[tokio::test(start_paused = true)]
    async fn never_more_than_half_are_left_alone_for_their_answers() {
        for (addresses, most) in [(1, 0), (2, 1), (3, 1), (5, 2)] {
            let service = Service::new(addresses);
            for address in 0..addresses {
                service.answers(address, true, 100);
            }
            assert_eq!(service.left_alone().len(), most);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_of_refusals_counts_only_beside_others_that_refuse_less() {
        let mixed = |service: &Service, address: usize, rounds: u32| {
            for _ in 0..rounds {
                service.answers(address, false, 2);
                service.answers(address, true, 1);
            }
        };
        let (alike, worse) = (Service::new(2), Service::new(2));
        for _ in 0..10 {
            mixed(&alike, 0, 2);
            mixed(&alike, 1, 2);
            worse.answers(1, false, 5);
            mixed(&worse, 0, 2);
        }
        assert_eq!((alike.left_alone(), worse.left_alone()), (vec![], vec![0]));
        // What was long ago counts no more.
        let before = Service::new(2);
        before.answers(1, false, 100);
        mixed(&before, 0, 6);
        tokio::time::advance(WINDOW).await;
        before.answers(1, false, 100);
        mixed(&before, 0, 6);
        assert_eq!(before.left_alone(), NOBODY);
    }
}
