//! Vectors written from the published semantics.

use super::*;
use crate::{
    Labels,
    group::Samples,
    value::{STALE, is_absent},
};

/// Series in memory.
struct Memory(Vec<StoredSeries>);

impl Source for Memory {
    fn select(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        limits: &Limits,
    ) -> Result<Vec<StoredSeries>, Failure> {
        let mut count = 0;
        let mut found = Vec::new();
        for series in &self.0 {
            if matchers.iter().all(|matcher| matcher.is_match(series.labels.get(&matcher.name))) {
                let mut samples = Samples::default();
                samples.extend(&series.samples.times, &series.samples.values, from, to);
                count += samples.times.len() as u64;
                found.push(StoredSeries {
                    labels: series.labels.clone(),
                    samples,
                    coarse: Coarse::default(),
                });
            }
        }
        if count > limits.samples {
            return Err(Failure::TooMuch { what: "samples", most: limits.samples });
        }
        Ok(found)
    }
}

fn series(labels: &[(&str, &str)], every: i64, values: &[f64]) -> StoredSeries {
    let times = (0..values.len() as i64).map(|row| row * every * 1_000).collect();
    StoredSeries {
        labels: Labels::new(labels.iter().copied()),
        samples: Samples { times, values: values.to_vec() },
        coarse: Coarse::default(),
    }
}

/// Seconds, ten apart, and what they are: a counter that restarts, gauges, buckets, a series that ends.
fn world() -> Memory {
    let count = |from: i32, to: i32, step: i32| (from..to).map(|n| f64::from(n * step)).collect::<Vec<_>>();
    let mut restarts = count(0, 31, 10);
    for value in &mut restarts[15..] {
        *value -= 150.0;
    }
    let mut ended = count(0, 20, 1);
    ended.push(STALE);
    Memory(vec![
        series(&[("__name__", "requests_total"), ("job", "api"), ("instance", "a")], 10, &count(0, 61, 10)),
        series(&[("__name__", "requests_total"), ("job", "api"), ("instance", "b")], 10, &count(0, 61, 20)),
        series(&[("__name__", "requests_total"), ("job", "db"), ("instance", "a")], 10, &restarts),
        series(
            &[("__name__", "temperature"), ("room", "one")],
            10,
            &[20.0, 21.0, 19.0, f64::NAN, 22.0, 20.0],
        ),
        series(&[("__name__", "temperature"), ("room", "two")], 10, &[10.0, 10.0, 10.0, 10.0, 10.0, 12.0]),
        series(&[("__name__", "limit"), ("room", "one"), ("kind", "hot")], 10, &[25.0; 6]),
        series(&[("__name__", "limit"), ("room", "two"), ("kind", "cold")], 10, &[11.0; 6]),
        series(&[("__name__", "ended")], 10, &ended),
        series(&[("__name__", "latency_bucket"), ("le", "0.1")], 10, &[0.0, 10.0]),
        series(&[("__name__", "latency_bucket"), ("le", "0.5")], 10, &[0.0, 30.0]),
        series(&[("__name__", "latency_bucket"), ("le", "1")], 10, &[0.0, 40.0]),
        series(&[("__name__", "latency_bucket"), ("le", "+Inf")], 10, &[0.0, 40.0]),
    ])
}

/// The answer at a second, as text: one line for each series.
fn at(query: &str, second: i64) -> Vec<String> {
    let query = Query::parse(query).unwrap_or_else(|failure| panic!("{query}: {failure}"));
    match instant(&query, &world(), second * 1_000, &Limits::default()) {
        Ok(Answer::Vector(rows)) => {
            rows.iter().map(|row| format!("{} {}", row.labels, rounded(row.values[0]))).collect()
        }
        Ok(Answer::Scalar(values)) => vec![rounded(values[0])],
        Ok(Answer::Text(text)) => vec![text],
        Ok(Answer::Matrix(series)) => {
            series.iter().map(|series| format!("{} {:?}", series.labels, series.samples.values)).collect()
        }
        Err(failure) => vec![format!("! {failure}")],
    }
}

fn rounded(value: f64) -> String {
    format_value((value * 1e6).round() / 1e6)
}

#[track_caller]
fn check(second: i64, query: &str, expected: &[&str]) {
    assert_eq!(at(query, second), expected, "{query}");
}

