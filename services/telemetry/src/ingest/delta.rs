//! Sums that are sent as what was added since the last time, as sums of all: the form in which counters are asked.
//!
//! What was added up is kept in memory. After a restart a sum begins again at zero, as a counter does whose process
//! was restarted, and rates see it as that.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::samples::project::Place;

/// Series that are added up at once.
const MOST: usize = 200_000;

/// Sums so far, by series.
#[derive(Debug, Default)]
pub(crate) struct Deltas(Mutex<HashMap<Key, Sum>>);

/// Project, group and number of a series.
type Key = (Arc<str>, u32, u32);
/// When something was added last, and the sum.
type Sum = (i64, f64);

impl Deltas {
    /// The sum with what was added up to `time`. What is not newer than what was added last is a repeat, and adds
    /// nothing; `None` where there is no room for one more series.
    pub(crate) fn add(&self, project: &Arc<str>, place: Place, time: i64, value: f64) -> Option<f64> {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(project), place.group, place.number);
        if sums.len() >= MOST && !sums.contains_key(&key) {
            return None;
        }
        let sum = sums.entry(key).or_insert((i64::MIN, 0.0));
        if time > sum.0 {
            *sum = (time, sum.1 + value);
        }
        Some(sum.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_added_up_once() {
        let deltas = Deltas::default();
        let (project, place): (Arc<str>, _) = ("p".into(), Place { group: 1, number: 2 });
        assert_eq!(deltas.add(&project, place, 10, 5.0), Some(5.0));
        assert_eq!(deltas.add(&project, place, 20, 2.0), Some(7.0));
        assert_eq!(deltas.add(&project, place, 20, 2.0), Some(7.0));
        assert_eq!(deltas.add(&"q".into(), place, 20, 1.0), Some(1.0));
    }
}
