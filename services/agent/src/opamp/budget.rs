//! How much collectors may say. What each has left outlives its connections and sessions: whoever comes back is the same.

use std::{collections::HashMap, sync::Mutex};

use tokio::time::Instant;
use uuid::Uuid;

use super::report;

/// Messages that may come at once.
const AT_ONCE: f64 = 64.0;
/// And how many each second, in the long run.
const EACH_SECOND: f64 = 8.0;
/// Buckets among which none is looked for that is full again.
const FEW: usize = 1_024;

/// What all collectors may say.
#[derive(Debug, Default)]
pub(crate) struct Budgets(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    /// By digest of token and instance; that of the token alone has the instance that is all zeros.
    left: HashMap<[u8; 32], Budget>,
    /// How many there were when those that are full were forgotten.
    were: usize,
}

impl Budgets {
    /// Whether an instance that has joined with a token may say one thing more.
    pub(crate) fn may_speak(&self, token: &[u8; 32], instance: Uuid) -> bool {
        self.take(report::key(token, instance.as_bytes()), Instant::now())
    }

    /// Whether one who shows a token, and has not joined or cannot be understood, may say one thing more. They share
    /// what there is: an instance is quickly made up.
    pub(crate) fn may_stranger_speak(&self, token: &[u8; 32]) -> bool {
        self.may_speak(token, Uuid::nil())
    }

    fn take(&self, key: [u8; 32], now: Instant) -> bool {
        let mut buckets = self.0.lock().expect("nobody panics with it");
        if buckets.left.len() >= FEW.max(buckets.were.saturating_mul(2)) {
            buckets.left.retain(|_, budget| !budget.is_full(now));
            buckets.were = buckets.left.len();
        }
        buckets.left.entry(key).or_insert_with(|| Budget::new(now)).take(now)
    }
}

/// How many messages may come: a bucket that fills by and by.
#[derive(Debug)]
struct Budget {
    left: f64,
    at: Instant,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self { left: AT_ONCE, at: now }
    }

    fn left(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at);
        (self.left + since.as_secs_f64() * EACH_SECOND).min(AT_ONCE)
    }

    /// Whether it is as good as a new one.
    fn is_full(&self, now: Instant) -> bool {
        self.left(now) >= AT_ONCE
    }

    /// Whether one more may come.
    fn take(&mut self, now: Instant) -> bool {
        self.left = self.left(now);
        self.at = now;
        let is_enough = self.left >= 1.0;
        if is_enough {
            self.left -= 1.0;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_held_up_and_a_pause_makes_up_for_it() {
        let (budgets, one, other) = (Budgets::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let flood = |instance| (0..200).filter(|_| budgets.may_speak(&[1; 32], instance)).count();
        assert_eq!(flood(one), 64);
        assert_eq!(flood(other), 64, "another instance");
        assert!(budgets.may_speak(&[2; 32], one), "another token");
        assert!(budgets.may_stranger_speak(&[1; 32]));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(flood(one), 8);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(flood(one), 64);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_full_again_is_forgotten_and_what_is_not_is_kept() {
        let (budgets, busy) = (Budgets::default(), Uuid::from_u128(1 << 64));
        for round in 0..20 {
            for instance in 0..500 {
                budgets.may_speak(&[1; 32], Uuid::from_u128(round * 500 + instance + 1));
            }
            while budgets.may_speak(&[1; 32], busy) {}
            assert!(budgets.0.lock().expect("nobody panics with it").left.len() <= FEW);
            tokio::time::advance(Duration::from_millis(300)).await;
        }
        assert_eq!((0..200).filter(|_| budgets.may_speak(&[1; 32], busy)).count(), 2, "it is remembered");
    }
}
