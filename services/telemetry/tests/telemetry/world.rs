//! A service of its own, over a folder that outlives it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, service::interceptor::InterceptedService};
use weft_kit::{Caller, CallerKind, Clock, Ids, Lifecycle, Role};
use weft_proto::weft::telemetry::v1::{
    AttachReporterRequest, AttachReporterResponse, GetStatisticsRequest, MetricType, QueryInstantRequest,
    Report, ReportAcknowledged, ReporterOpen, SeriesDefinition, TelemetryStatistics,
    alert_service_client::AlertServiceClient, alert_service_server::AlertServiceServer,
    attach_reporter_request::Action, attach_reporter_response::Event, log_service_client::LogServiceClient,
    log_service_server::LogServiceServer, telemetry_service_client::TelemetryServiceClient,
    telemetry_service_server::TelemetryServiceServer, trace_service_client::TraceServiceClient,
    trace_service_server::TraceServiceServer,
};
use weft_series::Batch;
use weft_store::{TelemetryStore, objects::Objects};
use weft_telemetry::{AlertService, Deps, LogService, Options, TelemetryService, TraceService};

pub(crate) const PROJECT: &str = "projects/p";
pub(crate) const INCARNATION: &str = "7ead0000-0000-4000-8000-000000000001";

type WithCaller = fn(Request<()>) -> Result<Request<()>, Status>;
pub(crate) type Client =
    TelemetryServiceClient<InterceptedService<TelemetryServiceServer<TelemetryService>, WithCaller>>;

pub(crate) type AlertClient =
    AlertServiceClient<InterceptedService<AlertServiceServer<AlertService>, WithCaller>>;

pub(crate) type LogClient = LogServiceClient<InterceptedService<LogServiceServer<LogService>, WithCaller>>;

pub(crate) type TraceClient =
    TraceServiceClient<InterceptedService<TraceServiceServer<TraceService>, WithCaller>>;

pub(crate) struct World {
    folder: Arc<TempDir>,
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) bus: Arc<dyn weft_bus::Bus>,
}

pub(crate) struct Running {
    pub(crate) service: TelemetryService,
    pub(crate) lifecycle: Lifecycle,
    database: Arc<dyn weft_store::Database>,
    pub(crate) objects: PathBuf,
}

impl World {
    pub(crate) async fn new(options: Options) -> Self {
        let start = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            options,
            clock: Clock::manual(start),
            bus: weft_bus::open("memory:").await.unwrap().bus,
        }
    }

    /// Milliseconds.
    pub(crate) fn now(&self) -> i64 {
        self.clock.unix_seconds() as i64 * 1_000
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_over(|store| store).await
    }

    /// With something between the service and its store.
    pub(crate) async fn start_over(
        &self,
        over: impl FnOnce(Arc<dyn TelemetryStore>) -> Arc<dyn TelemetryStore>,
    ) -> Running {
        let path = self.folder.path();
        let stores =
            weft_store_sqlite::open(&format!("sqlite:{}", path.join("weft.db").display())).await.unwrap();
        let objects = path.join("objects");
        let lifecycle = Lifecycle::new();
        let deps = Deps {
            store: over(stores.telemetry.clone()),
            alerts: stores.alert.clone(),
            bus: self.bus.clone(),
            mesh_secret: [7; 32],
            objects: Objects::open(&format!("file://{}", objects.display()), None).unwrap(),
            owner: "test".into(),
            clock: self.clock.clone(),
            ids: Ids::system(),
            lifecycle: lifecycle.clone(),
        };
        let service = TelemetryService::open(self.options.clone(), deps);
        let running = Running { service, lifecycle, database: stores.database, objects };
        while running.operator().get_statistics(statistics()).await.is_err() {
            tokio::task::yield_now().await;
        }
        running
    }
}

fn statistics() -> GetStatisticsRequest {
    GetStatisticsRequest { parent: PROJECT.into() }
}

fn with(caller: Caller, mut request: Request<()>) -> Request<()> {
    request.extensions_mut().insert(caller);
    request
}

/// A key with the role Operator.
#[expect(clippy::unnecessary_wraps, reason = "it is an interceptor, and those may refuse")]
fn key(request: Request<()>) -> Result<Request<()>, Status> {
    let caller = Caller {
        kind: CallerKind::Principal,
        name: "projects/p/apiKeys/k".into(),
        grants: [("p".to_owned(), Role::Operator)].into(),
        ..Caller::nobody()
    };
    Ok(with(caller, request))
}

impl Running {
    pub(crate) async fn stop(self) {
        self.lifecycle.shut_down(Duration::from_secs(5)).await;
        self.database.close().await;
    }

    /// Ends as a process does that is killed: nothing is finished, and nobody has the database any more.
    pub(crate) async fn kill(self) {
        self.database.close().await;
    }

    pub(crate) fn client(&self, caller: WithCaller) -> Client {
        TelemetryServiceClient::with_interceptor(self.service.clone().into_server(), caller)
    }

    pub(crate) fn operator(&self) -> Client {
        self.client(|request| {
            let caller = Caller {
                kind: CallerKind::Principal,
                grants: [("p".to_owned(), Role::Operator)].into(),
                ..Caller::nobody()
            };
            Ok(with(caller, request))
        })
    }

    pub(crate) fn alerts(&self) -> AlertClient {
        AlertServiceClient::with_interceptor(self.service.alerts().into_server(), key)
    }

