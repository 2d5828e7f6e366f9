//! Rates: what has begun counts against its rate's limit until it is worked off, one after the other (the generic cell rate
//! algorithm, ITU-T I.371). So a rate is a limit with room for its burst, and the scheduler needs to know nothing of time.
//!
//! Rates are of memory: where a shard is opened, they begin with nothing to be worked off.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    hash::{BuildHasher, RandomState},
};

use crate::domain::gate::Rate;

/// Rates of one project, and those that what comes beyond them shares: a key that is new each time would otherwise take more
/// memory each time, for as long as a rate of once a month remembers it.
const MOST: (usize, u64) = (50_000, 1_024);

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
    /// How many each project has.
    of_project: HashMap<u32, usize>,
    hash: RandomState,
    /// When something is worked off, and of which.
    timers: BTreeSet<(i64, u32)>,
}

impl Paces {
    /// The name under which a rate counts: its own, or one that it shares with others where its project has very many.
    pub(super) fn name(&self, project: u32, name: &str) -> (u32, String) {
        let own = (project, name.to_owned());
        let is_full = self.of_project.get(&project).is_some_and(|count| *count >= MOST.0);
        if !is_full || self.numbers.contains_key(&own) {
            return own;
        }
        // No name of a limit begins so.
        (project, format!("\0{}", self.hash.hash_one(name) % MOST.1))
    }

    /// The limit that a rate of this name has, if it is known.
    pub(super) fn number(&self, name: &(u32, String)) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Somebody waits to begin at a rate. The newest rate counts.
    pub(super) fn join(&mut self, name: (u32, String), number: u32, rate: Rate) {
        if self.numbers.insert(name.clone(), number).is_none() {
            *self.of_project.entry(name.0).or_default() += 1;
        }
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
            if let Entry::Occupied(mut count) = self.of_project.entry(pace.name.0) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
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
        self.by_number.is_empty()
            && self.of_project.is_empty()
            && self.numbers.is_empty()
            && self.timers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_end_take_memory_with_an_end() {
        let mut paces = Paces::default();
        let rate = Rate { pause: 1_000, burst: 1 };
        let mut begun = Vec::new();
        for key in 0..MOST.0 as u32 + 5_000 {
            let name = paces.name(1, &key.to_string());
            let number = paces.number(&name).unwrap_or(key);
            paces.join(name, number, rate);
            assert!(paces.begin(number, 0));
            begun.push(number);
        }
        assert!(paces.by_number.len() <= MOST.0 + MOST.1 as usize, "{}", paces.by_number.len());
        assert_eq!(paces.name(1, "7"), (1, "7".to_owned()), "those that there are keep their own");
        assert_eq!(paces.name(2, "new"), (2, "new".to_owned()), "other projects do not share");
        for number in begun {
            paces.leave(number);
        }
        while paces.pass(i64::MAX).is_some() {}
        assert!(paces.is_empty());
    }
}
