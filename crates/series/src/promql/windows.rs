//! Functions of windows: rates of counters, slopes, and what is said `_over_time`.

use super::{
    context::{Context, merged},
    model::{Failure, Row, StoredSeries},
    select::{View, When, Window, over, without_marks},
    statistics::{least, mean, most, quantile, sum, variance},
};
use crate::{
    Labels,
    value::{ABSENT, is_absent},
};

pub(super) fn call(
    name: &str,
    series: Vec<StoredSeries>,
    range: i64,
    when: When,
    parameters: &[Vec<f64>],
    context: &Context<'_>,
) -> Result<Vec<Row>, Failure> {
    let parameter = |step: usize| parameters.first().map_or(f64::NAN, |values| values[step]);
    let mut rows = Vec::with_capacity(series.len());
    let window = Window { range, when, needed: needed(name) };
    for StoredSeries { labels, mut samples, coarse } in series {
        context.limits.in_time()?;
        without_marks(&mut samples);
        let values = over(&samples, &coarse, &window, context, |view, step| match name {
            "rate" => extrapolated(&view, true, true),
            "increase" => extrapolated(&view, true, false),
            "delta" => extrapolated(&view, false, false),
            "irate" => last_two(&view, true),
            "idelta" => last_two(&view, false),
            "deriv" => line(&view, view.times[0]).map(|(slope, _)| slope),
            "predict_linear" => line(&view, view.end).map(|(slope, now)| slope * parameter(step) + now),
            "changes" => {
                Some(steps_where(&view, |one, next| one != next && !(one.is_nan() && next.is_nan())))
            }
            "resets" => Some(steps_where(&view, |one, next| next < one)),
            "avg_over_time" => Some(mean(view.values)),
            "sum_over_time" => Some(sum(view.values.iter().copied())),
            "min_over_time" => Some(view.values.iter().copied().fold(f64::NAN, least)),
            "max_over_time" => Some(view.values.iter().copied().fold(f64::NAN, most)),
            "count_over_time" => Some(view.values.len() as f64),
            "last_over_time" => view.values.last().copied(),
            "first_over_time" => view.values.first().copied(),
            "present_over_time" | "absent_over_time" => Some(1.0),
            "stdvar_over_time" => Some(variance(view.values)),
            "stddev_over_time" => Some(variance(view.values).sqrt()),
            "quantile_over_time" => Some(quantile(parameter(step), view.values.to_vec())),
            "mad_over_time" => {
                let middle = quantile(0.5, view.values.to_vec());
                Some(quantile(0.5, view.values.iter().map(|value| (value - middle).abs()).collect()))
            }
            _ => None,
        });
        let keeps_name = matches!(name, "last_over_time" | "first_over_time");
        rows.push(Row { labels: if keeps_name { labels } else { labels.without_metric() }, values });
    }
    match name {
        "absent_over_time" => Ok(vec![absent(&rows, context)]),
        "rate" | "increase" | "delta" | "irate" | "idelta" | "deriv" | "predict_linear" | "changes"
        | "resets" => merged(rows),
        known if known.ends_with("_over_time") && is_known(known) => merged(rows),
        unknown => Err(Failure::Query(format!("{unknown} is not supported"))),
    }
}

/// How many samples a function needs to say what the series was like. Those that count samples get what there is.
fn needed(name: &str) -> usize {
    match name {
        "rate" | "increase" | "delta" | "irate" | "idelta" | "deriv" | "predict_linear" => 2,
        "sum_over_time" | "count_over_time" | "changes" | "resets" => 0,
        _ => 1,
    }
}

fn is_known(name: &str) -> bool {
    matches!(
        name.trim_end_matches("_over_time"),
        "avg"
            | "sum"
            | "min"
            | "max"
            | "count"
            | "last"
            | "first"
            | "present"
            | "stdvar"
            | "stddev"
            | "quantile"
            | "mad"
    )
}

/// One where no series has a value.
pub(super) fn absent(rows: &[Row], context: &Context<'_>) -> Row {
    let mut row = Row { labels: Labels::default(), values: vec![1.0; context.steps.count] };
    for (step, value) in row.values.iter_mut().enumerate() {
        if rows.iter().any(|row| !is_absent(row.values[step])) {
            *value = ABSENT;
        }
    }
    row
}

/// How much a series has changed in a window, to whose ends it is extended: as far as its samples lie apart on
/// average, where an end is not farther from them than that and a tenth; else half as far; and for a counter not
/// before it would have been zero. Prometheus, `extrapolatedRate`. Where samples of before the window joined, it is the
/// share of the window in what they cover.
fn extrapolated(view: &View<'_>, is_counter: bool, is_rate: bool) -> Option<f64> {
    let (times, values) = (view.times, view.values);
    let count = times.len();
    if count < 2 {
        return None;
    }
    let mut change = values[count - 1] - values[0];
    if is_counter {
        change += sum(values.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]));
    }
    let seconds = |millis: i64| millis as f64 / 1_000.0;
    let sampled = seconds(times[count - 1] - times[0]);
    let apart = sampled / (count - 1) as f64;
    let covered = view.range.max(view.end - times[0]);
    let mut before = seconds(times[0] - (view.end - covered));
    let mut after = seconds(view.end - times[count - 1]);
    let far = apart * 1.1;
    if before >= far {
        before = apart / 2.0;
    }
    if is_counter && change > 0.0 && values[0] >= 0.0 {
        before = before.min(sampled * (values[0] / change));
    }
    if after >= far {
        after = apart / 2.0;
    }
    let mut factor = (sampled + before + after) / sampled;
    if is_rate {
        factor /= seconds(covered);
    } else if covered > view.range {
        factor *= view.range as f64 / covered as f64;
    }
    Some(change * factor)
}

fn last_two(view: &View<'_>, is_rate: bool) -> Option<f64> {
    let [.., (before, one), (at, next)] = view.times.iter().zip(view.values).collect::<Vec<_>>()[..] else {
        return None;
    };
    if !is_rate {
        return Some(next - one);
    }
    let apart = (at - before) as f64 / 1_000.0;
    Some(if next < one { *next } else { next - one } / apart)
}

/// The line of least squares: its slope a second, and its height at `zero` (milliseconds).
fn line(view: &View<'_>, zero: i64) -> Option<(f64, f64)> {
    let count = view.times.len();
    if count < 2 {
        return None;
    }
    if view.values.iter().all(|value| *value == view.values[0]) && view.values[0].is_finite() {
        return Some((0.0, view.values[0]));
    }
    let n = count as f64;
    let places: Vec<f64> = view.times.iter().map(|time| (time - zero) as f64 / 1_000.0).collect();
    let x = sum(places.iter().copied());
    let y = sum(view.values.iter().copied());
    let xy = sum(places.iter().zip(view.values).map(|(x, y)| x * y));
    let xx = sum(places.iter().map(|x| x * x));
    let slope = (xy - x * y / n) / (xx - x * x / n);
    Some((slope, y / n - slope * x / n))
}

fn steps_where(view: &View<'_>, is: impl Fn(f64, f64) -> bool) -> f64 {
    view.values.windows(2).filter(|pair| is(pair[0], pair[1])).count() as f64
}
