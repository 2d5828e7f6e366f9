//! A line through values, and the range that its slope may have.

use super::robust::{median, spread};

/// Most medians that a line is laid through: it takes time that grows with their square.
pub const BUCKETS: usize = 256;

/// The 97.5th percentile of the normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// Medians of values that lie beside each other: few enough for what takes time that grows with their square.
#[derive(Debug)]
pub(super) struct Buckets {
    /// In the middle of its values.
    pub(super) places: Vec<f64>,
    pub(super) values: Vec<f64>,
}

impl Buckets {
    /// Of values at rising places below `count`.
    pub(super) fn of(points: &[(usize, f64)], count: usize) -> Self {
        let width = count.div_ceil(BUCKETS).max(1);
        let mut buckets = Self { places: Vec::new(), values: Vec::new() };
        let mut some: Vec<f64> = Vec::with_capacity(width);
        for chunk in points.chunk_by(|(one, _), (next, _)| one / width == next / width) {
            some.clear();
            some.extend(chunk.iter().map(|(_, value)| value));
            let places: f64 = chunk.iter().map(|(place, _)| *place as f64).sum();
            buckets.places.push(places / chunk.len() as f64);
            buckets.values.push(median(&mut some));
        }
        buckets
    }

    fn len(&self) -> usize {
        self.places.len()
    }
}

/// A line, and the range of its slope.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    /// A place.
    pub(super) slope: f64,
    /// With a probability of 95 in 100 it is between these.
    pub(super) low: f64,
    pub(super) high: f64,
    /// At place 0.
    pub(super) height: f64,
    /// For so many values beside each other one counts, because each is like the one before: 1 where they have
    /// nothing to do with each other.
    pub(super) alike: f64,
}

impl Line {
    pub(super) fn at(&self, place: f64) -> f64 {
        self.height + self.slope * place
    }

    /// The line whose slope is the median of the slopes between all pairs (Theil 1950; Sen 1968): up to 29 of 100
    /// values may be wild. The range of the slope is that of Sen, who counts from Kendall's variance how many of the
    /// sorted slopes may be left out at each end. That variance is of values that have nothing to do with each other;
    /// where each is like the one before it is multiplied, as Hamed and Rao (1998) do, here by (1 + r) / (1 - r) of
    /// their correlation r (Bayley and Hammersley 1946).
    pub(super) fn through(buckets: &Buckets) -> Self {
        let count = buckets.len();
        let mut slopes = Vec::with_capacity(count * count.saturating_sub(1) / 2);
        for one in 0..count {
            for other in one + 1..count {
                let apart = buckets.places[other] - buckets.places[one];
                slopes.push((buckets.values[other] - buckets.values[one]) / apart);
            }
        }
        if slopes.is_empty() {
            let height = buckets.values.first().copied().unwrap_or_default();
            return Self { height, alike: 1.0, ..Self::default() };
        }
        let slope = median(&mut slopes);
        let rest = |height: f64| {
            let points = buckets.places.iter().zip(&buckets.values);
            points.map(move |(place, value)| value - slope * place - height)
        };
        let height = median(&mut rest(0.0).collect::<Vec<_>>());
        let alike = alike(&rest(height).collect::<Vec<_>>());
        let n = count as f64;
        let out = Z * (alike * n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        let all = slopes.len() as f64;
        let mut rank = |rank: f64| {
            let rank = rank.clamp(0.0, all - 1.0) as usize;
            *slopes.select_nth_unstable_by(rank, f64::total_cmp).1
        };
        let (low, high) = (rank(f64::midpoint(all, -out).floor()), rank(f64::midpoint(all, out).ceil()));
        Self { slope, low: low.min(slope), high: high.max(slope), height, alike }
    }
}

/// For how many values one counts, by the correlation of each with the one before. Wild values are drawn in to three
/// spreads first. A correlation of few values is estimated too small, without their line by about (2 + 4r) / n, which is
/// added (after Kendall 1954).
fn alike(rest: &[f64]) -> f64 {
    let most = 3.0 * spread(rest);
    if most <= 0.0 || rest.len() < 3 {
        return 1.0;
    }
    let near: Vec<f64> = rest.iter().map(|value| value.clamp(-most, most)).collect();
    let both: f64 = near.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let own: f64 = near.iter().map(|value| value * value).sum();
    let estimate = both / own;
    let correlation = (estimate + (2.0 + 4.0 * estimate) / rest.len() as f64).clamp(0.0, 0.99);
    (1.0 + correlation) / (1.0 - correlation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(values: impl Iterator<Item = f64>) -> Line {
        let points: Vec<(usize, f64)> = values.enumerate().collect();
        Line::through(&Buckets::of(&points, points.len()))
    }

    #[test]
    fn a_line_is_found_whatever_a_quarter_of_the_values_is() {
        let line = through((0..1_000).map(|place| match place % 4 {
            0 => 1e6,
            _ => 5.0 + 0.25 * f64::from(place),
        }));
        assert!((line.slope - 0.25).abs() < 1e-9, "{line:?}");
        assert!((line.height - 5.0).abs() < 1.0, "{line:?}");
    }

    #[test]
    fn few_values_have_a_line_too() {
        assert_eq!(through(std::iter::empty()).slope, 0.0);
        let line = through([3.0].into_iter());
        assert_eq!((line.slope, line.height), (0.0, 3.0));
        let line = through([1.0, 2.0].into_iter());
        assert_eq!((line.slope, line.low, line.high, line.height), (1.0, 1.0, 1.0, 1.0));
    }

    #[test]
    fn a_bucket_is_the_median_of_its_values_and_gaps_stay_gaps() {
        let points: Vec<(usize, f64)> =
            (0..100).chain(900..1_024).map(|place| (place, place as f64)).collect();
        let buckets = Buckets::of(&points, 1_024);
        assert_eq!(buckets.len(), 25 + 31);
        assert_eq!((buckets.places[0], buckets.values[0]), (1.5, 1.5));
        assert_eq!((buckets.places[25], buckets.values[25]), (901.5, 901.5));
    }
}
