//! The report stream: on disk when it is acknowledged, and counted once.

use tonic::Code;
use tonic_types::StatusExt;
use weft_telemetry::Options;

use crate::world::{World, batch, nothing};

const AGENT: &str = "projects/p/agents/a";

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let world = World::new(Options::default()).await;
    let now = world.now();
    let running = world.start().await;
    let mut reporter = running.attach(running.agent(), AGENT).await.unwrap();
    for sequence in 1..=50 {
        let at = now - 60_000 + sequence * 1_000;
        reporter.report(sequence, &["cpu", "memory"], &batch(at, 1, &[&[sequence as f64], &[0.5]])).await;
    }
    reporter.acknowledged(50).await.unwrap();
    assert_eq!(running.ask("sum_over_time(cpu[5m])", now).await, [("host=a".to_owned(), 1_275.0)]);
    drop(reporter);
    running.stop().await;

    let running = world.start().await;
    assert_eq!(running.ask("count_over_time(cpu[5m])", now).await, [("host=a".to_owned(), 50.0)]);
    assert_eq!(running.ask("sum_over_time(memory[5m])", now).await, [("host=a".to_owned(), 25.0)]);
    let mut again = running.attach(running.agent(), AGENT).await.unwrap();
    assert_eq!(again.acknowledged, 50);
    // Sent again, because its acknowledgement was lost: nothing changes, whatever it says.
    again.report(50, &["cpu", "memory"], &batch(now, 1, &[&[9_999.0], &[1.0]])).await;
    again.acknowledged(50).await.unwrap();
    assert_eq!(running.ask("sum_over_time(cpu[5m])", now).await, [("host=a".to_owned(), 1_275.0)]);
    again.report(51, &["cpu", "memory"], &batch(now, 1, &[&[1.0], &[1.0]])).await;
    again.acknowledged(51).await.unwrap();
    assert_eq!(running.ask("sum_over_time(cpu[5m])", now).await, [("host=a".to_owned(), 1_276.0)]);
}

#[tokio::test]
async fn late_and_repeated_samples_are_one_sample() {
    let world = World::new(Options::default()).await;
    let now = world.now();
    let running = world.start().await;
    let mut reporter = running.attach(running.agent(), AGENT).await.unwrap();
    reporter.report(1, &["cpu"], &batch(now - 10_000, 1_000, &[&[1.0, 2.0, 3.0]])).await;
    reporter.report(2, &[], &batch(now - 20_000, 1_000, &[&[7.0]])).await;
    reporter.report(3, &[], &batch(now - 10_000, 1_000, &[&[1.0, 2.0, 4.0]])).await;
    reporter.acknowledged(3).await.unwrap();
    assert_eq!(running.ask("sum_over_time(cpu[1m])", now).await, [("host=a".to_owned(), 14.0)]);
    let statistics = running.statistics().await;
    assert_eq!((statistics.received_sample_count, statistics.repeated_sample_count), (7, 3));
    assert_eq!((statistics.late_report_count, statistics.series_count), (1, 1));
}

#[tokio::test]
async fn more_series_than_a_project_may_have_are_refused_by_name() {
    let world = World::new(Options { max_series: 2, ..Options::default() }).await;
    let now = world.now();
    let running = world.start().await;
    let mut reporter = running.attach(running.agent(), AGENT).await.unwrap();
    reporter.report(1, &["a", "b", "c"], &batch(now, 1, &[&[1.0], &[2.0], &[3.0]])).await;
    let acknowledged = reporter.acknowledged(1).await.unwrap();
    assert_eq!((acknowledged.refused_sample_count, &*acknowledged.reason), (1, "TOO_MANY_SERIES"));
    assert_eq!(running.ask("count({host=\"a\"})", now).await, [(String::new(), 2.0)]);
    assert_eq!(running.statistics().await.refused_sample_count, 1);
}

#[tokio::test]
async fn times_that_cannot_be_right_are_refused() {
    let world = World::new(Options::default()).await;
    let now = world.now();
    let running = world.start().await;
    let mut reporter = running.attach(running.agent(), AGENT).await.unwrap();
    let far = batch(now + 3 * 3_600_000, 1, &[&[1.0]]);
    reporter.report(1, &["cpu"], &far).await;
    reporter.report(2, &[], &batch(now - 100 * 86_400_000, 1, &[&[1.0]])).await;
    assert_eq!(reporter.acknowledged(2).await.unwrap().refused_sample_count, 2);
    // A clock that is wrong by an hour is taken.
    reporter.report(3, &[], &batch(now + 3_600_000, 1, &[&[1.0]])).await;
    assert_eq!(reporter.acknowledged(3).await.unwrap().refused_sample_count, 0);
}

#[tokio::test]
async fn nobody_reports_for_an_agent_but_itself() {
    let world = World::new(Options::default()).await;
    let running = world.start().await;
    let reason = |status: tonic::Status| status.get_error_details().error_info().unwrap().reason.clone();
    for source in ["projects/p/agents/b", "projects/q/agents/a", "somebody"] {
        let refused = running.attach(running.agent(), source).await.err().unwrap();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert_eq!(reason(refused), "NOT_THE_SOURCE");
    }
    running.attach(running.operator(), "somebody").await.unwrap();
    let refused = running.operator().attach_reporter(nothing()).await.err().unwrap();
    assert_eq!(reason(refused), "OUT_OF_TURN");
}

#[tokio::test]
async fn what_is_no_batch_is_refused() {
    let world = World::new(Options::default()).await;
    let running = world.start().await;
    let mut reporter = running.attach(running.agent(), AGENT).await.unwrap();
    // A series that nobody has defined.
    reporter.report(1, &[], &batch(world.now(), 1, &[&[1.0]])).await;
    assert_eq!(reporter.acknowledged(1).await.unwrap_err().code(), Code::InvalidArgument);
}
