//! Retention and down-sampling by rule: what is left, what queries make of it, and what a crash in the middle changes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::Notify;
use uuid::Uuid;
use weft_series::{Batch, value::STALE};
use weft_store::{
    LogEntry, OwnedLog, ReporterRow, Result, SealedSegments, SegmentRow, TelemetryStore, Timestamp,
};
use weft_telemetry::{KeepRule, Levels, Options};

use crate::world::{Running, World};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A series as a test knows it, by time: the last value of a time counts.
type Known = BTreeMap<i64, f64>;

fn levels(levels: &[&str]) -> Levels {
    Levels::try_from(levels.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn rule(select: &str, retention: Option<Duration>, downsampling: Option<Levels>) -> KeepRule {
    KeepRule { select: select.parse().unwrap(), projects: Vec::new(), retention, downsampling }
}

fn options(downsampling: &[&str]) -> Options {
    Options {
        seal_samples: 100,
        retention: Duration::from_hours(30 * 24),
        downsampling: levels(downsampling),
        housekeeping: Duration::from_millis(20),
        ..Options::default()
    }
}

/// What is left of a series, to the bit; marks of an end are not shown by queries.
fn thinned(known: &Known, every: i64) -> Vec<(i64, u64)> {
    let mut kept: BTreeMap<i64, (i64, u64)> = BTreeMap::new();
    for (time, value) in known.iter().filter(|(_, value)| value.to_bits() != STALE.to_bits()) {
        kept.insert(time / every, (*time, value.to_bits()));
    }
    kept.into_values().collect()
}

/// Reports samples as one host, and waits until they are in a segment.
async fn report(running: &Running, sequence: i64, metrics: &[&str], batch: &Batch) {
    let before = running.statistics().await.sealed_sample_count;
    let mut reporter = running.attach(running.operator(), "host").await.unwrap();
    reporter.report(sequence, metrics, batch).await;
    reporter.acknowledged(sequence).await.unwrap();
    running.until_sealed(|told| told.sealed_sample_count > before).await;
}

async fn until_thinned(running: &Running, sample_count: usize) {
    running.until_sealed(|told| told.sealed_sample_count <= sample_count as i64).await;
    assert_eq!(running.statistics().await.sealed_sample_count, sample_count as i64);
}

fn objects(running: &Running) -> usize {
    std::fs::read_dir(running.objects.join("telemetry")).map_or(0, Iterator::count)
}

/// What is left of 500 samples of a counter that begin on the hour, and what they were.
fn counter(first: i64) -> Known {
    (0..500).map(|row| (first + row * 15_000 + 7, (row * 3) as f64 + 0.1)).collect()
}

fn column(known: &Known) -> Batch {
    Batch { times: known.keys().copied().collect(), columns: vec![(0, known.values().copied().collect())] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_series_is_kept_by_its_rule_and_thinned_out_by_levels() {
    let keep = [
        ("debug".to_owned(), rule("debug", Some(Duration::from_hours(12)), None)),
        ("exact".to_owned(), rule("{__name__=~\"exact.*\"}", None, Some(Levels::default()))),
    ];
    let options = Options { keep: keep.into(), ..options(&["6h:5m", "2days:1h"]) };
    let world = World::new(options).await;
    let running = world.start().await;
    let first = world.now() / HOUR * HOUR - 3 * HOUR;
    let known = counter(first);
    let values: Vec<f64> = known.values().copied().collect();
    let batch = Batch {
        times: known.keys().copied().collect(),
        columns: vec![(0, values.clone()), (1, values.clone()), (2, values)],
    };
    report(&running, 1, &["load", "debug", "exact_load"], &batch).await;
    let (five, hour) = (thinned(&known, 5 * MINUTE), thinned(&known, HOUR));
    assert_eq!((five.len(), hour.len()), (25, 3));
    let then = first + 3 * HOUR;

    world.clock.advance(Duration::from_hours(7));
    until_thinned(&running, 500 + 2 * 25).await;
    assert_eq!(running.statistics().await.thinned_sample_count, 2 * 475);
    assert_eq!(running.samples("load[3h]", then).await, five);
    assert_eq!(running.samples("debug[3h]", then).await, five);
    let raw: Vec<(i64, u64)> = known.iter().map(|(time, value)| (*time, value.to_bits())).collect();
    assert_eq!(running.samples("exact_load[3h]", then).await, raw);
    // A counter says the same from sample to sample, and there is a rate although the window has one sample or none.
    let (at, before) = (five[20], five[10]);
    let range = (at.0 - before.0) / 1_000;
    let expected = f64::from_bits(at.1) - f64::from_bits(before.1);
    let delta = running.ask(&format!("idelta(load[{range}s])"), at.0).await[0].1;
    assert_eq!(delta, f64::from_bits(at.1) - f64::from_bits(five[19].1));
    assert_eq!(running.ask("last_over_time(load[1m])", at.0 + 100_000).await[0].1, f64::from_bits(at.1));
    let span = running.ask(&format!("load - load offset {range}s"), at.0).await[0].1;
    assert_eq!(span, expected);
    let rate = running.ask("rate(load[5m])", at.0 + 2 * MINUTE).await[0].1;
    assert!((rate - 3.0 / 15.0).abs() < 1e-9, "{rate}");

    world.clock.advance(Duration::from_hours(6));
    running.until_sealed(|told| told.series_count == 2).await;
    assert_eq!(running.statistics().await.forgotten_sample_count, 25);
    assert!(running.samples("debug[3h]", then).await.is_empty());

    world.clock.advance(Duration::from_hours(48));
    until_thinned(&running, 500 + 3).await;
    // Each minute from the first sample that is left has a value, as it had before; and the rate is that of the hour.
    for minute in 0..125 {
        let at = first + minute * MINUTE;
        let looked = running.ask("load", at).await;
        let left = hour.iter().rev().find(|(time, _)| *time <= at);
        let expected = left.map(|(_, bits)| f64::from_bits(*bits));
        assert_eq!(looked.first().map(|(_, value)| *value), expected, "at minute {minute}");
        let rated = running.ask("rate(load[5m])", at).await;
        assert_eq!(rated.is_empty(), at < hour[1].0, "at minute {minute}");
    }
    running.stop().await;
    let running = world.start().await;
    assert_eq!(running.samples("load[3h]", then).await, hour);
    assert_eq!(running.samples("exact_load[3h]", then).await, raw);
    world.clock.advance(Duration::from_hours(30 * 24));
    running.until_sealed(|told| told.series_count == 0 && told.segment_count == 0).await;
    assert_eq!(running.statistics().await.forgotten_sample_count, 503);
    while objects(&running) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.stop().await;
}

/// Numbers as a seed gives them (xorshift).
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % below
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_segments_with_late_and_repeated_samples_become_few_and_are_what_they_should_be() {
    for seed in 1..6u64 {
        let mut seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // Nothing is cached, so that queries read objects that are about to go.
        let world = World::new(Options { cache_bytes: 0, ..options(&["12h:5m"]) }).await;
        let running = world.start().await;
        let first = world.now() - 6 * HOUR;
        let mut known = Known::new();
        for sequence in 1..=8 {
            // Two hours that overlap those before: some are late, some are there already, with another value.
            let mut at = first + (sequence - 1) * 30 * MINUTE;
            let mut piece = Known::new();
            while piece.len() < 150 {
                at += 1_000
                    * (1 + random(&mut seed, 12)) as i64
                    * if random(&mut seed, 40) == 0 { 60 } else { 1 };
                let value = random(&mut seed, 1 << 40) as f64 / 1_000.0;
                piece.insert(at, if random(&mut seed, 25) == 0 { STALE } else { value });
            }
            report(&running, sequence, &["load"], &column(&piece)).await;
            known.extend(piece);
            world.clock.advance(Duration::from_secs(1));
        }
        let then = known.keys().next_back().copied().unwrap();
        assert_eq!(running.statistics().await.segment_count, 8);
        world.clock.advance(Duration::from_hours(24));
        // A query sees what was there before or what is there after, and nothing else.
        let (before, after) = (thinned(&known, 1), thinned(&known, 5 * MINUTE));
        let mut found = before.clone();
        while found != after {
            assert!(found == before, "{} of {} samples", found.len(), before.len());
            found = running.samples("load[1d]", then).await;
        }
        running.until_sealed(|told| told.segment_count == 1).await;
        let told = running.statistics().await;
        assert_eq!(told.thinned_sample_count + told.sealed_sample_count, 8 * 150);
        while objects(&running) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.stop().await;
    }
}

/// A store before or after whose change of segments the process ends.
struct Ending {
    store: Arc<dyn TelemetryStore>,
    is_after: bool,
    reached: Arc<Notify>,
}

#[async_trait]
impl TelemetryStore for Ending {
    async fn own_telemetry_log(&self, owner: &str, at: Timestamp, until: Timestamp) -> Result<OwnedLog> {
        self.store.own_telemetry_log(owner, at, until).await
    }

    async fn keep_telemetry_log(&self, epoch: i64, until: Timestamp) -> Result<()> {
        self.store.keep_telemetry_log(epoch, until).await
    }

    async fn leave_telemetry_log(&self, epoch: i64) -> Result<()> {
        self.store.leave_telemetry_log(epoch).await
    }

    async fn append_telemetry(&self, epoch: i64, entries: Vec<LogEntry>) -> Result<()> {
        self.store.append_telemetry(epoch, entries).await
    }

    async fn telemetry_log(&self, after: i64, limit: u32) -> Result<Vec<LogEntry>> {
        self.store.telemetry_log(after, limit).await
    }

    async fn seal_telemetry(&self, sealed: SealedSegments) -> Result<()> {
        if sealed.removed.is_empty() {
            return self.store.seal_telemetry(sealed).await;
        }
        if self.is_after {
            self.store.seal_telemetry(sealed).await?;
        }
        self.reached.notify_one();
        std::future::pending().await
    }

    async fn list_telemetry_segments(&self, after: Uuid, limit: u32) -> Result<Vec<SegmentRow>> {
        self.store.list_telemetry_segments(after, limit).await
    }

    async fn list_telemetry_reporters(&self, since: Timestamp) -> Result<Vec<ReporterRow>> {
        self.store.list_telemetry_reporters(since).await
    }

    async fn forget_telemetry_reporters(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.store.forget_telemetry_reporters(before, limit).await
    }
}

/// Ends in the middle of writing segments anew, begins again, and finds each sample once.
async fn ends_in_the_middle(is_after: bool) {
    let world = World::new(options(&["6h:5m"])).await;
    let reached = Arc::new(Notify::new());
    let store = |store| -> Arc<dyn TelemetryStore> {
        Arc::new(Ending { store, is_after, reached: Arc::clone(&reached) })
    };
    let ended = world.start_over(store).await;
    let first = world.now() / HOUR * HOUR - 3 * HOUR;
    let known = counter(first);
    report(&ended, 1, &["load"], &column(&known)).await;
    world.clock.advance(Duration::from_hours(7));
    reached.notified().await;
    // Its objects are there, old and new ones; nothing of it moves any more.
    assert_eq!(objects(&ended), 2);
    ended.kill().await;

    let running = world.start().await;
    let five = thinned(&known, 5 * MINUTE);
    until_thinned(&running, five.len()).await;
    let told = running.statistics().await;
    assert_eq!((told.segment_count, told.thinned_sample_count), (1, if is_after { 0 } else { 475 }));
    assert_eq!(running.samples("load[3h]", first + 3 * HOUR).await, five);
    while objects(&running) > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_before_segments_are_exchanged_changes_nothing() {
    ends_in_the_middle(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_after_segments_were_exchanged_leaves_the_new_ones() {
    ends_in_the_middle(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_cannot_be_read_stops_neither_others_nor_what_comes_in() {
    let world = World::new(options(&["6h:5m"])).await;
    let running = world.start().await;
    let first = world.now() / HOUR * HOUR - 3 * HOUR;
    report(&running, 1, &["load"], &column(&counter(first))).await;
    let object = std::fs::read_dir(running.objects.join("telemetry")).unwrap().next().unwrap().unwrap();
    std::fs::write(object.path(), b"not what was written").unwrap();
    world.clock.advance(Duration::from_hours(7));
    let later = counter(world.now() / HOUR * HOUR - 3 * HOUR);
    report(&running, 2, &["load"], &column(&later)).await;
    world.clock.advance(Duration::from_hours(7));
    let left = thinned(&later, 5 * MINUTE).len();
    until_thinned(&running, 500 + left).await;
    running.stop().await;
}
