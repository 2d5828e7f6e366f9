//! Points of OpenTelemetry's kinds of metrics, as samples.

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{
        ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, SummaryDataPoint,
        exponential_histogram_data_point::Buckets, number_data_point::Value,
    },
};
use weft_series::{
    promql::format_value,
    value::{STALE, kept},
};

use super::{Taken, otlp_labels::labels};
use crate::{samples::projects::Shared, state::State};

/// The flag of a point that says that there is no value any more.
const NO_VALUE: u32 = 1;
/// Buckets of an exponential histogram that are kept: neighbours are put together until there are no more.
const BUCKETS: usize = 160;

/// Where points go.
pub(super) struct Points<'p> {
    pub(super) state: &'p State,
    pub(super) project: &'p Shared,
    pub(super) taken: &'p mut Taken,
    pub(super) common: &'p [(String, String)],
    /// Time of the newest point.
    pub(super) newest: &'p mut i64,
}

/// What the points of a series have in common.
struct Of<'o> {
    attributes: &'o [KeyValue],
    time: i64,
    /// What was added since the last time, and not all of it.
    is_delta: bool,
}

impl Points<'_> {
    pub(super) fn numbers(&mut self, metric: &str, points: &[NumberDataPoint], is_delta: bool) {
        for point in points {
            let of = Of { attributes: &point.attributes, time: millis(point.time_unix_nano), is_delta };
            let value = match point.value {
                _ if point.flags & NO_VALUE != 0 => STALE,
                Some(Value::AsDouble(value)) => value,
                Some(Value::AsInt(value)) => value as f64,
                None => continue,
            };
            self.add(metric, &of, None, value);
        }
    }

    pub(super) fn histograms(&mut self, metric: &str, points: &[HistogramDataPoint], is_delta: bool) {
        for point in points {
            let of = Of { attributes: &point.attributes, time: millis(point.time_unix_nano), is_delta };
            let gone = point.flags & NO_VALUE != 0;
            let mut below = 0;
            let bounds = point.explicit_bounds.iter().copied().chain([f64::INFINITY]);
            let buckets = bounds.zip(&point.bucket_counts).map(|(bound, count)| {
                below += count;
                (bound, below)
            });
            self.buckets(metric, &of, gone, buckets.collect(), point.count, point.sum);
        }
    }

    pub(super) fn exponential(
        &mut self,
        metric: &str,
        points: &[ExponentialHistogramDataPoint],
        is_delta: bool,
    ) {
        for point in points {
            let of = Of { attributes: &point.attributes, time: millis(point.time_unix_nano), is_delta };
            let gone = point.flags & NO_VALUE != 0;
            let mut counts: Vec<(f64, u64)> = Vec::new();
            // The most negative first: a bucket ends where the next one to zero begins.
            if let Some(negative) = &point.negative {
                let buckets = coarse(negative, point.scale);
                counts.extend(
                    buckets.into_iter().rev().map(|(scale, index, count)| (-bound(scale, index), count)),
                );
            }
            counts.push((point.zero_threshold.max(0.0), point.zero_count));
            if let Some(positive) = &point.positive {
                let buckets = coarse(positive, point.scale);
                counts.extend(
                    buckets.into_iter().map(|(scale, index, count)| (bound(scale, index + 1), count)),
                );
            }
            counts.push((f64::INFINITY, 0));
            let mut below = 0;
            let buckets = counts.into_iter().map(|(bound, count)| {
                below += count;
                (bound, below)
            });
            self.buckets(metric, &of, gone, buckets.collect(), point.count, point.sum);
        }
    }

    pub(super) fn summaries(&mut self, metric: &str, points: &[SummaryDataPoint]) {
        for point in points {
            let of =
                Of { attributes: &point.attributes, time: millis(point.time_unix_nano), is_delta: false };
            let gone = point.flags & NO_VALUE != 0;
            for quantile in &point.quantile_values {
                let share = format_value(quantile.quantile);
                self.add(metric, &of, Some(("quantile", &share)), if gone { STALE } else { quantile.value });
            }
            self.add(&format!("{metric}_count"), &of, None, if gone { STALE } else { point.count as f64 });
            self.add(&format!("{metric}_sum"), &of, None, if gone { STALE } else { point.sum });
        }
    }

    fn buckets(
        &mut self,
        metric: &str,
        of: &Of<'_>,
        gone: bool,
        buckets: Vec<(f64, u64)>,
        count: u64,
        sum: Option<f64>,
    ) {
        let name = format!("{metric}_bucket");
        for (bound, below) in buckets {
            let bound = format_value(bound);
            self.add(&name, of, Some(("le", &bound)), if gone { STALE } else { below as f64 });
        }
        self.add(&format!("{metric}_count"), of, None, if gone { STALE } else { count as f64 });
        if let Some(sum) = sum {
            self.add(&format!("{metric}_sum"), of, None, if gone { STALE } else { sum });
        }
    }

    fn add(&mut self, metric: &str, of: &Of<'_>, more: Option<(&str, &str)>, value: f64) {
        *self.newest = (*self.newest).max(of.time);
        let labels = labels(metric, self.common, of.attributes, more);
        let Some(place) = self.taken.place(self.state, self.project, &labels, 1) else { return };
        let value = if of.is_delta && value.is_finite() {
            match self.state.deltas.add(&self.project.id, place, of.time, value) {
                Some(sum) => sum,
                None => return self.taken.refuse(1, super::TOO_MANY_SERIES),
            }
        } else {
            kept(value)
        };
        self.taken.table.add(place.group, place.number, of.time, value);
    }
}

/// Buckets with their scale and index, as few as are kept: two neighbours become one where there are too many.
fn coarse(buckets: &Buckets, scale: i32) -> Vec<(i32, i64, u64)> {
    let mut scale = scale;
    let counts = buckets.bucket_counts.iter().enumerate();
    let mut found: Vec<(i64, u64)> =
        counts.map(|(place, count)| (i64::from(buckets.offset) + place as i64, *count)).collect();
    while found.len() > BUCKETS {
        scale -= 1;
        let mut fewer: Vec<(i64, u64)> = Vec::with_capacity(found.len() / 2 + 1);
        for (index, count) in found {
            match fewer.last_mut() {
                Some(last) if last.0 == index.div_euclid(2) => last.1 += count,
                _ => fewer.push((index.div_euclid(2), count)),
            }
        }
        found = fewer;
    }
    found.into_iter().map(|(index, count)| (scale, index, count)).collect()
}

/// The lower bound of a bucket: the base to the power of its index, where the base is 2^(2^-scale).
fn bound(scale: i32, index: i64) -> f64 {
    (index as f64 * f64::from(-scale).exp2()).exp2()
}

fn millis(nanos: u64) -> i64 {
    (nanos / 1_000_000) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_end_at_powers_of_the_base() {
        assert_eq!([bound(0, 0), bound(0, 3), bound(-1, 1), bound(0, -1)], [1.0, 8.0, 4.0, 0.5]);
        assert!((bound(1, 1) - std::f64::consts::SQRT_2).abs() < 1e-12);
        let buckets = Buckets { offset: -100, bucket_counts: vec![1; 400] };
        let fewer = coarse(&buckets, 3);
        assert!(fewer.len() <= BUCKETS && fewer[0].0 == 1, "{}", fewer.len());
        assert_eq!(fewer.iter().map(|(_, _, count)| count).sum::<u64>(), 400);
    }
}
