//! The report stream of an agent: what is read goes to the mesh, or to disk while the mesh is away.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Mutex, mpsc},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use weft_kit::Ids;
use weft_proto::weft::telemetry::v1::{
    AttachReporterRequest, AttachReporterResponse, MetricType, Report, ReporterOpen, SeriesDefinition,
    attach_reporter_request::Action, attach_reporter_response::Event,
};
use weft_series::Batch;

use super::{Reading, Readings, read, settings::TelemetrySettings, spool::Spool};
use crate::agent::{
    tokens::Tokens,
    way::{self, Way, gone, within},
};

/// Reports that may wait for their acknowledgement.
const AHEAD: usize = 64;
/// The first pause after a loss is up to this; each next one up to twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A metric and its labels.
type Name = (String, Vec<(&'static str, String)>);

/// What reports.
pub(crate) struct Line {
    /// The agent's name.
    name: String,
    way: Way,
    tokens: Arc<Mutex<Tokens>>,
    ids: Ids,
    readings: mpsc::Receiver<Readings>,
    spool: Spool,
    numbers: HashMap<Name, i32>,
    series: Vec<SeriesDefinition>,
    incarnation: String,
    sequence: i64,
    /// Sent, and not acknowledged: they go to disk where the connection is lost.
    unacknowledged: VecDeque<Report>,
}

/// A connection.
struct Attached {
    stream: way::Attached<AttachReporterRequest, AttachReporterResponse>,
    defined: HashSet<i32>,
    acknowledged: i64,
}

impl Line {
    pub(crate) fn new(
        name: &str,
        way: Way,
        tokens: Arc<Mutex<Tokens>>,
        settings: &TelemetrySettings,
        folder: std::path::PathBuf,
    ) -> Self {
        let ids = Ids::system();
        Self {
            name: name.to_owned(),
            way,
            tokens,
            incarnation: ids.uuid().to_string(),
            ids,
            readings: read(settings),
            spool: Spool::new(folder, settings.spool_bytes),
            numbers: HashMap::new(),
            series: Vec::new(),
            sequence: 0,
            unacknowledged: VecDeque::new(),
        }
    }

    /// Reports until told to stop; then what was not acknowledged is on disk.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            match self.connected(&stop).await {
                Ok(()) => pause = FIRST_PAUSE,
                Err(status) => {
                    tracing::info!(code = ?status.code(), message = status.message(), "not reporting");
                    if status.code() == Code::Unauthenticated {
                        self.tokens.lock().await.forget();
                    }
                }
            }
            for report in std::mem::take(&mut self.unacknowledged) {
                self.keep(report);
            }
            let until = sleep(pause.mul_f64(0.5 + self.ids.fraction() / 2.0));
            tokio::pin!(until);
            loop {
                tokio::select! {
                    () = &mut until => break,
                    () = stop.cancelled() => break,
                    Some(readings) = self.readings.recv() => {
                        let report = self.report(&readings);
                        self.keep(report);
                    }
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        while let Ok(readings) = self.readings.try_recv() {
            let report = self.report(&readings);
            self.keep(report);
        }
    }

    fn keep(&mut self, report: Report) {
        if let Err(error) = self.spool.keep(report, &self.series) {
            tracing::warn!(%error, "a report is lost: it cannot be kept on disk");
        }
    }

    /// One connection, until it is lost; `Ok` when told to stop.
    async fn connected(&mut self, stop: &CancellationToken) -> Result<(), Status> {
        let mut attached = tokio::select! {
            attached = self.attach() => attached?,
            () = stop.cancelled() => return Ok(()),
        };
        tracing::info!(agent = %self.name, "reporting");
        self.send_kept(&mut attached).await?;
        loop {
            tokio::select! {
                readings = self.readings.recv(), if self.unacknowledged.len() < AHEAD => {
                    let Some(readings) = readings else { return Ok(()) };
                    let report = self.report(&readings);
                    self.send(&mut attached, report.clone()).await?;
                    self.unacknowledged.push_back(Report { sequence: self.sequence, ..report });
                }
                heard = attached.stream.hear() => {
                    hear(&mut attached, heard?)?;
                    let until = attached.acknowledged;
                    while self.unacknowledged.front().is_some_and(|report| report.sequence <= until) {
                        self.unacknowledged.pop_front();
                    }
                }
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Sends what is on disk, and removes it when all of it is acknowledged.
    async fn send_kept(&mut self, attached: &mut Attached) -> Result<(), Status> {
        let files = self.spool.read();
        if files.is_empty() {
            return Ok(());
        }
        for file in files {
            for report in file {
                // A file defines its series itself, under numbers that may be those of a program before.
                self.sequence += 1;
                let report = Report { sequence: self.sequence, ..report };
                say(attached, report).await?;
                while self.sequence - attached.acknowledged >= AHEAD as i64 {
                    let heard = within(attached.stream.hear()).await?;
                    hear(attached, heard)?;
                }
            }
        }
        while attached.acknowledged < self.sequence {
            let heard = within(attached.stream.hear()).await?;
            hear(attached, heard)?;
        }
        attached.defined.clear();
        self.spool.clear();
        Ok(())
    }

    /// Sends a report with the next number, and with it the series that this connection does not know.
    async fn send(&mut self, attached: &mut Attached, report: Report) -> Result<(), Status> {
        self.sequence += 1;
        let series =
            self.series.iter().filter(|series| attached.defined.insert(series.number)).cloned().collect();
        say(attached, Report { sequence: self.sequence, series, ..report }).await
    }

    async fn attach(&mut self) -> Result<Attached, Status> {
        let token = self.tokens.lock().await.get().await?;
        let host = self.name.rsplit('/').next().unwrap_or_default().to_owned();
        let parent = self.name.split("/agents/").next().unwrap_or_default().to_owned();
        let open = ReporterOpen {
            parent,
            source: self.name.clone(),
            incarnation: self.incarnation.clone(),
            labels: [("host".to_owned(), host)].into(),
        };
        let open = AttachReporterRequest { action: Some(Action::Open(open)) };
        let mut stream = self.way.report(&token, open).await?;
        match within(stream.hear()).await?.and_then(|heard| heard.event) {
            Some(Event::Opened(opened)) => {
                let acknowledged = opened.acknowledged_sequence;
                // Numbers go on where the mesh is.
                self.sequence = self.sequence.max(acknowledged);
                Ok(Attached { stream, defined: HashSet::new(), acknowledged })
            }
            _ => Err(Status::internal("the mesh did not open the stream")),
        }
    }

    /// A report of one time.
    fn report(&mut self, readings: &Readings) -> Report {
        let mut columns: Vec<(u32, Vec<f64>)> = Vec::with_capacity(readings.readings.len());
        for reading in &readings.readings {
            columns.push((self.number(reading).unsigned_abs(), vec![reading.value]));
        }
        columns.sort_by_key(|(number, _)| *number);
        let batch = Batch { times: vec![readings.time], columns };
        Report { samples: batch.encode().into(), ..Report::default() }
    }

    fn number(&mut self, reading: &Reading) -> i32 {
        let key = (reading.metric.to_owned(), reading.labels.clone());
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = i32::try_from(self.series.len()).unwrap_or(i32::MAX);
        let kind = if reading.is_counter { MetricType::Counter } else { MetricType::Gauge };
        self.series.push(SeriesDefinition {
            number,
            metric: reading.metric.to_owned(),
            labels: reading.labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            r#type: kind.into(),
            ..SeriesDefinition::default()
        });
        self.numbers.insert(key, number);
        number
    }
}

async fn say(attached: &mut Attached, report: Report) -> Result<(), Status> {
    let said = AttachReporterRequest { action: Some(Action::Report(report)) };
    attached.stream.say(said).await
}

fn hear(attached: &mut Attached, heard: Option<AttachReporterResponse>) -> Result<(), Status> {
    match heard.and_then(|heard| heard.event) {
        Some(Event::Acknowledged(acknowledged)) => {
            attached.acknowledged = acknowledged.acknowledged_sequence;
            if acknowledged.refused_sample_count > 0 {
                let (count, reason) = (acknowledged.refused_sample_count, acknowledged.reason);
                tracing::warn!(count, reason, "samples were refused");
            }
            Ok(())
        }
        Some(Event::Opened(_)) => Ok(()),
        None => Err(gone()),
    }
}
