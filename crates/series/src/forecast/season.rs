//! What comes again by day or by week, and whether it really does.

use std::f64::consts::FRAC_PI_2;

use super::{
    robust::{median, median_without, running_median, spread, trimmed_mean_amount},
    trend::{Buckets, Line},
};
use crate::promql::Steps;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What may come again, and how long the shortest part of it is that is looked at by itself (milliseconds).
pub(super) const PERIODS: [(i64, i64); 2] = [(DAY, 5 * MINUTE), (7 * DAY, 15 * MINUTE)];

/// So many whole periods must have been seen: what has come twice may be chance.
const LEAST_PERIODS: usize = 3;
/// Into so many parts a period must be divided at least.
const LEAST_PARTS: usize = 4;
/// What explains less than this of what is not the trend is no season.
const LEAST_STRENGTH: f64 = 0.2;
/// A part is off from those around it where it is so many standard deviations away; else they speak for it too.
const OFF: f64 = 4.0;

/// How a series comes again.
#[derive(Clone, Debug)]
pub struct Season {
    /// After how long, in milliseconds: a day or a week.
    pub period: i64,
    /// How much of what is not the trend it explains, 0 to 1: measured on periods that it was not learned from.
    pub strength: f64,
    /// Milliseconds of a part.
    width: i64,
    /// How far each part is above or below the rest.
    parts: Vec<f64>,
    /// How much further values are from a season that was not learned from them than from one that was.
    pub(super) wider: f64,
}

impl Season {
    /// How far a time is above or below the rest.
    pub(super) fn at(&self, time: i64) -> f64 {
        let part = (time.rem_euclid(self.period) / self.width) as usize;
        self.parts.get(part).copied().unwrap_or_default()
    }

    /// What comes again for so short a while that the rest of the period says nothing of it (a backup): parts in
    /// which values without trend are clearly off in the middle of all periods; no others. Nothing if there are none.
    pub(super) fn of_spikes(steps: Steps, rests: &[(usize, f64)], period: i64, finest: i64) -> Option<Self> {
        let cells = Cells::of(steps, rests, period, finest)?;
        let known: Vec<f64> = cells.values.iter().copied().filter(|value| !value.is_nan()).collect();
        let least = OFF * spread(&known);
        let (mut left, mut whole) = (0.0, 0.0);
        let parts: Vec<f64> = cells
            .by_part(&cells.values)
            .into_iter()
            .map(|mut rests| {
                let middle = median(&mut rests);
                let is_off = rests.len() >= LEAST_PERIODS && middle.abs() > least;
                let part = if is_off { middle } else { 0.0 };
                whole += rests.iter().map(|rest| rest * rest).sum::<f64>();
                left += rests.iter().map(|rest| (rest - part).powi(2)).sum::<f64>();
                part
            })
            .collect();
        let strength = 1.0 - left / whole;
        let is_any = parts.iter().any(|part| *part != 0.0) && strength > 0.0;
        is_any.then_some(Self { period, strength, width: cells.width, parts, wider: 1.0 })
    }

    /// What comes again after a period; nothing if that was not seen often enough, or if periods do not tell more of each
    /// other than no season does. After Macaulay (1931): a level as long as a period is
    /// taken away, and each part of a period is the middle of what is left of it in all periods; here everything is a
    /// median. Whether it is one is asked by leaving out (Stone 1974): each period is compared with the middle of the others.
    pub(super) fn find(steps: Steps, points: &[(usize, f64)], period: i64, finest: i64) -> Option<Self> {
        let cells = Cells::of(steps, points, period, finest)?;
        let width = cells.width;
        let rests = cells.rests();
        let mut by_part = cells.by_part(&rests);
        // Parts that are never seen are no evidence against it: where samples are further apart than steps look back, that may
        // be every other one.
        let seen = by_part.iter().filter(|rests| !rests.is_empty()).count();
        let seen_once = by_part.iter().filter(|rests| rests.len() == 1).count();
        if seen < LEAST_PARTS || seen_once * 8 > seen {
            return None;
        }
        for rests in &mut by_part {
            rests.sort_by(f64::total_cmp);
        }
        let others: Vec<f64> = by_part
            .iter()
            .flat_map(|rests| {
                let each = rests.iter().enumerate();
                each.filter_map(|(rank, rest)| median_without(rests, rank).map(|middle| rest - middle))
            })
            .collect();
        let mut all: Vec<f64> = by_part.iter().flatten().copied().collect();
        let middle = median(&mut all);
        let without = trimmed_mean_amount(all.iter().map(|rest| rest - middle));
        let with = trimmed_mean_amount(others.iter().copied());
        let strength = if without > 0.0 { 1.0 - (with / without).powi(2) } else { 0.0 };
        if strength < LEAST_STRENGTH {
            return None;
        }
        let middles =
            by_part.iter_mut().map(|rests| if rests.is_empty() { f64::NAN } else { median(rests) - middle });
        // How far the median of so many values is from what it should be.
        let noise = spread(&others) * (FRAC_PI_2 * seen as f64 / all.len() as f64).sqrt();
        let parts = calmed(filled(middles.collect()), (HOUR / width) as usize, noise);
        let own: Vec<f64> = by_part
            .iter()
            .zip(&parts)
            .flat_map(|(rests, part)| rests.iter().map(move |rest| rest - middle - part))
            .collect();
        let own = spread(&own);
        let wider = if own > 0.0 { (spread(&others) / own).clamp(1.0, 2.0) } else { 1.0 };
        Some(Self { period, strength: strength.min(1.0), width, parts, wider })
    }
}

