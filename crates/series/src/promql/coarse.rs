//! Samples that were thinned out: each stands for an interval, and the next may be nearly two intervals away.
//!
//! A series that was thinned out has a gap where an interval has no sample. Where each of two neighbouring intervals has
//! one, the first counts until the second: what was between them is not there any more, but it was there.

/// Up to which times samples of a series stand for how long an interval. Empty where nothing was thinned out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coarse(Vec<(i64, i64)>);

impl Coarse {
    /// How many intervals before a time samples are that its value may depend on.
    pub const BEFORE: i64 = 3;
    /// How many after it.
    pub const AFTER: i64 = 2;

    /// Samples up to a time stand for an interval each (milliseconds).
    pub fn add(&mut self, until: i64, every: i64) {
        match self.0.iter_mut().find(|(_, other)| *other == every) {
            Some((known, _)) => *known = until.max(*known),
            None => self.0.push((until, every)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a sample was thinned out, and no gap is between it and the next.
    pub(super) fn joins(&self, time: i64, next: i64) -> bool {
        let every = self.0.iter().filter(|(until, _)| time <= *until).map(|(_, every)| *every).max();
        every.is_some_and(|every| next < (time.div_euclid(every) + 2).saturating_mul(every))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Labels,
        group::Samples,
        promql::{Answer, Failure, Limits, Matcher, Query, Source, Steps, StoredSeries, range},
        value::is_absent,
    };

    /// One series, of which more is given than is asked for.
    struct One(Samples, Coarse);

    impl Source for One {
        fn select(&self, _: &[Matcher], _: i64, _: i64, _: &Limits) -> Result<Vec<StoredSeries>, Failure> {
            let labels = Labels::new([("__name__", "load")]);
            Ok(vec![StoredSeries { labels, samples: self.0.clone(), coarse: self.1.clone() }])
        }
    }

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    /// A counter that was read each 15 seconds for eight hours, but for 3:20 to 6:10; and the same by the hour.
    fn both() -> (One, One) {
        let times = (1..1_920).map(|row| row * 15_000);
        let times: Vec<i64> = times.filter(|time| !(200 * MINUTE..370 * MINUTE).contains(time)).collect();
        let values = times.iter().map(|time| *time as f64 / 1_000.0).collect();
        let raw = Samples { times, values };
        let mut thin = Samples::default();
        for (place, time) in raw.times.iter().enumerate() {
            if raw.times.get(place + 1).is_none_or(|next| next / HOUR != time / HOUR) {
                thin.times.push(*time);
                thin.values.push(raw.values[place]);
            }
        }
        let mut coarse = Coarse::default();
        coarse.add(8 * HOUR, HOUR);
        (One(raw, Coarse::default()), One(thin, coarse))
    }

    /// The value at each minute.
    fn asked(query: &str, source: &One) -> Vec<Option<f64>> {
        let steps = Steps::new(0, 8 * HOUR, MINUTE, 1_000).unwrap();
        let answer = range(&Query::parse(query).unwrap(), source, steps, &Limits::default()).unwrap();
        let Answer::Vector(rows) = answer else { panic!("{answer:?}") };
        rows.first().map_or(vec![None; steps.count], |row| {
            row.values.iter().map(|value| (!is_absent(*value)).then_some(*value)).collect()
        })
    }

    #[test]
    fn gaps_are_where_an_interval_is_empty_and_nowhere_else() {
        let (raw, thin) = both();
        let (raw, thin) = (asked("load", &raw), asked("load", &thin));
        for (minute, (raw, thin)) in raw.into_iter().zip(thin).enumerate() {
            // What came before the first sample that is left of an hour with none before it is gone.
            let is_lost = minute < 60 || (370..420).contains(&minute);
            assert_eq!(thin.is_some(), raw.is_some() && !is_lost, "at minute {minute}: {raw:?} {thin:?}");
            assert!(thin <= raw, "at minute {minute}: {raw:?} {thin:?}");
        }
    }

    #[test]
    fn a_window_that_is_too_short_has_what_was_before_it() {
        let (raw, thin) = both();
        for query in ["rate(load[5m])", "irate(load[5m])", "deriv(load[5m])"] {
            let rates = asked(query, &thin);
            assert!(rates.iter().flatten().all(|rate| (rate - 1.0).abs() < 1e-9), "{query}: {rates:?}");
            // From the second hour on, and after the gap again, until it begins and until the end.
            let there: Vec<usize> = rates
                .iter()
                .enumerate()
                .filter(|(_, rate)| rate.is_some())
                .map(|(minute, _)| minute)
                .collect();
            let expected: Vec<usize> = (120..205).chain(480..481).collect();
            assert_eq!(there, expected, "{query}");
        }
        let near = |query: &str, minute: usize, expected: f64| {
            let found = asked(query, &thin)[minute].unwrap();
            assert!((found - expected).abs() < 1e-6, "{query} at {minute}: {found}");
        };
        near("increase(load[5m])", 150, 300.0);
        near("delta(load[5m])", 150, 300.0);
        near("max_over_time(load[5m])", 150, 7_185.0);
        near("timestamp(load)", 150, 7_185.0);
        assert_eq!(asked("count_over_time(load[5m])", &thin)[150], None);
        assert_eq!(asked("absent_over_time(load[5m])", &thin)[150], None);
        // A window that is long enough is what it always was.
        near("increase(load[3h])", 180, asked("increase(load[3h])", &raw)[180].unwrap());
    }
}
