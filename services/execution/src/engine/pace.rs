//! Rates: what has begun counts against its rate's limit until it is worked off, one after the other (the generic cell rate
//! algorithm, ITU-T I.371). So a rate is a limit with room for its burst, and the scheduler needs to know nothing of time.
//!
//! Rates are of memory: where a shard is opened, they begin with nothing to be worked off.

use std::collections::{BTreeSet, HashMap};

use crate::domain::gate::Rate;

/// A rate, as long as somebody counts against it.
struct Pace {
    name: (u32, String),
    rate: Rate,
    /// Until when what has begun is worked off.
    until: i64,
    /// Those that wait, and those that have begun and are not worked off.
    users: usize,
}

/// Rates by their limit's number.
#[derive(Default)]
pub(super) struct Paces {
    by_number: HashMap<u32, Pace>,
    numbers: HashMap<(u32, String), u32>,
    /// When something is worked off, and of which.
    timers: BTreeSet<(i64, u32)>,
}

impl Paces {
    /// The limit that a rate of this name has, if it is known.
    pub(super) fn number(&self, name: &(u32, String)) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Somebody waits to begin at a rate. The newest rate counts.
    pub(super) fn join(&mut self, name: (u32, String), number: u32, rate: Rate) {
        self.numbers.entry(name.clone()).or_insert(number);
        let pace = self.by_number.entry(number).or_insert(Pace { name, rate, until: i64::MIN, users: 0 });
        pace.rate = rate;
        pace.users += 1;
    }

    /// Somebody who waited has begun. False where the limit is not of a rate.
    pub(super) fn begin(&mut self, number: u32, now: i64) -> bool {
        let Some(pace) = self.by_number.get_mut(&number) else { return false };
        pace.until = pace.until.max(now).saturating_add(pace.rate.pause.max(1));
        self.timers.insert((pace.until, number));
        true
    }

    /// The limit of something that is worked off by now, once for each; whoever asks says then that it has left.
    pub(super) fn pass(&mut self, now: i64) -> Option<u32> {
        let first = self.timers.first().copied().filter(|(at, _)| *at <= now)?;
        self.timers.remove(&first);
        Some(first.1)
    }

    /// Somebody waits no more, or is worked off. True where nobody counts any more and all is forgotten.
    pub(super) fn leave(&mut self, number: u32) -> bool {
        let Some(pace) = self.by_number.get_mut(&number) else { return false };
        pace.users = pace.users.saturating_sub(1);
        if pace.users > 0 {
            return false;
        }
        if let Some(pace) = self.by_number.remove(&number) {
            self.numbers.remove(&pace.name);
        }
        true
    }

    /// When the next is worked off.
    pub(super) fn next_timer(&self) -> Option<i64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether there are none.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty() && self.numbers.is_empty() && self.timers.is_empty()
    }
}
