//! Numbers of many numbers, as Prometheus computes them.

use std::cmp::Ordering;

/// The sum, with what is lost by rounding added at the end (Neumaier 1974).
pub(super) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0);
    for value in values {
        let next = sum + value;
        if next.is_infinite() {
            lost = 0.0;
        } else if sum.abs() >= value.abs() {
            lost += (sum - next) + value;
        } else {
            lost += (value - next) + sum;
        }
        sum = next;
    }
    sum + lost
}

pub(super) fn mean(values: &[f64]) -> f64 {
    let total = sum(values.iter().copied());
    let count = values.len() as f64;
    if total.is_infinite() && values.iter().all(|value| value.is_finite()) {
        return sum(values.iter().map(|value| value / count));
    }
    total / count
}

pub(super) fn variance(values: &[f64]) -> f64 {
    let middle = mean(values);
    sum(values.iter().map(|value| (value - middle) * (value - middle))) / values.len() as f64
}

/// NaN only if all are.
pub(super) fn least(one: f64, other: f64) -> f64 {
    if other < one || one.is_nan() { other } else { one }
}

/// NaN only if all are.
pub(super) fn most(one: f64, other: f64) -> f64 {
    if other > one || one.is_nan() { other } else { one }
}

/// By value; NaN last.
pub(super) fn compare(one: f64, other: f64, largest: bool) -> Ordering {
    match (one.is_nan(), other.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if largest => other.total_cmp(&one),
        _ => one.total_cmp(&other),
    }
}

/// The value below which a share of the values lies, between two of them in proportion.
pub(super) fn quantile(share: f64, mut values: Vec<f64>) -> f64 {
    if values.is_empty() || share.is_nan() {
        return f64::NAN;
    }
    if share < 0.0 {
        return f64::NEG_INFINITY;
    }
    if share > 1.0 {
        return f64::INFINITY;
    }
    // As Prometheus sorts: NaN before all others.
    values.sort_by(|one, other| match (one.is_nan(), other.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => one.total_cmp(other),
    });
    let rank = share * (values.len() - 1) as f64;
    let below = rank.floor().max(0.0) as usize;
    let above = (below + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[below] * (1.0 - weight) + values[above] * weight
}
