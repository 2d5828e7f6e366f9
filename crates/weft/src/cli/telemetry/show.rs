//! Series for people: names as PromQL writes them, values, and lines of bars.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use prost_types::Timestamp;
use weft_proto::weft::telemetry::v1::{
    ListMetricsResponse, QueryInstantResponse, QueryRangeResponse, Series, TelemetryStatistics,
    WatchQueryResponse,
};

use crate::cli::output;

/// Bars of a line.
pub(super) const WIDTH: u32 = 60;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A series' name: `up{host="a"}`.
pub(super) fn name(series: &Series) -> String {
    let sorted: BTreeMap<_, _> = series.labels.iter().collect();
    let metric = series.labels.get("__name__").map_or("", String::as_str);
    let labels = sorted.into_iter().filter(|(name, _)| *name != "__name__");
    let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value:?}")).collect();
    match (metric, labels.is_empty()) {
        (metric, true) if !metric.is_empty() => metric.to_owned(),
        _ => format!("{metric}{{{}}}", labels.join(", ")),
    }
}

/// A value in at most six digits or so.
pub(super) fn value(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.fract().abs() < f64::EPSILON && value.abs() < 1e15 {
        return output::number(value as i64);
    }
    let digits = (5 - value.abs().log10().floor().clamp(-4.0, 5.0) as i32).max(0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Values as bars between the smallest and the largest; a gap is a space.
fn bars(values: &[Option<f64>]) -> String {
    let there = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let (least, most) = (there().fold(f64::INFINITY, f64::min), there().fold(f64::NEG_INFINITY, f64::max));
    let bar = |value: &Option<f64>| match value {
        Some(value) if value.is_finite() && most > least => {
            BARS[((value - least) / (most - least) * 7.0).round() as usize]
        }
        Some(value) if value.is_finite() => BARS[3],
        _ => ' ',
    };
    values.iter().map(bar).collect()
}

pub(super) fn instant(answer: &QueryInstantResponse) {
    if !answer.text.is_empty() {
        return output::line(&answer.text);
    }
    let rows = answer.series.iter().map(|series| {
        let values: Vec<String> = series.samples.iter().map(|sample| value(sample.value)).collect();
        vec![name(series), values.join(" ")]
    });
    output::table(&["series", "value"], &[1], rows);
}

pub(super) fn range(answer: &QueryRangeResponse, start: Timestamp, last: Duration) {
    let rows = answer.series.iter().map(|series| {
        let mut places = vec![None; WIDTH as usize + 1];
        for sample in &series.samples {
            let Some(time) = &sample.sample_time else { continue };
            let since = (time.seconds - start.seconds) as f64 + f64::from(time.nanos - start.nanos) / 1e9;
            let place = since / last.as_secs_f64() * f64::from(WIDTH);
            if let Some(place) = places.get_mut(place.max(0.0) as usize) {
                *place = Some(sample.value);
            }
        }
        let newest = series.samples.last().map_or(String::new(), |sample| value(sample.value));
        vec![name(series), bars(&places), newest]
    });
    output::table(&["series", "", "newest"], &[2], rows);
}

pub(super) fn metrics(answer: &ListMetricsResponse) {
    let rows = answer.metrics.iter().map(|metric| {
        let kind = metric.r#type().as_str_name().trim_start_matches("METRIC_TYPE_").to_lowercase();
        let kind = if kind == "unspecified" { String::new() } else { kind };
        let series = output::number(metric.series_count);
        vec![metric.metric.clone(), kind, metric.unit.clone(), series, metric.description.clone()]
    });
    output::table(&["metric", "type", "unit", "series", "description"], &[3], rows);
}

pub(super) fn status(answer: &TelemetryStatistics) {
    let per_sample = if answer.sealed_sample_count > 0 {
        format!("{:.2}", answer.sealed_bytes as f64 / answer.sealed_sample_count as f64)
    } else {
        String::new()
    };
    let rows = [
        ("series", output::number(answer.series_count)),
        ("series at most", output::number(answer.series_limit)),
        ("samples received", output::number(answer.received_sample_count)),
        ("samples repeated", output::number(answer.repeated_sample_count)),
        ("samples refused", output::number(answer.refused_sample_count)),
        ("late reports", output::number(answer.late_report_count)),
        ("samples sealed", output::number(answer.sealed_sample_count)),
        ("bytes sealed", output::number(answer.sealed_bytes)),
        ("bytes a sample", per_sample),
        ("samples thinned out", output::number(answer.thinned_sample_count)),
        ("samples forgotten", output::number(answer.forgotten_sample_count)),
        ("segments", output::number(answer.segment_count)),
        ("oldest sample", output::time(answer.oldest_time.as_ref())),
        ("bytes in memory", output::number(answer.memory_bytes)),
        ("logs", output::number(answer.log_count)),
        ("logs sealed", output::number(answer.sealed_log_count)),
        ("bytes of logs sealed", output::number(answer.sealed_log_bytes)),
        ("spans", output::number(answer.span_count)),
        ("spans sealed", output::number(answer.sealed_span_count)),
        ("bytes of spans sealed", output::number(answer.sealed_span_bytes)),
    ];
    output::table(&["what", "value"], &[1], rows.map(|(what, value)| vec![what.to_owned(), value]));
}

/// What a watch has shown of each series.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<String, VecDeque<Option<f64>>>);

impl Seen {
    /// One more answer: a line for each series, with what was before.
    pub(super) fn show(&mut self, answer: &WatchQueryResponse) {
        let mut now: BTreeMap<String, f64> = BTreeMap::new();
        for series in &answer.series {
            if let Some(sample) = series.samples.last() {
                now.insert(name(series), sample.value);
            }
        }
        for (name, value) in &now {
            self.0.entry(name.clone()).or_default().push_back(Some(*value));
        }
        let time = output::time(answer.query_time.as_ref());
        for (name, values) in &mut self.0 {
            if !now.contains_key(name) {
                values.push_back(None);
            }
            while values.len() > WIDTH as usize {
                values.pop_front();
            }
        }
        // Series that are long gone take no place.
        self.0.retain(|_, values| values.iter().any(Option::is_some));
        let rows = self.0.iter().map(|(name, values)| {
            let newest = values.back().copied().flatten().map_or(String::new(), value);
            vec![name.clone(), bars(values.clone().make_contiguous()), newest]
        });
        output::table(&[&*time, "", "now"], &[2], rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_and_bars_have_gaps() {
        let shown = [0.0, 1_234_567.0, 0.123_456_78, 12.5, 1_234.567_8, f64::NAN, -2.0].map(value);
        assert_eq!(shown, ["0", "1,234,567", "0.123457", "12.5", "1234.57", "NaN", "-2"]);
        assert_eq!(bars(&[Some(0.0), None, Some(7.0), Some(3.5)]), "▁ █▅");
        assert_eq!(bars(&[Some(1.0), Some(1.0)]), "▄▄");
    }

    #[test]
    fn names_read_as_in_queries() {
        let series = |labels: &[(&str, &str)]| Series {
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            samples: Vec::new(),
        };
        assert_eq!(name(&series(&[("__name__", "up"), ("b", "1"), ("a", "2")])), r#"up{a="2", b="1"}"#);
        assert_eq!(name(&series(&[("__name__", "up")])), "up");
        assert_eq!(name(&series(&[])), "{}");
    }
}
