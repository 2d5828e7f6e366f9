//! The parts put together: what was learned of one series.

use super::{
    robust::{median, running_median, spread, trimmed_mean_amount},
    season::{PERIODS, Season},
    trend::{Buckets, Line},
};
use crate::promql::Steps;

/// Of fewer values nothing is learned.
pub const LEAST_VALUES: usize = 8;

/// Of the values, the newest part whose middle is the level from which a forecast goes on.
const NEWEST: usize = 8;
/// So many of them at least.
const LEAST_NEWEST: usize = 5;
/// The level of the past is a running median of this part of it.
const AROUND: usize = 4;
/// And of so many medians at least.
const LEAST_AROUND: usize = 9;
/// A season must bring values nearer by a tenth than none, and a week than a day: what is simpler is not given up for
/// chance.
const BETTER: f64 = 0.9;
/// What rounding may do to the largest value.
const ROUNDING: f64 = 1e-12;

/// What was learned of a series.
#[derive(Clone, Debug)]
pub struct Fit {
    pub(super) steps: Steps,
    /// How many values it was learned from.
    pub(super) count: usize,
    /// The last of them.
    pub(super) newest: (i64, f64),
    pub(super) scale: Scale,
    pub(super) parts: Parts,
}

impl Fit {
    /// Learns from values at steps. What is no finite number is a gap. Nothing of fewer than [`LEAST_VALUES`].
    pub fn learn(steps: Steps, values: &[f64]) -> Option<Self> {
        let finite = values.iter().take(steps.count).enumerate().filter(|(_, value)| value.is_finite());
        let mut points: Vec<(usize, f64)> = finite.map(|(place, value)| (place, *value)).collect();
        if points.len() < LEAST_VALUES {
            return None;
        }
        let &(last, value) = points.last()?;
        let newest = (steps.time(last), value);
        let scale = Scale::of(&points);
        for (_, value) in &mut points {
            *value = scale.down(*value);
        }
        let mut best = Parts::of(steps, &points, None);
        for (period, finest) in PERIODS {
            if let Some(season) = Season::find(steps, &points, period, finest) {
                let other = Parts::of(steps, &points, Some(season));
                if other.error < BETTER * best.error {
                    best = other;
                }
            }
        }
        if best.season.is_none() {
            let rest =
                |&(place, value): &(usize, f64)| (place, value - best.expected(place, steps.time(place)));
            let rests: Vec<(usize, f64)> = points.iter().map(rest).collect();
            let spikes = |(period, finest)| Season::of_spikes(steps, &rests, period, finest);
            if let Some(season) = PERIODS.into_iter().find_map(spikes) {
                best = Parts::of(steps, &points, Some(season));
            }
        }
        Some(Self { steps, count: points.len(), newest, scale, parts: best })
    }

    /// How many values it was learned from.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The last value that it was learned from, and its time in milliseconds.
    pub fn newest(&self) -> (i64, f64) {
        self.newest
    }

    /// How fast the series rises, a second.
    pub fn trend_per_second(&self) -> f64 {
        let seconds = self.steps.step as f64 / 1_000.0;
        within(self.parts.line.slope / seconds * self.scale.unit)
    }

    /// How it comes again; nothing where it does not.
    pub fn season(&self) -> Option<&Season> {
        self.parts.season.as_ref()
    }
}

/// Values around zero, none larger than 2: differences and squares of the largest numbers there are would be
/// infinite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) unit: f64,
    middle: f64,
}

impl Scale {
    fn of(points: &[(usize, f64)]) -> Self {
        let largest = points.iter().map(|(_, value)| value.abs()).fold(0.0, f64::max);
        let unit = if largest > 0.0 { largest } else { 1.0 };
        let mut values: Vec<f64> = points.iter().map(|(_, value)| value / unit).collect();
        Self { unit, middle: median(&mut values) }
    }

    pub(super) fn down(&self, value: f64) -> f64 {
        value / self.unit - self.middle
    }

    pub(super) fn up(&self, value: f64) -> f64 {
        within((value + self.middle) * self.unit)
    }
}

/// A finite number.
fn within(value: f64) -> f64 {
    value.clamp(f64::MIN, f64::MAX)
}

/// Trend, season and noise, in the units of a [`Scale`].
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) season: Option<Season>,
    pub(super) line: Line,
    /// How far the level is from the line, by place.
    wander: Vec<(f64, f64)>,
    /// How far values are from level and season.
    pub(super) noise: f64,
    /// How far values are from line and season: with what the level wanders.
    pub(super) around_line: f64,
    /// Where a forecast goes on: the middle of the newest values, and their place.
    pub(super) level: f64,
    pub(super) place: f64,
    /// From so many values the level comes.
    pub(super) newest: f64,
    /// How far values are from it all, for comparing.
    error: f64,
}

impl Parts {
    fn of(steps: Steps, points: &[(usize, f64)], season: Option<Season>) -> Self {
        let seasonal = |place: usize| season.as_ref().map_or(0.0, |season| season.at(steps.time(place)));
        let flat: Vec<(usize, f64)> =
            points.iter().map(|(place, value)| (*place, value - seasonal(*place))).collect();
        let buckets = Buckets::of(&flat, steps.count);
        let line = Line::through(&buckets);
        let wander = wander(&buckets, &line);
        let wider = season.as_ref().map_or(1.0, |season| season.wider);
        let rests: Vec<f64> = flat.iter().map(|(place, value)| value - line.at(*place as f64)).collect();
        let newest = (flat.len() / NEWEST).max(LEAST_NEWEST);
        let begin = flat.len() - newest;
        let place = flat[begin..].iter().map(|(place, _)| *place as f64).sum::<f64>() / newest as f64;
        let level = line.at(place) + median(&mut rests[begin..].to_vec());
        let around_line = spread(&rests) * wider;
        let rests: Vec<f64> = rests
            .iter()
            .zip(&flat)
            .map(|(rest, (place, _))| rest - between(&wander, *place as f64))
            .collect();
        Self {
            noise: (spread(&rests) * wider).max(ROUNDING),
            around_line,
            level,
            place,
            newest: newest as f64,
            error: trimmed_mean_amount(rests.into_iter()) * wider,
            season,
            line,
            wander,
        }
    }

    /// What is expected at a place of the past.
    pub(super) fn expected(&self, place: usize, time: i64) -> f64 {
        let season = self.season.as_ref().map_or(0.0, |season| season.at(time));
        self.line.at(place as f64) + between(&self.wander, place as f64) + season
    }
}

/// How far the level wanders from the line: a running median, which a while that is shorter than half of its width
/// does not move (Tukey 1977). As the trend of Vallis, Hochenbaum and Kejariwal (2014) is one of medians, and not of
/// means.
fn wander(buckets: &Buckets, line: &Line) -> Vec<(f64, f64)> {
    let points = buckets.places.iter().zip(&buckets.values);
    let rests: Vec<f64> = points.map(|(place, value)| value - line.at(*place)).collect();
    let width = (rests.len() / AROUND).max(LEAST_AROUND) | 1;
    buckets.places.iter().copied().zip(running_median(&rests, width)).collect()
}

/// A value at a place, in proportion between the two around it.
fn between(points: &[(f64, f64)], place: f64) -> f64 {
    let after = points.partition_point(|(at, _)| *at < place);
    match (after.checked_sub(1).and_then(|before| points.get(before)), points.get(after)) {
        (Some((from, low)), Some((to, high))) => low + (high - low) * ((place - from) / (to - from)),
        (Some((_, value)), None) | (None, Some((_, value))) => *value,
        (None, None) => 0.0,
    }
}
