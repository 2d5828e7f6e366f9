//! Which connections are left alone for a while, because they failed.

use std::{
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::remote::Circuit;

/// After so many failures in a row a connection is left alone for a while.
const FAILURES_TO_EJECT: u32 = 3;
/// For how long, as a rule.
const EJECTION: Duration = Duration::from_secs(5);
/// Behind a circuit breaker: for how long at first; it doubles each time that the way turns out to be closed
/// still.
pub(super) const FIRST_EJECTION: Duration = Duration::from_millis(500);
/// And at most.
const LONGEST_EJECTION: Duration = Duration::from_secs(8);

/// How a connection did lately.
#[derive(Default)]
pub(super) struct Health {
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
        let mut until = self.ejected_until.write().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| until > now) {
            // A call that began before the others failed: nothing new.
            return;
        }
        let pause = match circuit {
            Circuit::Absent => EJECTION,
            Circuit::Breaks => (FIRST_EJECTION * (1 << ejections.min(8))).min(LONGEST_EJECTION),
        };
        self.failures.store(0, Ordering::Relaxed);
        self.ejections.store(ejections + 1, Ordering::Relaxed);
        *until = Some(now + pause);
    }
}
