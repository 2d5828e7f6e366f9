//! Quantiles of histograms whose buckets are counters with a label `le`.

use std::collections::HashMap;

use super::{
    context::Context,
    model::{Failure, Row},
};
use crate::{
    Labels,
    value::{ABSENT, is_absent, kept},
};

const BOUND: &str = "le";

pub(super) fn quantile(share: &[f64], rows: Vec<Row>, context: &Context<'_>) -> Result<Vec<Row>, Failure> {
    let mut order: Vec<Labels> = Vec::new();
    let mut histograms: HashMap<Labels, Vec<(f64, Row)>> = HashMap::new();
    for row in rows {
        let Some(bound) = bound(row.labels.get(BOUND)) else { continue };
        let labels = row.labels.without_metric().with(BOUND, "");
        let buckets = histograms.entry(labels.clone()).or_insert_with(|| {
            order.push(labels);
            Vec::new()
        });
        buckets.push((bound, row));
    }
    let mut out = Vec::with_capacity(order.len());
    for labels in order {
        context.limits.in_time()?;
        let mut buckets = histograms.remove(&labels).unwrap_or_default();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut row = Row::absent(labels, context.steps.count);
        for (step, value) in row.values.iter_mut().enumerate() {
            let counts: Vec<(f64, f64)> = buckets
                .iter()
                .map(|(bound, row)| (*bound, row.values[step]))
                .filter(|(_, count)| !is_absent(*count))
                .collect();
            *value = if counts.is_empty() { ABSENT } else { kept(of_buckets(share[step], counts)) };
        }
        out.push(row);
    }
    Ok(out)
}

fn bound(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" | "inf" | "+inf" => Some(f64::INFINITY),
        text => text.parse().ok(),
    }
}

/// Between the bounds of the bucket in which the rank falls, in proportion: Prometheus, `bucketQuantile`.
fn of_buckets(share: f64, counts: Vec<(f64, f64)>) -> f64 {
    if share.is_nan() {
        return f64::NAN;
    }
    if share < 0.0 {
        return f64::NEG_INFINITY;
    }
    if share > 1.0 {
        return f64::INFINITY;
    }
    let mut buckets: Vec<(f64, f64)> = Vec::with_capacity(counts.len());
    for (bound, count) in counts {
        match buckets.last_mut() {
            Some(last) if last.0 == bound => last.1 += count,
            _ => buckets.push((bound, count)),
        }
    }
    if buckets.len() < 2 || buckets.last().is_none_or(|last| last.0 != f64::INFINITY) {
        return f64::NAN;
    }
    // Scrapes are not atomic: a bucket may have counted less than the one below it.
    for place in 1..buckets.len() {
        buckets[place].1 = buckets[place].1.max(buckets[place - 1].1);
    }
    let all = buckets[buckets.len() - 1].1;
    if all == 0.0 || all.is_nan() {
        return f64::NAN;
    }
    let mut rank = share * all;
    let last = buckets.len() - 1;
    let place = buckets[..last].partition_point(|(_, count)| *count < rank);
    if place == last {
        return buckets[last - 1].0;
    }
    if place == 0 && buckets[0].0 <= 0.0 {
        return buckets[0].0;
    }
    let (end, mut count) = buckets[place];
    let mut begin = 0.0;
    if place > 0 {
        begin = buckets[place - 1].0;
        count -= buckets[place - 1].1;
        rank -= buckets[place - 1].1;
    }
    begin + (end - begin) * (rank / count)
}
