//! Over which time a query is asked, and how far apart its steps are.

use prost_types::{Duration, Timestamp};

use super::time;
use crate::Error;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Steps of which whole numbers are a day: what comes again by day is seen at the same times of each.
const STEPS: [i64; 17] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
    DAY,
];
/// No more of them where nobody says: eight days are in steps of ten minutes.
const MOST: i64 = 1_200;

/// The first and the last time; `usual` before the end and now, where they are not told.
pub(crate) fn between(
    start: Option<&Timestamp>,
    end: Option<&Timestamp>,
    now: i64,
    usual: i64,
) -> Result<(i64, i64), Error> {
    let end = end.map_or(now, time::millis);
    let start = start.map_or_else(|| end.saturating_sub(usual), time::millis);
    if start > end {
        return Err(Error::field("end_time", "must not be before start_time"));
    }
    Ok((start, end))
}

/// From the first nanosecond to before the last, of all time where they are not told.
pub(crate) fn within(start: Option<&Timestamp>, end: Option<&Timestamp>) -> Result<(i64, i64), Error> {
    let (from, to) = (start.map_or(i64::MIN, time::nanos), end.map_or(i64::MAX, time::nanos));
    if from > to {
        return Err(Error::field("end_time", "must not be before start_time"));
    }
    Ok((from, to))
}

/// From one step to the next, where it is told.
pub(crate) fn step(step: Option<&Duration>) -> Result<Option<i64>, Error> {
    match step.map(time::span) {
        Some(step) if step < 1 => Err(Error::field("step", "must be a millisecond or more")),
        step => Ok(step),
    }
}

/// A step with which a span of time has about a thousand of them.
pub(crate) fn step_to_learn(span: i64) -> i64 {
    let found = STEPS.into_iter().find(|step| span / step <= MOST);
    found.unwrap_or_else(|| (span / MOST / DAY + 1).saturating_mul(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_learned_in_about_a_thousand_steps() {
        for (span, step) in [(0, SECOND), (HOUR, 5 * SECOND), (8 * DAY, 10 * MINUTE), (30 * DAY, HOUR)] {
            assert_eq!(step_to_learn(span), step);
        }
        for years in [3, 30, 200_000_000] {
            let span = years * 365 * DAY;
            assert!(span / step_to_learn(span) <= MOST, "{years}");
        }
        assert!(step_to_learn(i64::MAX) > 0);
    }
}
