//! GetStatistics.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{GetStatisticsRequest, TelemetryStatistics};

use crate::{
    Error,
    domain::{name, time},
    events::Kind,
    state::State,
};

pub(crate) fn handle(state: &State, call: &Call<GetStatisticsRequest>) -> Result<TelemetryStatistics, Error> {
    state.ready()?;
    let limit = state.options.max_series as i64;
    let Some(project) = state.projects.find(name::project(&call.message.parent)) else {
        return Ok(TelemetryStatistics { series_limit: limit, ..TelemetryStatistics::default() });
    };
    let project = project.read();
    let (logs, spans) = (project.kept(Kind::Logs), project.kept(Kind::Spans));
    let oldest = project.segments.iter().map(|segment| segment.first).min();
    Ok(TelemetryStatistics {
        series_count: project.index.len() as i64,
        series_limit: limit,
        received_sample_count: project.counts.received as i64,
        repeated_sample_count: project.counts.repeated as i64,
        late_report_count: project.counts.late as i64,
        refused_sample_count: project.counts.refused as i64,
        sealed_sample_count: project.segments.iter().map(|segment| segment.sample_count as i64).sum(),
        sealed_bytes: project.segments.iter().map(|segment| segment.bytes as i64).sum(),
        segment_count: project.segments.len() as i64,
        oldest_time: oldest.map(time::timestamp),
        memory_bytes: (project.bytes() + logs.bytes() + spans.bytes()) as i64,
        log_count: logs.count() as i64,
        sealed_log_count: logs.sealed_count() as i64,
        sealed_log_bytes: logs.sealed_bytes() as i64,
        span_count: spans.count() as i64,
        sealed_span_count: spans.sealed_count() as i64,
        sealed_span_bytes: spans.sealed_bytes() as i64,
        forgotten_sample_count: project.counts.forgotten as i64,
        thinned_sample_count: project.counts.thinned as i64,
    })
}
