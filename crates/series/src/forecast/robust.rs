//! Medians, and spreads that wild values do not widen.

/// The median absolute deviation of a normal distribution is its standard deviation divided by this.
const OF_MEDIAN: f64 = 1.482_602_218_505_602;
/// The same of the mean absolute deviation.
const OF_MEAN: f64 = 1.253_314_137_315_500_3;
/// Share of the largest values that a trimmed mean leaves out.
const TRIMMED: f64 = 0.05;

/// The middle value, or the mean of the two; 0 of none. Puts the values into another order.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let count = values.len();
    if count == 0 {
        return 0.0;
    }
    let (below, middle, _) = values.select_nth_unstable_by(count / 2, f64::total_cmp);
    let middle = *middle;
    if count % 2 == 1 {
        return middle;
    }
    let lower = below.iter().copied().max_by(f64::total_cmp).unwrap_or(middle);
    f64::midpoint(lower, middle)
}

/// The median of sorted values without the one at `place`; nothing if it is the only one.
pub(super) fn median_without(sorted: &[f64], place: usize) -> Option<f64> {
    let rest = sorted.len().checked_sub(1).filter(|rest| *rest > 0)?;
    let at = |rank: usize| sorted[rank + usize::from(rank >= place)];
    Some(if rest % 2 == 1 { at(rest / 2) } else { f64::midpoint(at(rest / 2 - 1), at(rest / 2)) })
}

/// A standard deviation that wild values do not widen: the median absolute deviation from the median (Hampel 1974),
/// scaled to that of a normal distribution. Where more than half of the values are the same it is zero; then it is
/// the mean absolute deviation, as Iglewicz and Hoaglin (1993) advise.
pub(super) fn spread(values: &[f64]) -> f64 {
    let mut away = values.to_vec();
    let middle = median(&mut away);
    away.clear();
    away.extend(values.iter().map(|value| (value - middle).abs()));
    let typical = median(&mut away);
    if typical > 0.0 {
        return OF_MEDIAN * typical;
    }
    OF_MEAN * away.iter().sum::<f64>() / away.len().max(1) as f64
}

/// The mean amount of values, without the largest twentieth of them: it sees what a median is blind for (a third of
/// the values that are off), and not a few that are wild.
pub(super) fn trimmed_mean_amount(values: impl Iterator<Item = f64>) -> f64 {
    let mut amounts: Vec<f64> = values.map(f64::abs).collect();
    let kept = amounts.len() - (amounts.len() as f64 * TRIMMED) as usize;
    if kept == 0 {
        return 0.0;
    }
    amounts.select_nth_unstable_by(kept - 1, f64::total_cmp);
    amounts[..kept].iter().sum::<f64>() / kept as f64
}

/// Medians of a window around each value, as wide at the ends as elsewhere: there it is not in the middle (Tukey
/// 1977, running medians). A value that is NaN is a gap; a window of gaps has a gap for its median. Takes time of
/// O(count × log width + count × width / 8 words moved).
pub(super) fn running_median(values: &[f64], width: usize) -> Vec<f64> {
    let width = width.clamp(1, values.len().max(1));
    let mut sorted: Vec<f64> =
        values[..width.min(values.len())].iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = |sorted: &[f64]| match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    };
    let mut medians = Vec::with_capacity(values.len());
    let mut first = 0;
    for place in 0..values.len() {
        let wanted = place.saturating_sub(width / 2).min(values.len() - width);
        if wanted > first {
            let (gone, come) = (values[first], values[first + width]);
            first = wanted;
            if !gone.is_nan() {
                let at = sorted.partition_point(|value| value.total_cmp(&gone).is_lt());
                sorted.remove(at);
            }
            if !come.is_nan() {
                let at = sorted.partition_point(|value| value.total_cmp(&come).is_lt());
                sorted.insert(at, come);
            }
        }
        medians.push(middle(&sorted));
    }
    medians
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middles_and_spreads() {
        assert_eq!(median(&mut []), 0.0);
        assert_eq!(median(&mut [3.0]), 3.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median_without(&[1.0, 2.0, 9.0], 0), Some(5.5));
        assert_eq!(median_without(&[1.0, 2.0, 9.0, 10.0], 2), Some(2.0));
        assert_eq!(median_without(&[1.0], 0), None);
        assert!((spread(&[1.0, 2.0, 3.0, 4.0, 1_000.0]) - 1.482_602).abs() < 1e-6);
        // More than half are equal: the mean deviation is left.
        assert!((spread(&[1.0, 1.0, 1.0, 5.0]) - 1.253_314).abs() < 1e-6);
        assert_eq!(spread(&[7.0; 9]), 0.0);
        assert_eq!(spread(&[]), 0.0);
        let amounts = (0..20).map(|place| if place == 3 { 1e9 } else { -2.0 });
        assert_eq!(trimmed_mean_amount(amounts), 2.0);
        assert_eq!(trimmed_mean_amount(std::iter::empty()), 0.0);
    }

    #[test]
    fn running_medians_keep_edges_and_gaps() {
        let steps = [0.0, 0.0, 0.0, 0.0, 9.0, 0.0, 5.0, 5.0, 5.0, 5.0];
        assert_eq!(running_median(&steps, 3), [0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 5.0, 5.0, 5.0, 5.0]);
        let gaps = [1.0, f64::NAN, f64::NAN, f64::NAN, 3.0];
        let medians = running_median(&gaps, 3);
        assert_eq!((medians[0], medians[4]), (1.0, 3.0));
        assert!(medians[2].is_nan());
        assert_eq!(running_median(&[1.0, 2.0], 9), [1.5, 1.5]);
        assert!(running_median(&[], 3).is_empty());
    }
}
