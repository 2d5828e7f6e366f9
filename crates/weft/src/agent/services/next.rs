//! What becomes of a service that has ended by itself.

use std::time::Duration;

use super::spec::{Restart, When};

/// A run of at least so long begins the row of restarts anew, however short the pauses are.
const LONG_RUN: Duration = Duration::from_mins(10);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It has done what it should.
    Stopped,
    /// It is given up.
    Failed,
    /// It is started again after a pause.
    Again(Duration),
}

/// `row`: how often it was started again in a row.
pub(super) fn next(restart: Restart, has_failed: bool, row: u32) -> Next {
    let again = match restart.when {
        When::Always => true,
        When::OnFailure => has_failed,
        When::Never => false,
    };
    if !again {
        return if has_failed { Next::Failed } else { Next::Stopped };
    }
    if row >= restart.limit {
        return Next::Failed;
    }
    let factor = 2_u32.saturating_pow(row.min(31));
    Next::Again(restart.first_pause.saturating_mul(factor).min(restart.longest_pause))
}

/// Whether a run was so long that those before it do not count any more.
pub(super) fn was_long(restart: Restart, run: Duration) -> bool {
    run >= restart.longest_pause.saturating_mul(10).min(LONG_RUN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_the_row_has_an_end() {
        let restart = Restart { limit: 5, longest_pause: Duration::from_secs(5), ..Restart::default() };
        let seconds: Vec<_> = (0..6)
            .map(|row| match next(restart, true, row) {
                Next::Again(pause) => pause.as_secs(),
                other => {
                    assert_eq!((other, row), (Next::Failed, 5));
                    0
                }
            })
            .collect();
        assert_eq!(seconds, [1, 2, 4, 5, 5, 0]);
        assert!(was_long(restart, Duration::from_secs(50)) && !was_long(restart, Duration::from_secs(49)));
    }

    #[test]
    fn it_is_started_again_after_what_it_is_to_be() {
        let with = |when| Restart { when, ..Restart::default() };
        assert_eq!(next(with(When::OnFailure), false, 0), Next::Stopped);
        assert_eq!(next(with(When::Never), true, 0), Next::Failed);
        assert_eq!(next(with(When::Never), false, 0), Next::Stopped);
        assert!(matches!(next(with(When::Always), false, 0), Next::Again(_)));
    }
}
