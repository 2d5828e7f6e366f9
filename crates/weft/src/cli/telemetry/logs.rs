//! `weft telemetry logs`: what programs said, searched or as it arrives.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use weft_kit::Clock;
use weft_proto::weft::telemetry::v1::{
    LogRecord, LogSeverity, SearchLogsRequest, SearchLogsResponse, WatchLogsRequest,
};

use super::{duration, parent, words};
use crate::{
    cli::output::{self, OutputFormat},
    client::Connection,
};

/// What is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// Words that all must be there: `refused "by peer" conn* -test`.
    #[arg(default_value = "")]
    query: String,
    /// As bad as this, or worse.
    #[arg(long)]
    severity: Option<Severity>,
    /// Of this service alone.
    #[arg(long, default_value = "")]
    service: String,
    /// With this attribute; may be told more than once.
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    attributes: Vec<String>,
    /// Of this trace alone.
    #[arg(long, default_value = "", hide_default_value = true)]
    trace: String,
    /// From so long ago until now.
    #[arg(long, default_value = "1h", value_parser = duration)]
    last: Duration,
    /// How many at most: the newest.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Show what arrives from now on, until you stop it.
    #[arg(long, short, conflicts_with_all = ["last", "limit"])]
    follow: bool,
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Severity {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl From<Severity> for LogSeverity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Trace => Self::Trace,
            Severity::Debug => Self::Debug,
            Severity::Info => Self::Info,
            Severity::Warn => Self::Warn,
            Severity::Error => Self::Error,
            Severity::Fatal => Self::Fatal,
        }
    }
}

impl LogsArgs {
    pub(super) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        if self.follow {
            return self.follow(connection, format).await;
        }
        let now = Clock::system().now();
        let mut request = SearchLogsRequest {
            parent: parent(&self.project),
            min_severity: self.severity.map_or(LogSeverity::Unspecified, LogSeverity::from).into(),
            query: self.query,
            service_name: self.service,
            attributes: self.attributes,
            trace_id: self.trace,
            start_time: Some((now - self.last).into()),
            ..SearchLogsRequest::default()
        };
        let mut client = connection.logs();
        let mut all = SearchLogsResponse::default();
        while all.logs.len() < self.limit {
            request.page_size = i32::try_from(self.limit - all.logs.len()).unwrap_or(i32::MAX);
            let page = client.search_logs(request.clone()).await?.into_inner();
            all.logs.extend(page.logs);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        all.next_page_token = request.page_token;
        match format {
            OutputFormat::Json => output::json(&all, "weft.telemetry.v1.SearchLogsResponse"),
            OutputFormat::Table => {
                // As a log is read: the newest at the end, next to the prompt.
                all.logs.iter().rev().for_each(|record| output::line(&shown(record)));
                Ok(())
            }
        }
    }

    async fn follow(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let request = WatchLogsRequest {
            parent: parent(&self.project),
            min_severity: self.severity.map_or(LogSeverity::Unspecified, LogSeverity::from).into(),
            query: self.query,
            service_name: self.service,
            attributes: self.attributes,
            trace_id: self.trace,
        };
        let mut answers = connection.logs().watch_logs(request).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            match format {
                OutputFormat::Json => output::json(&answer, "weft.telemetry.v1.WatchLogsResponse")?,
                OutputFormat::Table => {
                    if answer.missed_message_count > 0 {
                        output::line(&format!("… {} messages were missed", answer.missed_message_count));
                    }
                    answer.logs.iter().for_each(|record| output::line(&shown(record)));
                }
            }
        }
        bail!("the mesh has ended the watch")
    }
}

/// A record as a line: when, how bad, who, what, and what besides.
fn shown(record: &LogRecord) -> String {
    let severity = match record.severity() {
        LogSeverity::Unspecified => "-",
        severity => severity.as_str_name().trim_start_matches("LOG_SEVERITY_"),
    };
    let service = record.origin.as_ref().map_or("", |origin| &origin.service_name);
    let body = record.body.as_ref().map(words::value).unwrap_or_default();
    let name = if body.is_empty() { record.event_name.as_str() } else { "" };
    let attributes = record.attributes.as_ref().map(words::attributes).unwrap_or_default();
    let time = output::time(record.log_time.as_ref());
    let parts = [time.as_str(), severity, service, name, &body, &attributes];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    words::clean(&parts.join(" "))
}

#[cfg(test)]
mod tests {
    use prost_types::{Struct, Timestamp, Value, value::Kind};
    use weft_proto::weft::telemetry::v1::TelemetryOrigin;

    use super::*;

    #[test]
    fn a_record_is_a_line_that_no_terminal_obeys() {
        let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
        let record = LogRecord {
            log_time: Some(Timestamp { seconds: 0, nanos: 5_000_000 }),
            severity: LogSeverity::Warn.into(),
            body: Some(text("slow \u{1b}[2J")),
            attributes: Some(Struct { fields: [("path".to_owned(), text("/a"))].into() }),
            origin: Some(TelemetryOrigin { service_name: "shop".into(), ..TelemetryOrigin::default() }),
            ..LogRecord::default()
        };
        assert_eq!(shown(&record), "1970-01-01T00:00:00.005Z WARN shop slow \u{fffd}[2J path=/a");
    }
}
