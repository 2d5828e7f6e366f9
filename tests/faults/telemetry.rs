//! kill -9 under reports: what was acknowledged is there, once, whenever the program dies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use weft_kit::Clock;
use weft_proto::weft::telemetry::v1::{
    AttachReporterRequest, MetricType, QueryInstantRequest, Report, ReporterOpen, SeriesDefinition,
    attach_reporter_request::Action, attach_reporter_response::Event,
};
use weft_series::Batch;
use weft_tests::{client::Client, process::Process};

const KILLS: u64 = 40;
const REPORTERS: i64 = 4;
/// Rows of a report: each has a time of its own, and two series.
const ROWS: i64 = 5;
/// Reports that may wait for their acknowledgement.
const AHEAD: i64 = 32;

/// Somebody who reports: what was acknowledged, over all lives of the program.
struct Reporter {
    number: i64,
    began: i64,
    acknowledged: AtomicI64,
    /// The newest that was ever sent.
    sent: AtomicI64,
}

impl Reporter {
    fn source(&self) -> String {
        format!("reporter-{}", self.number)
    }

    /// What report `sequence` says: rows that no other report has, whose values can be added up.
    fn report(&self, sequence: i64) -> AttachReporterRequest {
        let first = self.began + sequence * ROWS;
        let batch = Batch {
            times: (first..first + ROWS).collect(),
            columns: vec![(0, vec![1.0; ROWS as usize]), (1, vec![sequence as f64; ROWS as usize])],
        };
        let series = ["reported", "sequence"].into_iter().zip(0..).map(|(metric, number)| SeriesDefinition {
            number,
            metric: metric.into(),
            r#type: MetricType::Gauge.into(),
            ..SeriesDefinition::default()
        });
        let report = Report { sequence, series: series.collect(), samples: batch.encode().into() };
        AttachReporterRequest { action: Some(Action::Report(report)) }
    }

    /// Reports until the program is gone.
    async fn run(self: Arc<Self>, client: Client) {
        let (say, said) = mpsc::channel(AHEAD as usize);
        let open = ReporterOpen {
            parent: "projects/default".into(),
            source: self.source(),
            incarnation: format!("7ead0000-0000-4000-8000-00000000000{}", self.number),
            labels: [("host".to_owned(), self.source())].into(),
        };
        let open = AttachReporterRequest { action: Some(Action::Open(open)) };
        let _ = say.send(open).await;
        let Ok(heard) = client.telemetry().attach_reporter(ReceiverStream::new(said)).await else { return };
        let mut heard = heard.into_inner();
        let mut next = 0;
        while let Ok(Some(said)) = heard.message().await {
            match said.event {
                Some(Event::Opened(opened)) => {
                    let known = self.acknowledged.load(Ordering::SeqCst);
                    assert!(
                        opened.acknowledged_sequence >= known,
                        "{} < {known}",
                        opened.acknowledged_sequence
                    );
                    self.acknowledged.store(opened.acknowledged_sequence, Ordering::SeqCst);
                    next = opened.acknowledged_sequence + 1;
                }
                Some(Event::Acknowledged(acknowledged)) => {
                    assert_eq!(acknowledged.refused_sample_count, 0);
                    self.acknowledged.fetch_max(acknowledged.acknowledged_sequence, Ordering::SeqCst);
                }
                None => {}
            }
            while next <= self.acknowledged.load(Ordering::SeqCst) + AHEAD - 2 {
                if say.send(self.report(next)).await.is_err() {
                    return;
                }
                self.sent.fetch_max(next, Ordering::SeqCst);
                next += 1;
            }
        }
    }
}

async fn value(client: &Client, query: String) -> f64 {
    let request = QueryInstantRequest { parent: "projects/default".into(), query, query_time: None };
    let answer = client.telemetry().query_instant(request).await.expect("the query is answered").into_inner();
    answer.series[0].samples[0].value
}

fn now() -> i64 {
    let now: SystemTime = Clock::system().now();
    i64::try_from(now.duration_since(UNIX_EPOCH).expect("it is later").as_millis()).expect("it is sooner")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_sample_is_lost_or_counted_twice_over_forty_deaths() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    // Small, so that deaths meet segments that are being written.
    let mut process = Process::up(&folder.path().join("data")).set("TELEMETRY__SEAL_SAMPLES", "3000");
    process.start();
    let began = now() - 3_600_000;
    let reporters: Vec<Arc<Reporter>> = (0..REPORTERS)
        .map(|number| {
            Arc::new(Reporter { number, began, acknowledged: AtomicI64::new(0), sent: AtomicI64::new(0) })
        })
        .collect();
    let mut moment = 7_u64;
    for _ in 0..KILLS {
        let client = process.client();
        let mut running = JoinSet::new();
        let before: i64 = reporters.iter().map(|reporter| reporter.acknowledged.load(Ordering::SeqCst)).sum();
        let start = |running: &mut JoinSet<usize>, at: usize| {
            let report = Arc::clone(&reporters[at]).run(client.apart());
            running.spawn(async move {
                report.await;
                at
            });
        };
        (0..reporters.len()).for_each(|at| start(&mut running, at));
        // Once the program has acknowledged something in this life, at a moment that is nobody's choice.
        while reporters.iter().map(|reporter| reporter.acknowledged.load(Ordering::SeqCst)).sum::<i64>()
            <= before
        {
            while let Some(ended) = running.try_join_next() {
                // That one again, and no other: two streams of one reporter would hear of each other's progress.
                start(&mut running, ended.expect("no reporter was refused"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(5 + (moment >> 33) % 150)).await;
        process.kill();
        while let Some(ended) = running.join_next().await {
            ended.expect("no reporter was refused");
        }
        process.start();
    }
    let client = process.client();
    let mut all = 0;
    for reporter in &reporters {
        let (acknowledged, sent) =
            (reporter.acknowledged.load(Ordering::SeqCst), reporter.sent.load(Ordering::SeqCst));
        let host = reporter.source();
        let counted = loop {
            // The log is read before anything is answered.
            let request = QueryInstantRequest {
                parent: "projects/default".into(),
                query: format!("count_over_time(reported{{host=\"{host}\"}}[3h])"),
                query_time: None,
            };
            match client.telemetry().query_instant(request).await {
                Ok(answer) => break answer.into_inner().series[0].samples[0].value,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let reports = counted as i64 / ROWS;
        assert_eq!(counted as i64 % ROWS, 0, "half a report of {host}");
        assert!((acknowledged..=sent).contains(&reports), "{host}: {acknowledged} <= {reports} <= {sent}");
        // Each of them with what it said: 1 + 2 + … for every row.
        let sum = value(&client, format!("sum_over_time(sequence{{host=\"{host}\"}}[3h])")).await as i64;
        assert_eq!(sum, ROWS * reports * (reports + 1) / 2, "{host}");
        all += reports;
    }
    eprintln!("{all} reports, {} samples, {KILLS} deaths", all * ROWS * 2);
    assert!(all > KILLS as i64, "hardly anything was reported");
    process.terminate();
    assert!(process.ended().await.success(), "{}", process.log());
}
