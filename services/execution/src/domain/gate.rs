//! Which runs may start: no limit of whole runs is exceeded, and none waits that could start.
//!
//! A run counts in a *place* for each limit that covers it: the limit and the value of its key. Runs that wait in the same
//! places are a *lane*, ordered by priority and age. A lane waits at one place that is full, and is not looked at before
//! there is room: so a start costs the logarithm of what waits, and waiting costs nothing. Rates follow the generic cell
//! rate algorithm (ITU-T I.371): one instant for each place, until which what has started is worked off.
//!
//! The gate knows no clock and no disk. What it changes is taken away ([`Gate::take_turns`], [`Gate::take_rates`]) and is
//! on disk in the flush of what the runs do, so that it can be built again from there.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

/// Most runs before one that are counted for its position.
const COUNTED: usize = 10_000;

/// What becomes of a run that does not start when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    Wait,
    Skip,
    Replace,
}

/// How many may start in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Microseconds for each start.
    pub(crate) pause: i64,
    /// How many may start at once.
    pub(crate) burst: u32,
}

/// What a limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How many may run at once.
    pub(crate) most: Option<usize>,
    pub(crate) rate: Option<Rate>,
    pub(crate) overflow: Overflow,
}

/// A limit, and the value of its key.
pub(crate) type Place = Arc<(Uuid, String)>;

/// Priority, the instant of the arrival, and the number of the run: the first starts first.
type Order = (i32, i64, i64);

type LaneKey = Arc<[Place]>;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Waits,
    Runs,
    /// It was paused while it waited.
    Aside,
}

/// What a run counts against, as it is kept.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Turn {
    #[prost(message, repeated, tag = "1")]
    places: Vec<KeptPlace>,
    #[prost(int32, tag = "2")]
    rank: i32,
    #[prost(int64, tag = "3")]
    at: i64,
    /// 0 waits, 1 runs, 2 aside.
    #[prost(int32, tag = "4")]
    standing: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeptPlace {
    #[prost(bytes = "bytes", tag = "1")]
    limit: Bytes,
    #[prost(string, tag = "2")]
    key: String,
}

/// What becomes of a run that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Starts,
    /// It waits, and these are to be cancelled for it because of that limit.
    Waits {
        evicts: Vec<(i64, Uuid)>,
    },
    /// It does not wait: this limit is reached.
    Skipped(Uuid),
}

/// Why a run waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) place: Place,
    /// From 1; the most that are counted stand for more, too.
    pub(crate) position: usize,
    /// When the rate lets the next one start, where that is in the way.
    pub(crate) at: Option<i64>,
}

#[derive(Debug)]
struct Known {
    places: LaneKey,
    rank: i32,
    at: i64,
    standing: Standing,
}

/// One limit and key.
#[derive(Debug, Default)]
struct Bucket {
    /// Those that run, by their age.
    runs: BTreeSet<(i64, i64)>,
    /// Those that wait.
    waits: BTreeSet<Order>,
    /// Lanes that wait for room here, by their first.
    lanes: BTreeMap<Order, LaneKey>,
    /// Until when what has started is worked off.
    until: i64,
}

#[derive(Debug, Default)]
struct Lane {
    waits: BTreeSet<Order>,
    /// Where it waits for room, under which order.
    at: Option<(Place, Order)>,
}

/// Who is in the way at a place.
enum Block {
    Full,
    Until(i64),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    terms: HashMap<Uuid, Terms>,
    runs: HashMap<i64, Known>,
    buckets: HashMap<Place, Bucket>,
    lanes: HashMap<LaneKey, Lane>,
    /// Places that may have room.
    open: BTreeSet<Place>,
    /// Places with room, by the first that waits there.
    heads: BTreeSet<(Order, Place)>,
    /// Those that wait for nothing any more.
    free: BTreeSet<Order>,
    /// When rates let something start, or do not matter any more.
    timers: BTreeSet<(i64, Place)>,
    /// Runs that are about to be cancelled for others.
    evicted: HashSet<i64>,
    waiting: usize,
    /// How many run and wait of each limit.
    totals: HashMap<Uuid, (usize, usize)>,
    changed_turns: BTreeSet<i64>,
    changed_rates: BTreeSet<Place>,
}

