//! Samples of a fleet, in and out: by Prometheus' remote write and by our report stream, durable; and what questions
//! about them take over HTTP. VictoriaMetrics and Prometheus get the same bytes in the same run.

mod data;
mod reports;
mod servers;
mod wire;

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use tonic::transport::Channel;
use weft_kit::Lifecycle;
use weft_proto::weft::telemetry::v1::{
    GetStatisticsRequest, TelemetryStatistics, telemetry_service_client::TelemetryServiceClient,
};
use weft_series::Batch;
use weft_tests::runtime::signed;

use self::{
    data::{METRICS, ROWS},
    servers::{Kind, Server},
    wire::Http,
};
use crate::{
    report::{Better, Pair, Report, median},
    rpc::now,
};

/// Connections that write.
const CONNECTIONS: usize = 4;
/// Questions of one kind in a round.
const QUESTIONS: usize = 40;

/// What a server did.
#[derive(Clone, Copy, Default)]
struct Figures {
    per_second: f64,
    one_millis: f64,
    average_millis: f64,
    megabytes: f64,
}

/// A figure: its name and unit, which it is, its goal.
type Row = (&'static str, &'static str, fn(&Figures) -> f64, f64, Better);

pub(crate) async fn measure(rounds: u32, hosts: usize, alone: bool) -> Result<Report> {
    let last = now_millis()?;
    let batches: Vec<Batch> = (0..hosts).map(|number| data::rows(number, last)).collect();
    let samples = (hosts * METRICS * ROWS) as f64;
    let peers =
        [Kind::VictoriaMetrics, Kind::Prometheus].into_iter().filter(|kind| !alone && kind.is_there());
    let kinds: Vec<Kind> = std::iter::once(Kind::Ours).chain(peers).collect();
    let mut figures = vec![Vec::new(); kinds.len()];
    let (mut streamed, mut wire, mut disk) = (Vec::new(), 0.0, f64::NAN);
    for round in 0..rounds {
        for (kind, figures) in kinds.iter().zip(&mut figures) {
            let told = Box::pin(one(*kind, &batches, samples, last)).await?;
            tracing::info!(round, server = kind.name(), samples_per_second = told.per_second, "measured");
            figures.push(told);
        }
        let server = Server::start(Kind::Ours).await?;
        let reports = reports::make(&batches);
        wire = reports::wire_bytes(&reports) as f64 / samples;
        let began = now();
        reports::send(&server, reports).await?;
        streamed.push(samples / began.elapsed().as_secs_f64());
        let sealed = statistics(&server).await?;
        if sealed.sealed_sample_count > 0 {
            disk = sealed.sealed_bytes as f64 / sealed.sealed_sample_count as f64;
        }
    }
    let mut report = Report::new("telemetry");
    let all: [Row; 4] = [
        ("remote write, on disk", "samples/s", |told| told.per_second, 1.6e6, Better::Higher),
        ("one series over an hour, p50", "ms", |told| told.one_millis, 0.4, Better::Lower),
        ("average of all hosts over an hour, p50", "ms", |told| told.average_millis, 20.0, Better::Lower),
        ("most memory", "MB", |told| told.megabytes, 227.0, Better::Lower),
    ];
    for (name, unit, of, goal, better) in all {
        let ours = &figures[0];
        if kinds.len() == 1 {
            report.add(name, median(ours.iter().map(of).collect()), unit, goal, better);
        }
        for (kind, theirs) in kinds.iter().zip(&figures).skip(1) {
            let rounds: Vec<(f64, f64)> = ours.iter().map(of).zip(theirs.iter().map(of)).collect();
            report.beside(name, unit, Pair::of_rounds(kind.name(), &rounds), goal, better);
        }
    }
    report.add("report stream, on disk", median(streamed), "samples/s", 5e6, Better::Higher);
    report.add("report stream, on the wire", wire, "B/sample", 2.5, Better::Lower);
    if disk.is_finite() {
        report.add("sealed, labels included", disk, "B/sample", 1.5, Better::Lower);
    }
    Ok(report)
}

/// All samples into one server by remote write, and the questions.
async fn one(kind: Kind, batches: &[Batch], samples: f64, last: i64) -> Result<Figures> {
    let life = Lifecycle::new();
    let server = Server::start(kind).await?;
    let bodies = wire::remote_writes(batches, CONNECTIONS)?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Http::connect(&server.address, server.key.clone(), &life).await?);
    }
    let began = now();
    try_join_all(connections.iter_mut().zip(bodies).map(|(connection, bodies)| async move {
        for body in bodies {
            connection.write(body).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    let per_second = samples / began.elapsed().as_secs_f64();
    let http = connections.first_mut().context("there are some")?;
    let one = format!("{}%7Binstance%3D%22{}%22%7D", data::metric(3), data::host(batches.len() / 2));
    let one_millis = ask(http, &one, last, 15, 1).await?;
    let average_millis = ask(http, &format!("avg({})", data::metric(0)), last, 60, 1).await?;
    let megabytes = server.peak_megabytes();
    life.drain();
    Ok(Figures { per_second, one_millis, average_millis, megabytes })
}

/// The middle time of a question about the last hour, in milliseconds.
async fn ask(http: &mut Http, query: &str, last: i64, step: u32, series: usize) -> Result<f64> {
    // The newest rows of some hosts are a little before it.
    let end = last / 1_000 - 15;
    let path = format!("/api/v1/query_range?query={query}&start={}&end={end}&step={step}", end - 3_600);
    // Some make new samples seen after a moment only.
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let answer: serde_json::Value = serde_json::from_slice(&http.get(&path).await?)?;
        let found = answer["data"]["result"].as_array().map_or(0, Vec::len);
        if found == series {
            break;
        }
        ensure!(tokio::time::Instant::now() < until, "{query} finds {found} series: {answer}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut times = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let began = now();
        http.get(&path).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(median(times))
}

async fn statistics(server: &Server) -> Result<TelemetryStatistics> {
    let channel = Channel::from_shared(format!("http://{}", server.address))?.connect().await?;
    let mut client = TelemetryServiceClient::new(channel);
    let request = GetStatisticsRequest { parent: "projects/default".into() };
    let key = server.key.as_deref().context("it is ours")?;
    Ok(client.get_statistics(signed(request, key)).await?.into_inner())
}

fn now_millis() -> Result<i64> {
    let since = weft_kit::Clock::system().now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}
