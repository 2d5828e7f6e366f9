//! The samples by our own report stream: a stream for each host, ten rows in a report.

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use weft_kit::Ids;
use weft_proto::weft::telemetry::v1::{
    AttachReporterRequest, MetricType, Report, ReporterOpen, SeriesDefinition,
    attach_reporter_request::Action, attach_reporter_response::Event,
    telemetry_service_client::TelemetryServiceClient,
};
use weft_series::Batch;
use weft_tests::runtime::signed;

use super::{
    data::{self, METRICS, ROWS},
    servers::Server,
};

/// Connections, and the rows of one report.
const CHANNELS: usize = 4;
const TOGETHER: usize = 10;
/// In front of each message of gRPC.
const PREFIX: usize = 5;

/// Reports of one host, made before the clock runs.
pub(super) struct Reports {
    open: ReporterOpen,
    reports: Vec<Report>,
}

pub(super) fn make(hosts: &[Batch]) -> Vec<Reports> {
    let made = hosts.iter().enumerate().map(|(number, host)| {
        let reports = (0..ROWS / TOGETHER).map(|part| {
            let rows = part * TOGETHER..(part + 1) * TOGETHER;
            let columns =
                host.columns.iter().map(|(number, values)| (*number, values[rows.clone()].to_vec()));
            let batch = Batch { times: host.times[rows.clone()].to_vec(), columns: columns.collect() };
            let series = if part > 0 { Vec::new() } else { (0..METRICS).map(definition).collect() };
            Report { sequence: part as i64 + 1, series, samples: batch.encode().into() }
        });
        let open = ReporterOpen {
            parent: "projects/default".into(),
            source: data::host(number),
            incarnation: Ids::system().uuid().to_string(),
            labels: [("instance".to_owned(), data::host(number)), ("job".to_owned(), "load".to_owned())]
                .into(),
        };
        Reports { open, reports: reports.collect() }
    });
    made.collect()
}

fn definition(number: usize) -> SeriesDefinition {
    SeriesDefinition {
        number: number as i32,
        metric: data::metric(number),
        r#type: MetricType::Gauge.into(),
        ..SeriesDefinition::default()
    }
}

/// Bytes on the wire, without those of HTTP/2.
pub(super) fn wire_bytes(all: &[Reports]) -> usize {
    let message = |action| AttachReporterRequest { action: Some(action) }.encoded_len() + PREFIX;
    let of = |reports: &Reports| -> usize {
        let open = message(Action::Open(reports.open.clone()));
        open + reports.reports.iter().map(|report| message(Action::Report(report.clone()))).sum::<usize>()
    };
    all.iter().map(of).sum()
}

/// Sends all of them, and comes back when all are on disk.
pub(super) async fn send(server: &Server, all: Vec<Reports>) -> Result<()> {
    let mut channels = Vec::new();
    for _ in 0..CHANNELS {
        let endpoint = Endpoint::from_shared(format!("http://{}", server.address))?.tcp_nodelay(true);
        channels.push(endpoint.connect().await?);
    }
    let key = server.key.as_deref().context("it is ours")?;
    let streams = all.into_iter().enumerate();
    try_join_all(streams.map(|(number, reports)| stream(channels[number % CHANNELS].clone(), key, reports)))
        .await?;
    Ok(())
}

async fn stream(channel: Channel, key: &str, Reports { open, reports }: Reports) -> Result<()> {
    let last = reports.len() as i64;
    let (say, said) = mpsc::channel(reports.len() + 1);
    for action in std::iter::once(Action::Open(open)).chain(reports.into_iter().map(Action::Report)) {
        say.try_send(AttachReporterRequest { action: Some(action) })?;
    }
    let mut client = TelemetryServiceClient::new(channel);
    let mut heard = client.attach_reporter(signed(ReceiverStream::new(said), key)).await?.into_inner();
    while let Some(told) = heard.message().await? {
        match told.event {
            Some(Event::Acknowledged(told)) if told.refused_sample_count > 0 => {
                bail!("refused: {}", told.reason)
            }
            Some(Event::Acknowledged(told)) if told.acknowledged_sequence >= last => return Ok(()),
            _ => {}
        }
    }
    bail!("the stream ended before all was on disk")
}
