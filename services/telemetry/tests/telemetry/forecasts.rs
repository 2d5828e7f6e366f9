//! What series are likely to be, and when they were not what they usually are.

use std::time::Duration;

use prost_types::Timestamp;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_proto::weft::telemetry::v1::{
    CrossingDirection, FindAnomaliesRequest, FindAnomaliesResponse, GetForecastRequest, GetForecastResponse,
};
use weft_telemetry::Options;

use crate::world::{PROJECT, Running, World, batch};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn timestamp(millis: i64) -> Timestamp {
    Timestamp { seconds: millis / 1_000, nanos: (millis % 1_000 * 1_000_000) as i32 }
}

fn millis(time: Option<&Timestamp>) -> i64 {
    let time = time.expect("it is told");
    time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

/// Eight days of a disk that fills by ten a day, of orders that come by day and were too many for an hour, and of
/// something that began an hour ago; every ten minutes.
async fn world() -> (World, Running) {
    let world = World::new(Options::default()).await;
    let running = world.start().await;
    let (now, every) = (world.now(), 10 * MINUTE);
    let times = || (0..=8 * 144).map(|row| now - 8 * DAY + row * every);
    let disk: Vec<f64> =
        times().map(|time| 20.0 + 10.0 * (time - now + 8 * DAY) as f64 / DAY as f64).collect();
    let busy = now - 6 * HOUR..now - 5 * HOUR;
    let orders: Vec<f64> = times()
        .map(|time| {
            let daily = (time.rem_euclid(DAY) as f64 / DAY as f64 * std::f64::consts::TAU).sin();
            // No noise, but no two days alike to the bit.
            let restless = f64::from((time / every % 7) as i32) * 0.1;
            50.0 + 20.0 * daily + restless + if busy.contains(&time) { 30.0 } else { 0.0 }
        })
        .collect();
    let mut reporter = running.attach(running.agent(), "projects/p/agents/a").await.unwrap();
    reporter.report(1, &["disk", "orders"], &batch(now - 8 * DAY, every, &[&disk, &orders])).await;
    reporter.acknowledged(1).await.unwrap();
    reporter.report(2, &["disk", "orders", "young"], &young(now, every)).await;
    reporter.acknowledged(2).await.unwrap();
    (world, running)
}

fn young(now: i64, every: i64) -> weft_series::Batch {
    weft_series::Batch { times: vec![now - 2 * every, now - every], columns: vec![(2, vec![1.0, 2.0])] }
}

fn forecast(query: &str) -> GetForecastRequest {
    GetForecastRequest { parent: PROJECT.into(), query: query.into(), ..GetForecastRequest::default() }
}

fn anomalies(query: &str) -> FindAnomaliesRequest {
    FindAnomaliesRequest { parent: PROJECT.into(), query: query.into(), ..FindAnomaliesRequest::default() }
}

async fn ask(running: &Running, request: GetForecastRequest) -> Result<GetForecastResponse, Status> {
    running.operator().get_forecast(request).await.map(tonic::Response::into_inner)
}

async fn find(running: &Running, request: FindAnomaliesRequest) -> Result<FindAnomaliesResponse, Status> {
    running.operator().find_anomalies(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_disk_is_full_in_so_many_days() {
    let (world, running) = world().await;
    let now = world.now();
    // It has 20 and gets 10 a day for 8 days: after 5 more it has 150.
    let request = GetForecastRequest {
        threshold: Some(150.0),
        horizon: Some(seconds(30 * 86_400)),
        ..forecast("disk")
    };
    let answer = ask(&running, request.clone()).await.unwrap();
    assert_eq!(answer.step, Some(seconds(600)));
    let [disk] = &answer.forecasts[..] else { panic!("{answer:?}") };
    assert_eq!(disk.labels["__name__"], "disk");
    assert_eq!(disk.sample_count, 7 * 144 + 1);
    assert_eq!(disk.newest.as_ref().unwrap().value, 100.0);
    assert!((disk.trend_per_second * 86_400.0 - 10.0).abs() < 1e-6);
    assert!(disk.season.is_none());
    let crossing = disk.crossing.as_ref().unwrap();
    for time in [&crossing.cross_time, &crossing.earliest_time, &crossing.latest_time] {
        assert!((millis(time.as_ref()) - now - 5 * DAY).abs() < MINUTE, "{crossing:?}");
    }
    assert_eq!(disk.points.len(), 120);
    let last = disk.points.last().unwrap();
    assert_eq!(millis(last.point_time.as_ref()), now + 30 * DAY);
    assert!((last.value - 400.0).abs() < 1e-6 && last.lower <= last.value && last.value <= last.upper);
    // From the other side it never comes there; and it has come to 100 already.
    let falling = CrossingDirection::Falling.into();
    let never = GetForecastRequest { direction: falling, threshold: Some(10.0), ..request.clone() };
    assert_eq!(ask(&running, never).await.unwrap().forecasts[0].crossing, None);
    let there = GetForecastRequest { threshold: Some(99.0), ..request };
    let there = ask(&running, there).await.unwrap().forecasts.remove(0).crossing.unwrap();
    assert_eq!(millis(there.cross_time.as_ref()), now);
}

#[tokio::test]
async fn a_season_goes_on_and_too_few_values_are_told() {
    let (world, running) = world().await;
    let now = world.now();
    let request = GetForecastRequest {
        horizon: Some(seconds(86_400)),
        point_count: 24,
        ..forecast("{__name__=~\"orders|young\"}")
    };
    let answer = ask(&running, request).await.unwrap();
    let [orders, young] = &answer.forecasts[..] else { panic!("{answer:?}") };
    let season = orders.season.as_ref().expect("orders come by day");
    assert_eq!(season.period, Some(seconds(86_400)));
    assert!(season.strength > 0.9);
    assert_eq!(orders.points.len(), 24);
    for point in &orders.points {
        let time = millis(point.point_time.as_ref());
        let daily = (time.rem_euclid(DAY) as f64 / DAY as f64 * std::f64::consts::TAU).sin();
        assert!((point.value - 50.3 - 20.0 * daily).abs() < 2.0, "{point:?}");
    }
    assert_eq!((young.sample_count, young.points.len()), (2, 0));
    assert_eq!(millis(young.newest.as_ref().unwrap().sample_time.as_ref()), now - 10 * MINUTE);
    // A number has a forecast, too.
    let number = ask(&running, forecast("7")).await.unwrap().forecasts.remove(0);
    assert_eq!((number.labels.len(), number.points[0].value), (0, 7.0));
    assert_eq!(ask(&running, forecast("nothing")).await.unwrap().forecasts, []);
}

#[tokio::test]
async fn what_was_not_as_usual_is_found() {
    let (world, running) = world().await;
    let now = world.now();
    let answer = find(&running, anomalies("{__name__=~\"disk|orders|young\"}")).await.unwrap();
    assert_eq!((answer.series_count, answer.anomalous_series_count), (3, 1));
    let [orders] = &answer.series[..] else { panic!("{answer:?}") };
    assert_eq!(orders.labels["__name__"], "orders");
    assert_eq!((orders.anomaly_count, orders.anomalies.len()), (1, 1));
    let found = &orders.anomalies[0];
    assert_eq!(found.peak_score, orders.peak_score);
    assert_eq!(millis(found.start_time.as_ref()), now - 6 * HOUR);
    assert_eq!(millis(found.end_time.as_ref()), now - 5 * HOUR - 10 * MINUTE);
    assert!((found.seen_value - found.expected_value - 30.0).abs() < 2.0, "{found:?}");
    assert_eq!(orders.season.as_ref().unwrap().period, Some(seconds(86_400)));
    // It was before the time that is looked at, or less than what is looked for.
    let later = FindAnomaliesRequest { start_time: Some(timestamp(now - 4 * HOUR)), ..anomalies("orders") };
    assert_eq!(find(&running, later).await.unwrap().series, []);
    let worse = FindAnomaliesRequest { min_score: 1e6, ..anomalies("orders") };
    assert_eq!(find(&running, worse).await.unwrap().anomalous_series_count, 0);
    assert_eq!(find(&running, anomalies("nothing")).await.unwrap().series_count, 0);
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_its_field() {
    let (world, running) = world().await;
    let fields = |status: Status| {
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let details = status.get_error_details();
        let violations = details.bad_request().expect("it names a field").field_violations.clone();
        violations.into_iter().map(|violation| violation.field).collect::<Vec<_>>()
    };
    let at = |days: i64| Some(timestamp(world.now() + days * DAY));
    let step = GetForecastRequest { step: Some(seconds(0)), ..forecast("disk") };
    let backwards = GetForecastRequest { start_time: at(1), ..forecast("disk") };
    let at_once = GetForecastRequest { horizon: Some(seconds(0)), ..forecast("disk") };
    let eternal = GetForecastRequest { horizon: Some(seconds(11 * 366 * 86_400)), ..forecast("disk") };
    let infinite = GetForecastRequest { threshold: Some(f64::INFINITY), ..forecast("disk") };
    let many = GetForecastRequest { point_count: 1_001, ..forecast("disk") };
    let unknown = GetForecastRequest { direction: 7, ..forecast("disk") };
    let all = [
        (step, "step"),
        (backwards, "end_time"),
        (at_once, "horizon"),
        (eternal, "horizon"),
        (infinite, "threshold"),
        (many, "point_count"),
        (unknown, "direction"),
        (forecast("sum("), "query"),
    ];
    for (request, field) in all {
        assert_eq!(fields(ask(&running, request).await.unwrap_err()), [field]);
    }
    let step = FindAnomaliesRequest { step: Some(seconds(-1)), ..anomalies("disk") };
    let backwards = FindAnomaliesRequest { start_time: at(1), ..anomalies("disk") };
    let forever = FindAnomaliesRequest { learn_duration: Some(seconds(400 * 86_400)), ..anomalies("disk") };
    let little = FindAnomaliesRequest { min_score: 0.5, ..anomalies("disk") };
    let all = [(step, "step"), (backwards, "end_time"), (forever, "learn_duration"), (little, "min_score")];
    for (request, field) in all {
        assert_eq!(fields(find(&running, request).await.unwrap_err()), [field]);
    }
}

#[tokio::test]
async fn what_would_take_too_much_is_refused() {
    let slow = Options { query_timeout: Duration::ZERO, ..Options::default() };
    let running = World::new(slow).await.start().await;
    for refused in [ask(&running, forecast("1")).await.err(), find(&running, anomalies("1")).await.err()] {
        assert_eq!(refused.unwrap().get_error_details().error_info().unwrap().reason, "QUERY_TOO_SLOW");
    }
    let (world, running) = world().await;
    let too_large = |status: Status| {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.reason, "QUERY_TOO_LARGE");
        info.metadata["what"].clone()
    };
    let fine = GetForecastRequest { step: Some(seconds(1)), ..forecast("disk") };
    assert_eq!(too_large(ask(&running, fine).await.unwrap_err()), "steps");
    let fine = FindAnomaliesRequest { step: Some(seconds(1)), ..anomalies("disk") };
    assert_eq!(too_large(find(&running, fine).await.unwrap_err()), "steps");
    let names: Vec<String> = (0..2_001).map(|number| format!("many{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let columns = vec![&[1.0][..]; names.len()];
    let mut reporter = running.attach(running.operator(), "projects/p/agents/b").await.unwrap();
    reporter.report(1, &names, &batch(world.now() - MINUTE, 1, &columns)).await;
    reporter.acknowledged(1).await.unwrap();
    let (many, some) = ("{__name__=~\"many.+\"}", "{__name__=~\"many..?\"}");
    assert_eq!(too_large(ask(&running, forecast(many)).await.unwrap_err()), "series");
    assert_eq!(too_large(find(&running, anomalies(many)).await.unwrap_err()), "series");
    let points = GetForecastRequest { point_count: 501, ..forecast(some) };
    assert_eq!(too_large(ask(&running, points.clone()).await.unwrap_err()), "points");
    let fewer = GetForecastRequest { point_count: 500, ..points };
    assert_eq!(ask(&running, fewer).await.unwrap().forecasts.len(), 100);
}
