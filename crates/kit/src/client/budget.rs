//! How much is asked more than once: a bucket of tokens, so that a service which is down, or slow, is not
//! buried by those who wait for it (gRFC A6, "throttling"; maxTokens 10 and tokenRatio 0.1, in tenths).

use std::sync::atomic::{AtomicU32, Ordering};

const FULL: u32 = 100;
/// An answer gives one back.
const ANSWER: u32 = 1;
/// A failure takes so many, and
const FAILURE: u32 = 10;
/// so does an attempt beside one that takes long. gRFC A6 lets those go free; then a service which is slow
/// everywhere would be asked everything twice, just when it can least bear it.
const HEDGE: u32 = 5;

/// The bucket of one service. Below half there are no repeats.
pub(super) struct Budget(AtomicU32);

impl Budget {
    pub(super) fn full() -> Self {
        Self(AtomicU32::new(FULL))
    }

    /// An attempt failed; whether there may be another.
    pub(super) fn failed(&self) -> bool {
        let take = |tokens: u32| Some(tokens.saturating_sub(FAILURE));
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or_default();
        before.saturating_sub(FAILURE) > FULL / 2
    }

    /// A call was answered.
    pub(super) fn succeeded(&self) {
        let give = |tokens: u32| (tokens < FULL).then_some(tokens + ANSWER);
        // Full is full.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }

    /// Whether there may be an attempt beside one that takes long.
    pub(super) fn may_hedge(&self) -> bool {
        let take = |tokens: u32| (tokens - HEDGE.min(tokens) > FULL / 2).then(|| tokens - HEDGE);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_repeats_while_everything_fails() {
        let budget = Budget::full();
        let allowed = (0..20).filter(|_| budget.failed()).count();
        assert_eq!((allowed, budget.may_hedge()), (4, false));
        for _ in 0..61 {
            budget.succeeded();
        }
        assert!(budget.failed());
    }

    #[test]
    fn of_calls_that_all_take_long_one_in_five_is_asked_twice() {
        let budget = Budget::full();
        let mut hedged = 0;
        for _ in 0..1_000 {
            hedged += u32::from(budget.may_hedge());
            budget.succeeded();
        }
        assert!((200..=210).contains(&hedged), "{hedged}");
        assert!(!budget.failed(), "and what fails then is not repeated either");
    }
}
