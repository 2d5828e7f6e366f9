//! `weft telemetry traces` and `trace`: which there were, and one as a tree.

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use prost_types::Timestamp;
use weft_kit::Clock;
use weft_proto::weft::telemetry::v1::{
    GetTraceRequest, SearchTracesRequest, SearchTracesResponse, Span, SpanStatus, Trace,
};

use super::{duration, parent, words};
use crate::{
    cli::output::{self, OutputFormat},
    client::Connection,
};

/// Characters of a bar that is as long as its trace.
const WIDTH: usize = 40;

/// What is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct TracesArgs {
    /// With a span of this service.
    #[arg(long, default_value = "")]
    service: String,
    /// With a span of this name.
    #[arg(long, default_value = "")]
    operation: String,
    /// With a span that took so long, for example `250ms`.
    #[arg(long, value_parser = duration)]
    min_duration: Option<Duration>,
    /// With a span that ended in an error.
    #[arg(long)]
    errors: bool,
    /// With a span that has this attribute; may be told more than once. One span has to have all of it.
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    attributes: Vec<String>,
    /// From so long ago until now.
    #[arg(long, default_value = "1h", value_parser = duration)]
    last: Duration,
    /// How many at most: the newest.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
}

impl TracesArgs {
    pub(super) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let now = Clock::system().now();
        let mut request = SearchTracesRequest {
            parent: parent(&self.project),
            service_name: self.service,
            operation: self.operation,
            min_duration: self.min_duration.map(prost_types::Duration::try_from).transpose()?,
            errors_only: self.errors,
            attributes: self.attributes,
            start_time: Some((now - self.last).into()),
            ..SearchTracesRequest::default()
        };
        let mut client = connection.traces();
        let mut all = SearchTracesResponse::default();
        while all.traces.len() < self.limit {
            request.page_size = i32::try_from(self.limit - all.traces.len()).unwrap_or(i32::MAX);
            let page = client.search_traces(request.clone()).await?.into_inner();
            all.traces.extend(page.traces);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        all.next_page_token = request.page_token;
        match format {
            OutputFormat::Json => output::json(&all, "weft.telemetry.v1.SearchTracesResponse"),
            OutputFormat::Table => {
                table(&all);
                Ok(())
            }
        }
    }
}

/// Shows one trace.
pub(super) async fn show(
    connection: &Connection,
    project: &str,
    id: &str,
    format: OutputFormat,
) -> Result<()> {
    let name = format!("{}/traces/{}", parent(project), id.to_lowercase());
    let trace = connection.traces().get_trace(GetTraceRequest { name }).await?.into_inner();
    match format {
        OutputFormat::Json => output::json(&trace, "weft.telemetry.v1.Trace"),
        OutputFormat::Table => {
            for line in tree(&trace) {
                output::line(&line);
            }
            Ok(())
        }
    }
}

fn table(answer: &SearchTracesResponse) {
    let rows = answer.traces.iter().map(|trace| {
        let root = format!("{} {}", trace.root_service_name, trace.root_operation);
        vec![
            trace.trace_id.clone(),
            output::time(trace.start_time.as_ref()),
            words::span(trace.duration.as_ref().map_or(0, length)),
            output::number(trace.span_count.into()),
            output::number(trace.error_span_count.into()),
            words::clean(root.trim()),
        ]
    });
    output::table(&["trace", "started", "took", "spans", "errors", "root"], &[2, 3, 4], rows);
}

fn length(duration: &prost_types::Duration) -> i64 {
    duration.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(duration.nanos))
}

fn nanos(time: Option<&Timestamp>) -> i64 {
    time.map_or(0, |time| time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos)))
}

