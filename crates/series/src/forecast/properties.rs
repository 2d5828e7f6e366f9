//! What holds of whatever series there is.

use proptest::{collection::vec, prelude::*};

use super::{Direction, Fit};
use crate::promql::Steps;

const HOUR: i64 = 3_600_000;

/// Ordinary values, gaps, and whatever bits there are.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![6 => -1e3..1e3f64, 1 => Just(f64::NAN), 1 => any::<u64>().prop_map(f64::from_bits)]
}

fn steps(first: i64, step: i64, count: usize) -> Steps {
    Steps { first, step, count }
}

proptest! {
    #[test]
    fn whatever_comes_in_what_comes_out_is_finite_and_in_order(
        values in vec(value(), 0..400),
        first in -1_000_000 * HOUR..1_000_000 * HOUR,
        step in prop_oneof![1..1_000i64, Just(HOUR), Just(25 * HOUR), Just(1_000 * 24 * HOUR)],
        threshold in value(),
    ) {
        let steps = steps(first, step, values.len());
        let Some(fit) = Fit::learn(steps, &values) else { return Ok(()) };
        prop_assert!(fit.trend_per_second().is_finite());
        let until = steps.last() + 100 * step;
        for time in [first, steps.last(), until] {
            let ahead = fit.ahead(time);
            prop_assert!(ahead.lower.is_finite() && ahead.upper.is_finite());
            prop_assert!(ahead.lower <= ahead.value && ahead.value <= ahead.upper, "{ahead:?}");
        }
        for direction in [Direction::Rising, Direction::Falling] {
            if let Some(crossing) = fit.crossing(steps.last(), until, threshold, direction) {
                let time = crossing.time.unwrap_or(until);
                let latest = crossing.latest.unwrap_or(until);
                prop_assert!(steps.last() <= crossing.earliest && latest <= until);
                prop_assert!(crossing.earliest <= time && time <= latest, "{crossing:?}");
            }
        }
        let mut after = i64::MIN;
        for found in fit.anomalies(&values, first, 2.0) {
            prop_assert!(after < found.start && found.start <= found.peak && found.peak <= found.end);
            prop_assert!(found.score >= 2.0 && found.expected.is_finite() && found.seen.is_finite());
            after = found.end;
        }
    }

    #[test]
    fn another_unit_and_another_zero_change_nothing_else(
        values in vec(-1e3..1e3f64, 20..200),
        factor in 1e-3..1e3f64,
        zero in -1e3..1e3f64,
    ) {
        let steps = steps(0, HOUR, values.len());
        let other: Vec<f64> = values.iter().map(|value| value * factor + zero).collect();
        let (one, two) = (Fit::learn(steps, &values).unwrap(), Fit::learn(steps, &other).unwrap());
        let (here, there) = (one.ahead(300 * HOUR), two.ahead(300 * HOUR));
        let near = |one: f64, other: f64| (one * factor + zero - other).abs() <= 1e-6 * (factor * 1e3 + zero.abs());
        prop_assert!(near(here.value, there.value) && near(here.lower, there.lower) && near(here.upper, there.upper));
        let times = |fit: &Fit, values: &[f64]| -> Vec<_> {
            fit.anomalies(values, 0, 3.0).iter().map(|one| one.peak).collect()
        };
        prop_assert_eq!(times(&one, &values).len(), times(&two, &other).len());
    }
}
