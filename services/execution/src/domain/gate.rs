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
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

/// Most runs before one that are counted for its position.
const COUNTED: usize = 1_000;

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
    /// The limit that it is to be cancelled for; empty where it is not.
    #[prost(bytes = "bytes", tag = "5")]
    evicted: Bytes,
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
    /// It waits; who is to be cancelled for it is told by [`Gate::next_evicted`].
    Waits,
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
    /// It is to be cancelled for another because of that limit.
    evicted: Option<Uuid>,
}

/// One limit and key.
#[derive(Debug, Default)]
struct Bucket {
    /// How many run.
    runs: usize,
    /// Those that wait.
    waits: BTreeSet<Order>,
    /// Those that run and are not to be cancelled for others, by age.
    staying: BTreeSet<(i64, i64)>,
    /// Those that wait and are not to be cancelled for others, by age.
    queued: BTreeSet<(i64, i64)>,
    /// Lanes that wait for room here, by their first.
    lanes: BTreeMap<Order, LaneKey>,
    /// Until when what has started is worked off.
    until: i64,
    /// When it is looked at by itself: one of the gate's timers.
    timer: Option<i64>,
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
    /// Runs that are to be cancelled for others, and of which nobody was told.
    evicted: BTreeSet<i64>,
    /// Whose limits they are.
    projects: HashMap<Uuid, Arc<str>>,
    /// How many of each project wait, or are paused while they do.
    queues: HashMap<Arc<str>, usize>,
    /// How many run and wait of each limit.
    totals: HashMap<Uuid, (usize, usize)>,
    changed_turns: BTreeSet<i64>,
    changed_rates: BTreeSet<Place>,
}