impl Gate {
    /// A limit is as it is from now on.
    pub(crate) fn set_limit(&mut self, limit: Uuid, terms: Terms, now: i64) {
        self.terms.insert(limit, terms);
        for (place, bucket) in self.buckets.iter_mut().filter(|(place, _)| place.0 == limit) {
            self.open.insert(Arc::clone(place));
            // Never more to work off than a full burst of the rate as it is now.
            let most = terms.rate.map_or(0, |rate| now.saturating_add(rate.pause * i64::from(rate.burst)));
            if bucket.until > most {
                bucket.until = most;
                self.changed_rates.insert(Arc::clone(place));
            }
        }
    }

    /// A limit is none any more.
    pub(crate) fn remove_limit(&mut self, limit: Uuid) {
        self.terms.remove(&limit);
        let of_it = |place: &Place| place.0 == limit;
        let touched = self.runs.iter().filter(|(_, run)| run.places.iter().any(of_it));
        let touched: Vec<i64> = touched.map(|(run, _)| *run).collect();
        for run in touched {
            let places = self.runs[&run].places.iter().filter(|place| !of_it(place)).cloned().collect();
            self.recount(run, places);
        }
        self.totals.remove(&limit);
        self.buckets.retain(|place, _| !of_it(place));
        self.open.retain(|place| !of_it(place));
        self.heads.retain(|(_, place)| !of_it(place));
        self.timers.retain(|(_, place)| !of_it(place));
        self.changed_rates.retain(|place| !of_it(place));
    }

    /// What a rate had come to, as it was kept.
    pub(crate) fn set_rate(&mut self, place: Place, until: i64) {
        if self.terms.contains_key(&place.0) {
            self.timers.insert((until, Arc::clone(&place)));
            self.buckets.entry(place).or_default().until = until;
        }
    }

    /// A run that was there before, as it was kept.
    pub(crate) fn restore(&mut self, run: i64, turn: &Turn) {
        let places = turn.places.iter().filter_map(|place| {
            let limit = Uuid::from_slice(&place.limit).ok()?;
            self.terms.contains_key(&limit).then(|| Arc::new((limit, place.key.clone())))
        });
        let standing = match turn.standing {
            0 => Standing::Waits,
            1 => Standing::Runs,
            _ => Standing::Aside,
        };
        let places = in_order(places.collect());
        let known = Known { places, rank: turn.rank, at: turn.at, standing };
        self.enter(run, known);
    }

    /// A run that there is already counts in one more place; one that is not known runs.
    pub(crate) fn count(&mut self, run: i64, place: Place, at: i64) {
        let Some(known) = self.runs.get(&run) else {
            let places = [place].into_iter().collect();
            self.enter(run, Known { places, rank: 1, at, standing: Standing::Runs });
            self.changed_turns.insert(run);
            return;
        };
        let places = known.places.iter().cloned().chain([place]);
        self.recount(run, in_order(places.collect()));
    }

    /// A run arrives.
    pub(crate) fn arrive(
        &mut self,
        run: i64,
        places: Vec<Place>,
        (rank, at): (i32, i64),
        now: i64,
    ) -> Arrival {
        if let Some(limit) = self.skips(&places, now) {
            return Arrival::Skipped(limit);
        }
        // What waits at a place with room is about to be looked at: it is not overtaken.
        let is_ahead = |place: &Place| self.buckets.get(place).is_some_and(|bucket| !bucket.lanes.is_empty());
        let starts = !places.iter().any(|place| is_ahead(place) || self.block(place, now).is_some());
        let places = in_order(places);
        self.changed_turns.insert(run);
        let standing = if starts { Standing::Runs } else { Standing::Waits };
        self.enter(run, Known { places: Arc::clone(&places), rank, at, standing });
        if starts {
            self.charge(&places, now);
            return Arrival::Starts;
        }
        let mut evicts = Vec::new();
        for place in &*places {
            if self.terms.get(&place.0).is_some_and(|terms| terms.overflow == Overflow::Replace) {
                self.evict(place, Some(run), now, &mut evicts);
            }
        }
        Arrival::Waits { evicts }
    }

    /// The limit that would not let a run wait.
    pub(crate) fn skips(&self, places: &[Place], now: i64) -> Option<Uuid> {
        let skips = |place: &&Place| {
            self.terms.get(&place.0).is_some_and(|terms| terms.overflow == Overflow::Skip)
                && self.block(place, now).is_some()
        };
        places.iter().find(skips).map(|place| place.0)
    }