/// Spans below those that began them, each with a bar where it is in its trace. A span whose parent is not there stands
/// at the edge.
fn tree(trace: &Trace) -> Vec<String> {
    let Some(summary) = &trace.summary else { return Vec::new() };
    let whole = summary.duration.as_ref().map_or(0, length).max(1);
    let first = nanos(summary.start_time.as_ref());
    let places: HashMap<&str, usize> =
        trace.spans.iter().enumerate().map(|(place, span)| (&*span.span_id, place)).collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut waiting = Vec::new();
    for (place, span) in trace.spans.iter().enumerate().rev() {
        match places.get(&*span.parent_span_id) {
            Some(above) if *above != place => children.entry(*above).or_default().push(place),
            _ => waiting.push((place, 0)),
        }
    }
    let mut lines = vec![format!(
        "{}  {} in {} spans, {} of them with an error",
        summary.trace_id,
        words::span(whole),
        summary.span_count,
        summary.error_span_count
    )];
    // Spans that are each other's parents are below nothing, and are not shown.
    while let Some((place, depth)) = waiting.pop() {
        let span = &trace.spans[place];
        lines.push(line(span, depth, &bar(span, first, whole)));
        waiting.extend(children.remove(&place).into_iter().flatten().map(|place| (place, depth + 1)));
    }
    lines
}

fn line(span: &Span, depth: usize, bar: &str) -> String {
    let service = span.origin.as_ref().map_or("", |origin| &origin.service_name);
    let took = words::span(span.duration.as_ref().map_or(0, length));
    let error = match (span.status(), &*span.status_message) {
        (SpanStatus::Error, "") => "  ERROR".to_owned(),
        (SpanStatus::Error, message) => format!("  ERROR {message}"),
        _ => String::new(),
    };
    let indent = "  ".repeat(depth.min(30));
    words::clean(&format!("{bar} {took:>9}  {indent}{service} {}{error}", span.operation))
}

fn bar(span: &Span, first: i64, whole: i64) -> String {
    let place = |nanos: i64| ((nanos.max(0) as f64 / whole as f64) * WIDTH as f64).min(WIDTH as f64);
    let from = place(nanos(span.start_time.as_ref()).saturating_sub(first)).floor() as usize;
    let from = from.min(WIDTH - 1);
    let to = place(nanos(span.end_time.as_ref()).saturating_sub(first)).ceil() as usize;
    let to = to.clamp(from + 1, WIDTH);
    format!("{}{}{}", "·".repeat(from), "█".repeat(to - from), "·".repeat(WIDTH - to))
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::telemetry::v1::TraceSummary;

    use super::*;

    #[test]
    fn a_trace_is_a_tree_with_bars() {
        let time = |millis: i32| Some(Timestamp { seconds: 0, nanos: millis * 1_000_000 });
        let span = |id: &str, parent: &str, from, to| Span {
            span_id: id.into(),
            parent_span_id: parent.into(),
            operation: format!("op-{id}"),
            start_time: time(from),
            end_time: time(to),
            duration: Some(prost_types::Duration { seconds: 0, nanos: (to - from) * 1_000_000 }),
            status: if id == "c" { SpanStatus::Error.into() } else { 0 },
            ..Span::default()
        };
        let trace = Trace {
            summary: Some(TraceSummary {
                trace_id: "t".into(),
                start_time: time(0),
                duration: Some(prost_types::Duration { seconds: 0, nanos: 100_000_000 }),
                span_count: 5,
                ..TraceSummary::default()
            }),
            spans: vec![
                span("a", "", 0, 100),
                span("b", "a", 10, 50),
                span("c", "b", 20, 30),
                span("d", "a", 50, 100),
                span("e", "gone", 99, 99),
            ],
        };
        let lines = tree(&trace);
        let shown: Vec<String> =
            lines[1..].iter().map(|line| line.split("ms").last().unwrap_or_default().to_owned()).collect();
        assert_eq!(lines.len(), 6, "{lines:#?}");
        assert!(shown[0].ends_with("   op-a") && shown[1].ends_with("     op-b"), "{lines:#?}");
        assert!(shown[2].ends_with("       op-c  ERROR") && shown[3].ends_with("     op-d"), "{lines:#?}");
        assert!(lines[5].ends_with("   op-e"), "{lines:#?}");
        assert!(lines[3].starts_with(&format!("{}{}{}", "·".repeat(8), "█".repeat(4), "·".repeat(28))));
        assert!(lines[5].starts_with(&format!("{}█", "·".repeat(39))), "{lines:#?}");
        // A circle has no beginning.
        let circle = Trace { spans: vec![span("a", "b", 0, 1), span("b", "a", 0, 1)], ..trace };
        assert_eq!(tree(&circle).len(), 1);
    }
}
