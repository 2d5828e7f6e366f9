//! `weft telemetry`: numbers over time, asked in PromQL; logs and traces.

mod anomalies;
mod forecast;
mod logs;
mod show;
mod traces;
mod words;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use prost_types::Timestamp;
use weft_kit::Clock;
use weft_proto::weft::telemetry::v1::{
    GetStatisticsRequest, ListMetricsRequest, ListSeriesRequest, QueryInstantRequest, QueryRangeRequest,
    WatchQueryRequest,
};

use super::output::{self, OutputFormat};
use crate::client::{Connection, TelemetryClient};

/// Numbers over time, logs and traces.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TelemetryCommand {
    /// Ask for values now, for example `sum by (host) (rate(host_network_bytes_total[1m]))`.
    Query {
        /// The query, in PromQL.
        query: String,
        /// When, as RFC 3339; now if not told.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Ask for values over time.
    Range {
        /// The query, in PromQL.
        query: String,
        /// From so long ago until now, for example `6h`.
        #[arg(long, default_value = "1h", value_parser = duration)]
        last: Duration,
        /// From one value to the next, for example `1m`; so that they fit a line if not told.
        #[arg(long, value_parser = duration)]
        step: Option<Duration>,
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Tell what series are likely to be, and when they come to a threshold, for example
    /// `host_disk_available_bytes --threshold 0 --below`.
    Forecast(forecast::ForecastArgs),
    /// Find when series were not what they usually are at such a time of the day or the week.
    Anomalies(anomalies::AnomaliesArgs),
    /// List series.
    Series {
        /// Only those that match, for example `host_cpu_usage_ratio{host="a"}`.
        #[arg(default_value = "")]
        selector: String,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// List metrics.
    Metrics {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Ask again and again.
    Watch {
        /// The query, in PromQL.
        query: String,
        /// How often.
        #[arg(long, default_value = "2s", value_parser = duration)]
        every: Duration,
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Search what programs have said, or show it as it arrives.
    Logs(logs::LogsArgs),
    /// Find traces by what one of their spans is.
    Traces(traces::TracesArgs),
    /// Show a trace as a tree.
    Trace {
        /// Its id, 32 hexadecimal digits.
        id: String,
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Tell how much is kept, and what came in.
    Status {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
}

/// A duration as configuration has it: `90s`, `1h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let quoted = serde_json::Value::String(text.to_owned());
    humantime_serde::deserialize(quoted).map_err(|_| format!("{text:?} is no duration, such as 90s or 1h"))
}

fn parent(project: &str) -> String {
    format!("projects/{project}")
}

impl TelemetryCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.telemetry();
        match self {
            Self::Query { query, at, project } => {
                let query_time = at.as_deref().map(time).transpose()?;
                let request = QueryInstantRequest { parent: parent(&project), query, query_time };
                let answer = client.query_instant(request).await?.into_inner();
                match format {
                    OutputFormat::Json => output::json(&answer, "weft.telemetry.v1.QueryInstantResponse"),
                    OutputFormat::Table => {
                        show::instant(&answer);
                        Ok(())
                    }
                }
            }
            Self::Range { query, last, step, project } => {
                let now = Clock::system().now();
                let shown = step.unwrap_or_else(|| (last / show::WIDTH).max(Duration::from_secs(1)));
                let request = QueryRangeRequest {
                    parent: parent(&project),
                    query,
                    start_time: Some((now - last).into()),
                    end_time: Some(now.into()),
                    step: Some(prost_types::Duration::try_from(shown)?),
                };
                let answer = client.query_range(request).await?.into_inner();
                match format {
                    OutputFormat::Json => output::json(&answer, "weft.telemetry.v1.QueryRangeResponse"),
                    OutputFormat::Table => {
                        show::range(&answer, Timestamp::from(now - last), last);
                        Ok(())
                    }
                }
            }
            Self::Forecast(asked) => asked.run(connection, format).await,
            Self::Anomalies(asked) => asked.run(connection, format).await,
            Self::Series { selector, limit, project } => {
                let request = ListSeriesRequest { parent: parent(&project), selector, ..Default::default() };
                series(&mut client, request, limit, format).await
            }
            Self::Metrics { project } => {
                let request =
                    ListMetricsRequest { parent: parent(&project), page_size: 10_000, ..Default::default() };
                let answer = client.list_metrics(request).await?.into_inner();
                match format {
                    OutputFormat::Json => output::json(&answer, "weft.telemetry.v1.ListMetricsResponse"),
                    OutputFormat::Table => {
                        show::metrics(&answer);
                        Ok(())
                    }
                }
            }
            Self::Watch { query, every, project } => {
                let interval = Some(prost_types::Duration::try_from(every)?);
                let request = WatchQueryRequest { parent: parent(&project), query, interval };
                let mut answers = client.watch_query(request).await?.into_inner();
                let mut seen = show::Seen::default();
                while let Some(answer) = answers.message().await? {
                    match format {
                        OutputFormat::Json => output::json(&answer, "weft.telemetry.v1.WatchQueryResponse")?,
                        OutputFormat::Table => seen.show(&answer),
                    }
                }
                bail!("the mesh has ended the watch")
            }
            Self::Logs(asked) => asked.run(connection, format).await,
            Self::Traces(asked) => asked.run(connection, format).await,
            Self::Trace { id, project } => traces::show(connection, &project, &id, format).await,
            Self::Status { project } => {
                let request = GetStatisticsRequest { parent: parent(&project) };
                let answer = client.get_statistics(request).await?.into_inner();
                match format {
                    OutputFormat::Json => output::json(&answer, "weft.telemetry.v1.TelemetryStatistics"),
                    OutputFormat::Table => {
                        show::status(&answer);
                        Ok(())
                    }
                }
            }
        }
    }
}

fn time(text: &str) -> Result<Timestamp> {
    text.parse()
        .map_err(|_| anyhow::anyhow!("{text:?} is no time"))
        .context("--at is RFC 3339: 2026-01-31T12:00:00Z")
}

async fn series(
    client: &mut TelemetryClient,
    mut request: ListSeriesRequest,
    limit: usize,
    format: OutputFormat,
) -> Result<()> {
    let mut all = weft_proto::weft::telemetry::v1::ListSeriesResponse::default();
    while all.series.len() < limit {
        request.page_size = i32::try_from(limit - all.series.len()).unwrap_or(i32::MAX);
        let page = client.list_series(request.clone()).await?.into_inner();
        all.series.extend(page.series);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    all.next_page_token = request.page_token;
    match format {
        OutputFormat::Json => output::json(&all, "weft.telemetry.v1.ListSeriesResponse"),
        OutputFormat::Table => {
            all.series.iter().for_each(|series| output::line(&show::name(series)));
            Ok(())
        }
    }
}