    /// Runs that are to be cancelled because others wait for their places: those that were told already, and have not
    /// ended yet, among them. Asked once, when everything was restored.
    pub(crate) fn overdue(&mut self, now: i64) -> Vec<(i64, Uuid)> {
        let replaces = |place: &&Place| {
            self.terms.get(&place.0).is_some_and(|terms| terms.overflow == Overflow::Replace)
        };
        let places: BTreeSet<Place> = self.buckets.keys().filter(replaces).cloned().collect();
        let mut evicts = Vec::new();
        for place in places {
            let newest = self.buckets[&place].waits.iter().map(|(_, at, run)| (*at, *run)).max();
            if let Some((_, newest)) = newest {
                self.evict(&place, Some(newest), now, &mut evicts);
            }
        }
        evicts
    }

    fn evict(&mut self, place: &Place, spared: Option<i64>, now: i64, evicts: &mut Vec<(i64, Uuid)>) {
        let (Some(terms), Some(bucket)) = (self.terms.get(&place.0), self.buckets.get(place)) else { return };
        let runs = bucket.runs.iter().copied();
        let waits = bucket.waits.iter().map(|(_, at, run)| (*at, *run));
        let stays = |(_, run): &(i64, i64)| !self.evicted.contains(run);
        let mut all: Vec<(i64, i64)> = runs.chain(waits.clone()).filter(stays).collect();
        all.sort_unstable();
        let is_spared = |run: i64| Some(run) == spared;
        let too_many = terms.most.map_or(0, |most| all.len().saturating_sub(most));
        let mut out: Vec<i64> =
            all.iter().map(|(_, run)| *run).filter(|run| !is_spared(*run)).take(too_many).collect();
        if matches!(self.block(place, now), Some(Block::Until(_))) {
            let late =
                waits.filter(stays).map(|(_, run)| run).filter(|run| !is_spared(*run) && !out.contains(run));
            let late: Vec<i64> = late.collect();
            out.extend(late);
        }
        for run in out {
            self.evicted.insert(run);
            evicts.push((run, place.0));
        }
    }

    /// A run has ended.
    pub(crate) fn leave(&mut self, run: i64) {
        let Some(known) = self.take_out(run) else { return };
        self.changed_turns.insert(run);
        self.evicted.remove(&run);
        if known.standing == Standing::Runs {
            self.open.extend(known.places.iter().cloned());
        }
    }

    /// A run that waits is paused, or goes on waiting.
    pub(crate) fn set_aside(&mut self, run: i64, is_aside: bool) {
        let standing = if is_aside { Standing::Aside } else { Standing::Waits };
        let is_other = self
            .runs
            .get(&run)
            .is_some_and(|known| known.standing != standing && known.standing != Standing::Runs);
        if is_other && let Some(known) = self.take_out(run) {
            self.enter(run, Known { standing, ..known });
            self.changed_turns.insert(run);
        }
    }