    pub(crate) fn logs(&self) -> LogClient {
        LogServiceClient::with_interceptor(self.service.logs().into_server(), key)
    }

    pub(crate) fn traces(&self) -> TraceClient {
        TraceServiceClient::with_interceptor(self.service.traces().into_server(), key)
    }

    /// Waits until the statistics say something.
    pub(crate) async fn until_sealed(&self, is_it: impl Fn(&TelemetryStatistics) -> bool) {
        while !is_it(&self.statistics().await) {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn agent(&self) -> Client {
        self.client(|request| {
            let caller = Caller {
                kind: CallerKind::Principal,
                name: "projects/p/agents/a".into(),
                ..Caller::nobody()
            };
            Ok(with(caller, request))
        })
    }

    pub(crate) async fn statistics(&self) -> TelemetryStatistics {
        self.operator().get_statistics(statistics()).await.unwrap().into_inner()
    }

    /// All samples that a range selector finds at a time, of its only series: milliseconds, and the bits of the values.
    pub(crate) async fn samples(&self, selector: &str, at: i64) -> Vec<(i64, u64)> {
        let query_time =
            Some(prost_types::Timestamp { seconds: at / 1_000, nanos: (at % 1_000 * 1_000_000) as i32 });
        let request = QueryInstantRequest { parent: PROJECT.into(), query: selector.into(), query_time };
        let answer = self.operator().query_instant(request).await.unwrap().into_inner();
        assert!(answer.series.len() <= 1, "{}", answer.series.len());
        let samples = answer.series.into_iter().flat_map(|series| series.samples);
        let samples = samples.map(|sample| {
            let time = sample.sample_time.unwrap_or_default();
            (time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000, sample.value.to_bits())
        });
        samples.collect()
    }

    /// The values of a query at a time, by their labels but for the metric's name.
    pub(crate) async fn ask(&self, query: &str, at: i64) -> Vec<(String, f64)> {
        let query_time =
            Some(prost_types::Timestamp { seconds: at / 1_000, nanos: (at % 1_000 * 1_000_000) as i32 });
        let request = QueryInstantRequest { parent: PROJECT.into(), query: query.into(), query_time };
        let answer = self.operator().query_instant(request).await.unwrap().into_inner();
        let series = answer.series.into_iter().map(|series| {
            let mut labels: Vec<String> =
                series.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            labels.sort();
            (labels.join(","), series.samples[0].value)
        });
        series.collect()
    }

    pub(crate) async fn attach(&self, client: Client, source: &str) -> Result<Reporter, Status> {
        let (say, said) = mpsc::channel(1_000);
        let open = ReporterOpen {
            parent: PROJECT.into(),
            source: source.into(),
            incarnation: INCARNATION.into(),
            labels: [("host".to_owned(), source.rsplit('/').next().unwrap_or_default().to_owned())].into(),
        };
        say.try_send(AttachReporterRequest { action: Some(Action::Open(open)) }).unwrap();
        let mut client = client;
        let heard = client.attach_reporter(ReceiverStream::new(said)).await?.into_inner();
        let mut reporter = Reporter { say: Some(say), heard, acknowledged: 0 };
        let Some(Event::Opened(opened)) = reporter.hear().await? else { panic!("opened is said first") };
        reporter.acknowledged = opened.acknowledged_sequence;
        Ok(reporter)
    }
}

pub(crate) struct Reporter {
    say: Option<mpsc::Sender<AttachReporterRequest>>,
    heard: tonic::Streaming<AttachReporterResponse>,
    pub(crate) acknowledged: i64,
}

impl Reporter {
    async fn hear(&mut self) -> Result<Option<Event>, Status> {
        Ok(self.heard.message().await?.and_then(|heard| heard.event))
    }

    pub(crate) async fn report(&mut self, sequence: i64, metrics: &[&str], batch: &Batch) {
        let series = (0..).zip(metrics).map(|(number, metric)| SeriesDefinition {
            number,
            metric: (*metric).to_owned(),
            r#type: MetricType::Gauge.into(),
            ..SeriesDefinition::default()
        });
        let report = Report { sequence, series: series.collect(), samples: batch.encode().into() };
        let said = AttachReporterRequest { action: Some(Action::Report(report)) };
        self.say.as_ref().unwrap().send(said).await.unwrap();
    }

    /// Waits until a report is on disk.
    pub(crate) async fn acknowledged(&mut self, sequence: i64) -> Result<ReportAcknowledged, Status> {
        let mut refused = 0;
        loop {
            match self.hear().await? {
                Some(Event::Acknowledged(acknowledged)) => {
                    refused += acknowledged.refused_sample_count;
                    if acknowledged.acknowledged_sequence >= sequence {
                        return Ok(ReportAcknowledged { refused_sample_count: refused, ..acknowledged });
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A batch of one column for each list of values, `every` milliseconds apart.
pub(crate) fn batch(first: i64, every: i64, columns: &[&[f64]]) -> Batch {
    Batch {
        times: (0..columns[0].len() as i64).map(|row| first + row * every).collect(),
        columns: (0..).zip(columns).map(|(number, values)| (number, values.to_vec())).collect(),
    }
}

/// A stream of nothing, for calls that are not to send anything.
pub(crate) fn nothing() -> impl futures::Stream<Item = AttachReporterRequest> {
    stream::empty().boxed()
}