#[test]
fn the_newest_value_counts_for_five_minutes() {
    check(50, "temperature{room=\"two\"}", &[r#"temperature{room="two"} 12"#]);
    check(349, "temperature{room=\"two\"}", &[r#"temperature{room="two"} 12"#]);
    check(350, "temperature{room=\"two\"}", &[]);
    check(55, "temperature{room=\"two\"} offset 20s", &[r#"temperature{room="two"} 10"#]);
    check(55, "temperature{room=\"two\"} @ 50", &[r#"temperature{room="two"} 12"#]);
    check(55, "temperature{room=\"two\"} @ end() offset 10s", &[r#"temperature{room="two"} 10"#]);
    check(195, "ended", &["ended 19"]);
    check(200, "ended", &[]);
    check(205, "count_over_time(ended[20s])", &["{} 1"]);
    check(30, "temperature{room=\"one\"}", &[r#"temperature{room="one"} NaN"#]);
}

#[test]
fn windows_do_not_include_their_beginning() {
    check(50, "count_over_time(temperature{room=\"two\"}[20s])", &[r#"{room="two"} 2"#]);
    check(50, "temperature{room=\"two\"}[20s]", &[r#"temperature{room="two"} [10.0, 12.0]"#]);
    check(50, "max_over_time(temperature[1m])", &[r#"{room="one"} 22"#, r#"{room="two"} 12"#]);
    check(50, "min_over_time(temperature[1m])", &[r#"{room="one"} 19"#, r#"{room="two"} 10"#]);
    check(20, "avg_over_time(temperature[1m])", &[r#"{room="one"} 20"#, r#"{room="two"} 10"#]);
    check(20, "sum_over_time(temperature[1m])", &[r#"{room="one"} 60"#, r#"{room="two"} 30"#]);
    check(20, "stddev_over_time(temperature[1m])", &[r#"{room="one"} 0.816497"#, r#"{room="two"} 0"#]);
    check(20, "quantile_over_time(0.5, temperature[1m])", &[r#"{room="one"} 20"#, r#"{room="two"} 10"#]);
    check(20, "last_over_time(temperature{room=\"one\"}[1m])", &[r#"temperature{room="one"} 19"#]);
    check(20, "changes(temperature[1m])", &[r#"{room="one"} 2"#, r#"{room="two"} 0"#]);
    check(300, "resets(requests_total{job=\"db\"}[5m])", &[r#"{instance="a", job="db"} 1"#]);
    check(900, "absent_over_time(nothing[5m])", &["{} 1"]);
}

#[test]
fn rates_reach_to_the_ends_of_their_window() {
    // Samples at 250 … 300, ten apart, 10 more each: the window (240, 300] is extended by 10 s at its beginning.
    check(
        300,
        "rate(requests_total{job=\"api\"}[1m])",
        &[r#"{instance="a", job="api"} 1"#, r#"{instance="b", job="api"} 2"#],
    );
    check(
        300,
        "increase(requests_total{job=\"api\",instance=\"a\"}[1m])",
        &[r#"{instance="a", job="api"} 60"#],
    );
    // Ends of a window that are not on samples: 250 … 300 of (245, 305]; 5 s before, 5 s after.
    check(
        305,
        "increase(requests_total{job=\"api\",instance=\"a\"}[1m])",
        &[r#"{instance="a", job="api"} 60"#],
    );
    // Not before it was zero: the first sample is 10, so it began at most ten seconds earlier.
    check(
        30,
        "increase(requests_total{job=\"api\",instance=\"a\"}[1m])",
        &[r#"{instance="a", job="api"} 30"#],
    );
    // A restart: 0 … 140, 0 … 150 is 140 + 150 = 290 in 300 s; its window reaches back to where it was zero.
    check(300, "increase(requests_total{job=\"db\"}[10m])", &[r#"{instance="a", job="db"} 290"#]);
    check(150, "irate(requests_total{job=\"db\"}[1m])", &[r#"{instance="a", job="db"} 0"#]);
    check(160, "irate(requests_total{job=\"db\"}[1m])", &[r#"{instance="a", job="db"} 1"#]);
    check(50, "delta(temperature{room=\"two\"}[1m])", &[r#"{room="two"} 2.4"#]);
    check(50, "idelta(temperature{room=\"two\"}[1m])", &[r#"{room="two"} 2"#]);
    check(50, "rate(temperature{room=\"two\"}[10s])", &[]);
    check(300, "deriv(requests_total{instance=\"b\"}[2m])", &[r#"{instance="b", job="api"} 2"#]);
    check(
        300,
        "predict_linear(requests_total{instance=\"b\"}[2m], 60)",
        &[r#"{instance="b", job="api"} 720"#],
    );
}

#[test]
fn many_series_become_few() {
    check(300, "sum(requests_total)", &["{} 1050"]);
    check(300, "sum by (job) (requests_total)", &[r#"{job="api"} 900"#, r#"{job="db"} 150"#]);
    check(300, "avg without (job, instance) (requests_total)", &["{} 350"]);
    check(300, "count(requests_total)", &["{} 3"]);
    check(300, "min(requests_total)", &["{} 150"]);
    check(300, "max(requests_total)", &["{} 600"]);
    check(300, "quantile(0.5, requests_total)", &["{} 300"]);
    check(300, "stddev(requests_total)", &["{} 187.082869"]);
    check(
        300,
        "topk(2, requests_total)",
        &[r#"requests_total{instance="b", job="api"} 600"#, r#"requests_total{instance="a", job="api"} 300"#],
    );
    check(300, "bottomk(1, requests_total)", &[r#"requests_total{instance="a", job="db"} 150"#]);
    check(20, "count_values(\"value\", temperature)", &[r#"{value="10"} 1"#, r#"{value="19"} 1"#]);
    check(300, "group by (job) (requests_total)", &[r#"{job="api"} 1"#, r#"{job="db"} 1"#]);
}

#[test]
fn operators_match_by_labels() {
    check(50, "temperature + 1", &[r#"{room="one"} 21"#, r#"{room="two"} 13"#]);
    check(50, "1 - temperature{room=\"one\"}", &[r#"{room="one"} -19"#]);
    check(50, "temperature > 15", &[r#"temperature{room="one"} 20"#]);
    check(50, "15 < bool temperature", &[r#"{room="one"} 1"#, r#"{room="two"} 0"#]);
    check(50, "temperature / on (room) limit", &[r#"{room="one"} 0.8"#, r#"{room="two"} 1.090909"#]);
    check(50, "temperature / ignoring (kind) limit", &[r#"{room="one"} 0.8"#, r#"{room="two"} 1.090909"#]);
    check(50, "temperature > on (room) limit", &[r#"{room="two"} 12"#]);
    check(
        50,
        "temperature * on (room) group_left (kind) limit",
        &[r#"{kind="cold", room="two"} 132"#, r#"{kind="hot", room="one"} 500"#],
    );
    check(
        50,
        "limit * on (room) group_right (kind) limit",
        &[r#"{kind="cold", room="two"} 121"#, r#"{kind="hot", room="one"} 625"#],
    );
    check(50, "temperature / limit", &[]);
    check(50, "temperature and on (room) limit{kind=\"hot\"}", &[r#"temperature{room="one"} 20"#]);
    check(50, "temperature unless on (room) limit{kind=\"hot\"}", &[r#"temperature{room="two"} 12"#]);
    check(
        50,
        "temperature{room=\"one\"} or temperature",
        &[r#"temperature{room="one"} 20"#, r#"temperature{room="two"} 12"#],
    );
    check(50, "2 ^ 3 ^ 2 % 5", &["2"]);
    check(50, "-temperature{room=\"two\"}", &[r#"{room="two"} -12"#]);
    let several = at("requests_total + on (job) requests_total", 300);
    assert!(several[0].starts_with("! several series"), "{several:?}");
}

#[test]
fn functions_do_what_they_say() {
    check(50, "abs(temperature - 15)", &[r#"{room="one"} 5"#, r#"{room="two"} 3"#]);
    check(50, "clamp(temperature, 13, 19)", &[r#"{room="one"} 19"#, r#"{room="two"} 13"#]);
    check(50, "clamp_max(temperature{room=\"one\"}, 5)", &[r#"{room="one"} 5"#]);
    check(50, "round(temperature{room=\"two\"} / 5)", &[r#"{room="two"} 2"#]);
    check(50, "round(temperature{room=\"two\"} / 5, 0.5)", &[r#"{room="two"} 2.5"#]);
    check(50, "sort(temperature)", &[r#"temperature{room="two"} 12"#, r#"temperature{room="one"} 20"#]);
    check(50, "sort_desc(temperature)", &[r#"temperature{room="one"} 20"#, r#"temperature{room="two"} 12"#]);
    check(50, "scalar(temperature{room=\"one\"})", &["20"]);
    check(50, "scalar(temperature)", &["NaN"]);
    check(50, "vector(7)", &["{} 7"]);
    check(50, "time()", &["50"]);
    check(55, "timestamp(temperature{room=\"one\"})", &[r#"{room="one"} 50"#]);
    check(50, "absent(nothing{job=\"x\"})", &[r#"{job="x"} 1"#]);
    check(50, "absent(temperature)", &[]);
    check(
        50,
        "label_replace(temperature{room=\"one\"}, \"half\", \"$1\", \"room\", \"(..).*\")",
        &[r#"temperature{half="on", room="one"} 20"#],
    );
    check(
        50,
        "label_join(temperature{room=\"one\"}, \"both\", \"-\", \"room\", \"room\")",
        &[r#"temperature{both="one-one", room="one"} 20"#],
    );
    check(10, "histogram_quantile(0.5, latency_bucket)", &["{} 0.3"]);
    check(10, "histogram_quantile(0.9, sum by (le) (latency_bucket))", &["{} 0.8"]);
    check(10, "histogram_quantile(1, latency_bucket)", &["{} 1"]);
    check(10, "histogram_quantile(0.1, latency_bucket)", &["{} 0.04"]);
    check(0, "hour(vector(3600))", &["{} 1"]);
}

#[test]
fn queries_are_samples_too() {
    check(300, "max_over_time(sum(rate(requests_total{job=\"api\"}[1m]))[2m:30s])", &["{} 3"]);
    check(50, "count_over_time(temperature{room=\"two\"}[40s:10s])", &[r#"{room="two"} 4"#]);
}

#[test]
fn a_range_is_a_row_of_instants() {
    for text in [
        "sum by (job) (rate(requests_total[1m]))",
        "ended",
        "topk(1, requests_total)",
        "temperature > 20 or limit",
        "histogram_quantile(0.5, latency_bucket)",
        "avg_over_time(temperature[30s] offset 10s)",
        "max_over_time(temperature[1m:20s])",
    ] {
        let query = Query::parse(text).unwrap();
        let steps = Steps { first: -20_000, step: 7_000, count: 60 };
        let Ok(Answer::Vector(rows)) = range(&query, &world(), steps, &Limits::default()) else {
            panic!("{text}")
        };
        let mut points = 0;
        for step in 0..steps.count {
            let Ok(Answer::Vector(mut now)) = instant(&query, &world(), steps.time(step), &Limits::default())
            else {
                panic!("{text}")
            };
            now.sort_by(|one, other| one.labels.cmp(&other.labels));
            let there: Vec<(Labels, u64)> = rows
                .iter()
                .filter(|row| !is_absent(row.values[step]))
                .map(|row| (row.labels.clone(), row.values[step].to_bits()))
                .collect();
            let now: Vec<(Labels, u64)> =
                now.into_iter().map(|row| (row.labels, row.values[0].to_bits())).collect();
            assert_eq!(there, now, "{text} at {}", steps.time(step));
            points += now.len();
        }
        assert!(points > 0, "{text} finds nothing");
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let limits = Limits { samples: 10, ..Limits::default() };
    let query = Query::parse("sum(requests_total[5m])").err().or_else(|| {
        let query = Query::parse("sum(rate(requests_total[5m]))").unwrap();
        instant(&query, &world(), 300_000, &limits).err()
    });
    assert!(query.is_some());
    let query = Query::parse("sum(rate(requests_total[5m]))").unwrap();
    assert_eq!(
        instant(&query, &world(), 300_000, &limits).unwrap_err(),
        Failure::TooMuch { what: "samples", most: 10 }
    );
    assert!(matches!(Steps::new(0, 1_000_000, 1, 11_000), Err(Failure::TooMuch { what: "steps", .. })));
    assert!(Steps::new(10, 0, 1, 11_000).is_err());
    let late = Limits { deadline: Some(std::time::Instant::now()), ..Limits::default() };
    assert_eq!(instant(&query, &world(), 300_000, &late).unwrap_err(), Failure::TooLong);
    for deep in
        ["(".repeat(5_000), format!("{}1{}", "(".repeat(200), ")".repeat(200)), "- ".repeat(4_000) + "up"]
    {
        assert!(Query::parse(&deep).is_err());
    }
    let chain = vec!["1"; 2_000].join("+");
    assert!(Query::parse(&chain).is_err());
    for bad in ["", "sum(", "up{", "rate(up)", "limitk(1, up)", "{}", "up[5m]+1", "nonsense(up)"] {
        let failed =
            Query::parse(bad).and_then(|query| instant(&query, &world(), 0, &Limits::default()).map(drop));
        assert!(failed.is_err(), "{bad}");
    }
}