impl Gate {
    /// Whose limit it is, before anything counts against it.
    pub(crate) fn set_project(&mut self, limit: Uuid, project: &str) {
        self.projects.entry(limit).or_insert_with(|| Arc::from(project));
    }

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
            let Some(known) = self.take_out(run) else { continue };
            let places = known.places.iter().filter(|place| !of_it(place)).cloned().collect();
            // Nobody is to be cancelled any more because of it.
            let evicted = known.evicted.filter(|of| *of != limit);
            if evicted.is_none() {
                self.evicted.remove(&run);
            }
            self.enter(run, Known { places, evicted, ..known });
            self.changed_turns.insert(run);
        }
        self.totals.remove(&limit);
        self.projects.remove(&limit);
        self.buckets.retain(|place, _| !of_it(place));
        self.open.retain(|place| !of_it(place));
        self.heads.retain(|(_, place)| !of_it(place));
        self.timers.retain(|(_, place)| !of_it(place));
        self.changed_rates.retain(|place| !of_it(place));
    }

    /// What a rate had come to, as it was kept.
    pub(crate) fn set_rate(&mut self, place: &Place, until: i64) {
        if self.terms.contains_key(&place.0) {
            self.buckets.entry(Arc::clone(place)).or_default().until = until;
            self.set_timer(place, until);
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
        let evicted = Uuid::from_slice(&turn.evicted).ok().filter(|limit| self.terms.contains_key(limit));
        if evicted.is_some() {
            self.evicted.insert(run);
        }
        self.enter(run, Known { places, rank: turn.rank, at: turn.at, standing, evicted });
    }

    /// A run that there is already counts in one more place; one that is not known runs.
    pub(crate) fn count(&mut self, run: i64, place: Place, at: i64) {
        let Some(known) = self.runs.get(&run) else {
            let places = [place].into_iter().collect();
            self.enter(run, Known { places, rank: 1, at, standing: Standing::Runs, evicted: None });
            self.changed_turns.insert(run);
            return;
        };
        let places = known.places.iter().cloned().chain([place]);
        self.recount(run, in_order(places.collect()));
    }

    /// A run arrives, perhaps anew: what it counted against before is nothing any more.
    pub(crate) fn arrive(
        &mut self,
        run: i64,
        places: Vec<Place>,
        (rank, at): (i32, i64),
        now: i64,
    ) -> Arrival {
        self.leave(run);
        if let Some(limit) = self.skips(&places, now) {
            return Arrival::Skipped(limit);
        }
        let starts = self.lets(&places, now);
        let places = in_order(places);
        self.changed_turns.insert(run);
        let standing = if starts { Standing::Runs } else { Standing::Waits };
        self.enter(run, Known { places: Arc::clone(&places), rank, at, standing, evicted: None });
        if starts {
            self.charge(&places, now);
            return Arrival::Starts;
        }
        for place in &*places {
            if self.terms.get(&place.0).is_some_and(|terms| terms.overflow == Overflow::Replace) {
                self.evict(place, run, now);
            }
        }
        Arrival::Waits
    }

    /// Whether a run that arrives would start at once.
    pub(crate) fn lets(&self, places: &[Place], now: i64) -> bool {
        // What waits at a place with room is about to be looked at: it is not overtaken.
        let is_ahead = |place: &Place| self.buckets.get(place).is_some_and(|bucket| !bucket.lanes.is_empty());
        !places.iter().any(|place| is_ahead(place) || self.block(place, now).is_some())
    }

    /// The limit that would not let a run wait.
    pub(crate) fn skips(&self, places: &[Place], now: i64) -> Option<Uuid> {
        let skips = |place: &&Place| {
            self.terms.get(&place.0).is_some_and(|terms| terms.overflow == Overflow::Skip)
                && self.block(place, now).is_some()
        };
        places.iter().find(skips).map(|place| place.0)
    }

    /// The next run that is to be cancelled for another, and the limit that says so: each is told once.
    pub(crate) fn next_evicted(&mut self) -> Option<(i64, Uuid)> {
        while let Some(run) = self.evicted.pop_first() {
            if let Some(limit) = self.runs.get(&run).and_then(|known| known.evicted) {
                return Some((run, limit));
            }
        }
        None
    }

    /// Whether somebody is to be cancelled who was not told of.
    pub(crate) fn has_evicted(&self) -> bool {
        !self.evicted.is_empty()
    }

    /// One run makes room for a newcomer: the oldest, where there are too many with it; the oldest that waits, where the
    /// rate is in the way. Never more, however many there are: what a changed limit leaves over goes one by one.
    fn evict(&mut self, place: &Place, newcomer: i64, now: i64) {
        let (Some(terms), Some(bucket)) = (self.terms.get(&place.0), self.buckets.get(place)) else { return };
        let oldest =
            |of: &BTreeSet<(i64, i64)>| of.iter().find(|(_, run)| *run != newcomer).copied().into_iter();
        let count = bucket.staying.len() + bucket.queued.len();
        let first = if terms.most.is_some_and(|most| count > most) {
            oldest(&bucket.staying).chain(oldest(&bucket.queued)).min()
        } else if matches!(self.block(place, now), Some(Block::Until(_))) {
            oldest(&bucket.queued).next()
        } else {
            None
        };
        let Some((at, run)) = first else { return };
        let Some(known) = self.runs.get_mut(&run) else { return };
        known.evicted = Some(place.0);
        for place in &*known.places {
            if let Some(bucket) = self.buckets.get_mut(place) {
                bucket.staying.remove(&(at, run));
                bucket.queued.remove(&(at, run));
            }
        }
        self.evicted.insert(run);
        self.changed_turns.insert(run);
    }

    /// A run has ended.
    pub(crate) fn leave(&mut self, run: i64) {
        if self.take_out(run).is_some() {
            self.changed_turns.insert(run);
            self.evicted.remove(&run);
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

    /// A run that was said to run has not started: it waits, or is paused while it does.
    pub(crate) fn take_back(&mut self, run: i64, is_aside: bool) {
        if let Some(known) = self.take_out(run) {
            let standing = if is_aside { Standing::Aside } else { Standing::Waits };
            self.enter(run, Known { standing, ..known });
            self.changed_turns.insert(run);
        }
    }

    /// Runs that run, with a limit that each of them counts against.
    pub(crate) fn running(&self) -> impl Iterator<Item = (i64, Uuid)> {
        let runs = self.runs.iter().filter(|(_, known)| known.standing == Standing::Runs);
        runs.filter_map(|(run, known)| Some((*run, known.places.first()?.0)))
    }

    /// A run that starts now; nothing where none can.
    pub(crate) fn next(&mut self, now: i64) -> Option<i64> {
        while self.timers.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, place)) = self.timers.pop_first()
        {
            if let Some(bucket) = self.buckets.get_mut(&place) {
                bucket.timer = None;
            }
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
            (Some(Block::Until(at)), _) => self.set_timer(&place, at),
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

    /// How many of a project wait, or are paused while they do.
    pub(crate) fn queued(&self, project: &str) -> usize {
        self.queues.get(project).copied().unwrap_or_default()
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
        if terms.most.is_some_and(|most| bucket.runs >= most) {
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
                Standing::Runs => {
                    *runs += 1;
                    bucket.runs += 1;
                    bucket.staying.extend(known.evicted.is_none().then_some((known.at, run)));
                }
                Standing::Waits => {
                    *waits += 1;
                    bucket.waits.insert(order);
                    bucket.queued.extend(known.evicted.is_none().then_some((known.at, run)));
                }
                Standing::Aside => {}
            }
        }
        if let Some(project) = self.queue_of(&known) {
            *self.queues.entry(project).or_default() += 1;
        }
        if known.standing == Standing::Waits {
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
                match known.standing {
                    Standing::Runs => {
                        *runs -= 1;
                        bucket.runs -= 1;
                        bucket.staying.remove(&(known.at, run));
                    }
                    Standing::Waits => {
                        *waits -= 1;
                        bucket.waits.remove(&order);
                        bucket.queued.remove(&(known.at, run));
                    }
                    Standing::Aside => {}
                }
            }
        }
        if let Some(project) = self.queue_of(&known)
            && let Some(count) = self.queues.get_mut(&project)
        {
            *count -= 1;
            if *count == 0 {
                self.queues.remove(&project);
            }
        }
        if known.standing == Standing::Waits {
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

    /// The project in whose queue a run is; all its limits are of that.
    fn queue_of(&self, known: &Known) -> Option<Arc<str>> {
        let is_queued = known.standing != Standing::Runs;
        let limit = known.places.first().filter(|_| is_queued)?.0;
        self.projects.get(&limit).cloned()
    }

    /// A place is looked at then, and has no other timer.
    fn set_timer(&mut self, place: &Place, at: i64) {
        let Some(bucket) = self.buckets.get_mut(place) else { return };
        if let Some(before) = bucket.timer.replace(at) {
            self.timers.remove(&(before, Arc::clone(place)));
        }
        self.timers.insert((at, Arc::clone(place)));
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
        let Some(bucket) = self.buckets.get(place) else { return };
        let (until, timer) = (bucket.until, bucket.timer);
        if bucket.runs > 0 || !bucket.waits.is_empty() || !bucket.lanes.is_empty() {
            return;
        }
        if until > now {
            return self.set_timer(place, until);
        }
        self.buckets.remove(place);
        if let Some(timer) = timer {
            self.timers.remove(&(timer, Arc::clone(place)));
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
    let evicted = known.evicted.map(|limit| Bytes::copy_from_slice(limit.as_bytes())).unwrap_or_default();
    Turn { places: places.collect(), rank: known.rank, at: known.at, standing, evicted }
}