/// Values by part of a period, one after the other.
struct Cells {
    /// Number of the first, counted from the beginning of its period.
    first: usize,
    /// The middle of the values of each; NaN where there is none.
    values: Vec<f64>,
    /// So many are a period.
    period: usize,
    /// Milliseconds of each but for the last of a period, which may be shorter.
    width: i64,
}

impl Cells {
    /// Nothing if there are too few of them in a period, or too few periods.
    fn of(steps: Steps, points: &[(usize, f64)], period: i64, finest: i64) -> Option<Self> {
        let width = steps.step.max(finest);
        let count = (period / width + i64::from(period % width > 0)) as usize;
        let number = |place: usize| {
            let time = steps.time(place);
            let whole = time.div_euclid(period) - steps.first.div_euclid(period);
            whole as usize * count + (time.rem_euclid(period) / width) as usize
        };
        let (first, last) = (number(points.first()?.0), number(points.last()?.0));
        if count < LEAST_PARTS || last + 1 - first < LEAST_PERIODS * count {
            return None;
        }
        let mut values = vec![f64::NAN; last + 1 - first];
        let mut some = Vec::new();
        for chunk in points.chunk_by(|(one, _), (next, _)| number(*one) == number(*next)) {
            some.clear();
            some.extend(chunk.iter().map(|(_, value)| value));
            values[number(chunk[0].0) - first] = median(&mut some);
        }
        Some(Self { first, values, period: count, width })
    }

    /// Values of cells by the part of the period that they are.
    fn by_part(&self, values: &[f64]) -> Vec<Vec<f64>> {
        let mut parts = vec![Vec::new(); self.period];
        for (place, value) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
            parts[(self.first + place) % self.period].push(*value);
        }
        parts
    }

    /// What is left of each without a level that is as long as a period, which a season does not move. At the ends, where no
    /// whole period is around a cell, the level goes on with its slope.
    fn rests(&self) -> Vec<f64> {
        let mut level = running_median(&self.values, self.period);
        let (begin, end) = (self.period / 2, self.values.len() - self.period + self.period / 2);
        let inner: Vec<(usize, f64)> = (begin..=end)
            .filter_map(|place| Some((place - begin, *level.get(place)?)))
            .filter(|(_, level)| !level.is_nan())
            .collect();
        let slope = Line::through(&Buckets::of(&inner, end + 1 - begin)).slope;
        for (place, level) in level.iter_mut().enumerate() {
            let beyond = place as f64 - place.clamp(begin, end) as f64;
            *level += slope * beyond;
        }
        self.values.iter().zip(level).map(|(value, level)| value - level).collect()
    }
}

/// Parts that were never seen lie between those around them.
fn filled(mut parts: Vec<f64>) -> Vec<f64> {
    let count = parts.len();
    let known = parts.clone();
    let nearest = |place: usize, step: usize| {
        let mut places = (1..count).map(|by| known[(place + by * step) % count]);
        places.find(|value| !value.is_nan()).unwrap_or_default()
    };
    for (place, part) in parts.iter_mut().enumerate().filter(|(_, part)| part.is_nan()) {
        *part = f64::midpoint(nearest(place, 1), nearest(place, count - 1));
    }
    parts
}

/// Parts without the noise of the few periods that they come from: the median of those within an hour, where a part is
/// not clearly off from it. What lasts a part of an hour and is far off (a backup) stays, and so does an edge, which
/// a median does not blur. After the hard threshold of Donoho and Johnstone (1994).
fn calmed(parts: Vec<f64>, an_hour: usize, noise: f64) -> Vec<f64> {
    let (count, width) = (parts.len(), an_hour | 1);
    if width < 3 || count < 2 * width {
        return parts;
    }
    let around: Vec<f64> =
        (0..count + 2 * width).map(|place| parts[(place + count - width) % count]).collect();
    let calm = &running_median(&around, width)[width..width + count];
    let pairs = parts.iter().zip(calm);
    pairs.map(|(part, calm)| if (part - calm).abs() > OFF * noise { *part } else { *calm }).collect()
}