    /// A run that starts now; nothing where none can.
    pub(crate) fn next(&mut self, now: i64) -> Option<i64> {
        while let Some((at, place)) = self.timers.first().cloned().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, Arc::clone(&place)));
            self.open.insert(place);
        }
        if let Some((.., run)) = self.free.first().copied() {
            self.start(run, now);
            return Some(run);
        }
        loop {
            while let Some(place) = self.open.pop_first() {
                self.look(place, now);
            }
            let (order, place) = self.heads.pop_first()?;
            let is_first = self.first_at(&place) == Some(order) && self.block(&place, now).is_none();
            self.open.insert(Arc::clone(&place));
            let bucket = self.buckets.get_mut(&place).filter(|_| is_first);
            let Some(lane) = bucket.and_then(|bucket| bucket.lanes.remove(&order)) else { continue };
            if let Some(waiting) = self.lanes.get_mut(&lane) {
                waiting.at = None;
            }
            if lane.iter().any(|place| self.block(place, now).is_some()) {
                self.park(&lane, now);
                continue;
            }
            self.start(order.2, now);
            return Some(order.2);
        }
    }

    /// Whether there is room at a place, and for whom.
    fn look(&mut self, place: Place, now: i64) {
        match (self.block(&place, now), self.first_at(&place)) {
            (Some(Block::Full), _) => {}
            (Some(Block::Until(at)), _) => drop(self.timers.insert((at, place))),
            (None, Some(order)) => drop(self.heads.insert((order, place))),
            (None, None) => self.forget(&place, now),
        }
    }

    /// The first of those that wait for room at a place.
    fn first_at(&self, place: &Place) -> Option<Order> {
        self.buckets.get(place)?.lanes.first_key_value().map(|(order, _)| *order)
    }

    /// Whether something may be able to start.
    pub(crate) fn is_open(&self) -> bool {
        !(self.open.is_empty() && self.heads.is_empty() && self.free.is_empty())
    }

    /// When [`Self::next`] is to be asked again, if nothing happens before.
    pub(crate) fn next_timer(&self) -> Option<i64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Where a run stands, if it counts against anything.
    pub(crate) fn standing(&self, run: i64) -> Option<Standing> {
        self.runs.get(&run).map(|known| known.standing)
    }

    /// Why a run waits.
    pub(crate) fn why(&self, run: i64, now: i64) -> Option<Why> {
        let known = self.runs.get(&run).filter(|known| known.standing != Standing::Runs)?;
        // Too many that run are told before a rate, and of rates the last that lets it start.
        let when = |place: &&Place| match self.block(place, now) {
            None => 0,
            Some(Block::Until(at)) => at,
            Some(Block::Full) => i64::MAX,
        };
        let place = known.places.iter().max_by_key(when)?;
        let at = Some(when(&place)).filter(|at| (now..i64::MAX).contains(at));
        let order = (known.rank, known.at, run);
        let before =
            self.buckets.get(place).map_or(0, |bucket| bucket.waits.range(..order).take(COUNTED - 1).count());
        Some(Why { place: Arc::clone(place), position: before + 1, at })
    }

    /// How many run and wait of a limit.
    pub(crate) fn counts(&self, limit: Uuid) -> (usize, usize) {
        self.totals.get(&limit).copied().unwrap_or_default()
    }

    /// What runs count against that has changed since this was asked the last time.
    pub(crate) fn take_turns(&mut self) -> Vec<(i64, Option<Turn>)> {
        let changed = std::mem::take(&mut self.changed_turns);
        changed.into_iter().map(|run| (run, self.runs.get(&run).map(turn))).collect()
    }

    /// What rates have come to that has changed since this was asked the last time.
    pub(crate) fn take_rates(&mut self) -> Vec<(Place, i64)> {
        let changed = std::mem::take(&mut self.changed_rates);
        let until = |place: Place| {
            let until = self.buckets.get(&place).map_or(0, |bucket| bucket.until);
            (place, until)
        };
        changed.into_iter().map(until).collect()
    }

    fn block(&self, place: &Place, now: i64) -> Option<Block> {
        let (terms, bucket) = (self.terms.get(&place.0)?, self.buckets.get(place)?);
        if terms.most.is_some_and(|most| bucket.runs.len() >= most) {
            return Some(Block::Full);
        }
        let rate = terms.rate?;
        let at = bucket.until.saturating_sub(rate.pause.saturating_mul(i64::from(rate.burst) - 1));
        (at > now).then_some(Block::Until(at))
    }

    /// A run that waits runs.
    fn start(&mut self, run: i64, now: i64) {
        let Some(known) = self.take_out(run) else { return };
        let places = Arc::clone(&known.places);
        self.enter(run, Known { standing: Standing::Runs, ..known });
        self.changed_turns.insert(run);
        self.charge(&places, now);
    }

    /// Rates count a start.
    fn charge(&mut self, places: &[Place], now: i64) {
        for place in places {
            let rate = self.terms.get(&place.0).and_then(|terms| terms.rate);
            if let (Some(rate), Some(bucket)) = (rate, self.buckets.get_mut(place)) {
                bucket.until = bucket.until.max(now).saturating_add(rate.pause);
                self.timers.insert((bucket.until, Arc::clone(place)));
                self.changed_rates.insert(Arc::clone(place));
            }
        }
    }

    /// A run counts in other places from now on.
    fn recount(&mut self, run: i64, places: LaneKey) {
        if let Some(known) = self.take_out(run) {
            self.enter(run, Known { places, ..known });
            self.changed_turns.insert(run);
        }
    }

    /// Puts a run where it stands. One that waits is looked at by [`Self::next`].
    fn enter(&mut self, run: i64, known: Known) {
        let order = (known.rank, known.at, run);
        for place in &*known.places {
            let bucket = self.buckets.entry(Arc::clone(place)).or_default();
            let (runs, waits) = self.totals.entry(place.0).or_default();
            match known.standing {
                Standing::Runs => *runs += usize::from(bucket.runs.insert((known.at, run))),
                Standing::Waits => *waits += usize::from(bucket.waits.insert(order)),
                Standing::Aside => {}
            }
        }
        if known.standing == Standing::Waits {
            self.waiting += 1;
            let lane = Arc::clone(&known.places);
            if lane.is_empty() {
                self.free.insert(order);
            }
            self.lanes.entry(Arc::clone(&lane)).or_default().waits.insert(order);
            self.unpark(&lane);
            self.park(&lane, 0);
        }
        self.runs.insert(run, known);
    }

    /// Takes a run from where it stands.
    fn take_out(&mut self, run: i64) -> Option<Known> {
        let known = self.runs.remove(&run)?;
        let order = (known.rank, known.at, run);
        for place in &*known.places {
            if let Some(bucket) = self.buckets.get_mut(place) {
                let (runs, waits) = self.totals.entry(place.0).or_default();
                *runs -= usize::from(bucket.runs.remove(&(known.at, run)));
                *waits -= usize::from(bucket.waits.remove(&order));
            }
        }
        if known.standing == Standing::Waits {
            self.waiting -= 1;
            self.free.remove(&order);
            let lane = Arc::clone(&known.places);
            self.unpark(&lane);
            let is_empty = self.lanes.get_mut(&lane).is_none_or(|waiting| {
                waiting.waits.remove(&order);
                waiting.waits.is_empty()
            });
            if is_empty {
                self.lanes.remove(&lane);
            } else {
                self.park(&lane, 0);
            }
        }
        // It is looked at whether there is still something to know of them.
        self.open.extend(known.places.iter().cloned());
        Some(known)
    }

    fn unpark(&mut self, lane: &LaneKey) {
        if let Some((place, order)) = self.lanes.get_mut(lane).and_then(|lane| lane.at.take())
            && let Some(bucket) = self.buckets.get_mut(&place)
        {
            bucket.lanes.remove(&order);
        }
    }

    /// A lane waits at a place that is full; where none is, at one that is looked at.
    fn park(&mut self, lane: &LaneKey, now: i64) {
        let Some(first) = self.lanes.get(lane).and_then(|lane| lane.waits.first().copied()) else { return };
        let full = lane.iter().find(|place| self.block(place, now).is_some());
        let Some(place) = full.or_else(|| lane.first()).cloned() else { return };
        self.buckets.entry(Arc::clone(&place)).or_default().lanes.insert(first, Arc::clone(lane));
        // Whether it is full is looked at, and when it is not any more.
        self.open.insert(Arc::clone(&place));
        if let Some(waiting) = self.lanes.get_mut(lane) {
            waiting.at = Some((place, first));
        }
    }

    /// A place that nothing is known of any more takes no memory.
    fn forget(&mut self, place: &Place, now: i64) {
        let is_idle =
            |bucket: &Bucket| bucket.runs.is_empty() && bucket.waits.is_empty() && bucket.lanes.is_empty();
        match self.buckets.get(place) {
            Some(bucket) if is_idle(bucket) && bucket.until > now => {
                self.timers.insert((bucket.until, Arc::clone(place)));
            }
            Some(bucket) if is_idle(bucket) => drop(self.buckets.remove(place)),
            _ => {}
        }
    }
}

/// Places in the order in which all runs have them.
fn in_order(mut places: Vec<Place>) -> LaneKey {
    places.sort_unstable();
    places.into()
}

fn turn(known: &Known) -> Turn {
    let places = known
        .places
        .iter()
        .map(|place| KeptPlace { limit: Bytes::copy_from_slice(place.0.as_bytes()), key: place.1.clone() });
    let standing = match known.standing {
        Standing::Waits => 0,
        Standing::Runs => 1,
        Standing::Aside => 2,
    };
    Turn { places: places.collect(), rank: known.rank, at: known.at, standing }
}
