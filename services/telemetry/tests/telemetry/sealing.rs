//! Segments: small, found by queries as what is in memory is, thinned out and forgotten.

use std::time::Duration;

use weft_series::Batch;
use weft_telemetry::{Levels, Options};

use crate::world::{Reporter, Running, World};

/// Numbers as a seed gives them (xorshift), without a dependency.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end) as f64
    }
}

const ROWS: usize = 500;
const EVERY: i64 = 15_000;

/// Seven walks, eight counters and five constants, as a host has them.
fn host(first: i64, seed: u64) -> Batch {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut columns: Vec<(u32, Vec<f64>)> = Vec::new();
    for walk in 0..7 {
        let scale = [1.0, 10.0, 100.0, 1_000.0, 10.0, 100.0, 1.0][walk];
        let (mut at, unit) = (5_000.0, if walk == 6 { 4_096.0 } else { 1.0 });
        let values = (0..ROWS).map(|_| {
            at += random.below(41) - 20.0;
            at * unit / scale
        });
        columns.push((walk as u32, values.collect()));
    }
    for counter in 0..8u32 {
        let mut at = random.below(1_000_000_000);
        let values = (0..ROWS).map(|_| {
            at += if counter == 7 { f64::from(random.below(20) < 1.0) } else { random.below(500) };
            if counter == 6 { at / 100.0 } else { at }
        });
        columns.push((7 + counter, values.collect()));
    }
    for constant in 0..5 {
        columns.push((15 + constant, vec![f64::from(constant) * 1_073_741_824.0; ROWS]));
    }
    let times = (0..ROWS as i64)
        .map(|row| first + row * EVERY + if row % 5 == 0 { random.below(5) as i64 - 2 } else { 0 });
    Batch { times: times.collect(), columns }
}

async fn fill(world: &World, running: &Running, hosts: i64) {
    let metrics: Vec<String> = (0..20).map(|number| format!("node_metric_number_{number}_total")).collect();
    let metrics: Vec<&str> = metrics.iter().map(String::as_str).collect();
    for number in 0..hosts {
        let source = format!("host-{number:04}.example.org");
        let mut reporter: Reporter = running.attach(running.operator(), &source).await.unwrap();
        let first = world.now() - ROWS as i64 * EVERY + number;
        reporter.report(1, &metrics, &host(first, number as u64 + 1)).await;
        reporter.acknowledged(1).await.unwrap();
    }
}

fn folder_bytes(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.metadata().map_or(0, |metadata| metadata.len())).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_takes_less_than_one_and_a_half_bytes_with_its_labels() {
    let world = World::new(Options { seal_samples: 1_000_000, ..Options::default() }).await;
    let running = world.start().await;
    fill(&world, &running, 100).await;
    let statistics = loop {
        let statistics = running.statistics().await;
        if statistics.sealed_sample_count > 0 {
            break statistics;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(statistics.sealed_sample_count, 1_000_000);
    let per_sample = statistics.sealed_bytes as f64 / statistics.sealed_sample_count as f64;
    assert!(per_sample <= 1.5, "{per_sample} bytes a sample");
    let objects = folder_bytes(&running.objects.join("telemetry"));
    assert!(objects > 0 && (objects as i64) < statistics.sealed_bytes, "{objects}");
    // What was sealed is found like what is in memory: a window over all of it, bit by bit.
    let expected: f64 = host(0, 7).columns[0].1.iter().sum();
    let query = r#"sum_over_time(node_metric_number_0_total{host="host-0006.example.org"}[3h])"#;
    let found = running.ask(query, world.now()).await;
    assert!((found[0].1 - expected).abs() < 1e-6, "{found:?} {expected}");
    assert_eq!(running.ask("count(node_metric_number_3_total)", world.now()).await[0].1, 100.0);
    running.stop().await;
    // And after a restart, when all that is known of it is its directory.
    let running = world.start().await;
    assert_eq!(running.ask(query, world.now()).await, found);
    assert_eq!(running.statistics().await.sealed_sample_count, 1_000_000);
    // What comes now goes to the same series.
    let mut reporter = running.attach(running.operator(), "host-0006.example.org").await.unwrap();
    assert_eq!(reporter.acknowledged, 1);
    let more = Batch { times: vec![world.now()], columns: vec![(0, vec![1_000.0])] };
    reporter.report(2, &["node_metric_number_0_total"], &more).await;
    reporter.acknowledged(2).await.unwrap();
    let after = running.ask(query, world.now()).await;
    assert!((after[0].1 - found[0].1 - 1_000.0).abs() < 1e-6, "{after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_without_a_row_is_swept_away() {
    let world = World::new(Options::default()).await;
    let running = world.start().await;
    let folder = running.objects.join("telemetry");
    std::fs::create_dir_all(&folder).unwrap();
    let orphan = folder.join("7ead0000-0000-4000-8000-00000000000f");
    std::fs::write(&orphan, b"half of it").unwrap();
    running.stop().await;
    let running = world.start().await;
    assert!(!orphan.exists());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_grow_thin_and_are_forgotten() {
    let world = World::new(Options {
        seal_samples: 10_000,
        retention: Duration::from_hours(24),
        downsampling: Levels::one(Duration::from_hours(6), Duration::from_mins(5)),
        housekeeping: Duration::from_millis(20),
        ..Options::default()
    })
    .await;
    let running = world.start().await;
    fill(&world, &running, 1).await;
    let query = "count_over_time(node_metric_number_0_total[3h])";
    let then = world.now();
    while running.statistics().await.sealed_sample_count == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.ask(query, then).await[0].1, ROWS as f64);
    world.clock.advance(Duration::from_hours(7));
    while running.statistics().await.sealed_sample_count > 1_000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // 500 samples, 15 s apart, are 125 minutes: a sample for each five.
    let left = running.ask(query, then).await[0].1;
    assert!((25.0..=27.0).contains(&left), "{left}");
    world.clock.advance(Duration::from_hours(24));
    // First the rows of the segments go, then what they held and who it was of.
    let mut left = running.statistics().await;
    while left.segment_count > 0 || left.series_count > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        left = running.statistics().await;
    }
    while folder_bytes(&running.objects.join("telemetry")) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.stop().await;
}
