//! ListMetrics.

use weft_kit::{
    Call,
    cursor::{Cursor, CursorReader},
    paging::{List, page_size},
};
use weft_proto::weft::telemetry::v1::{ListMetricsRequest, ListMetricsResponse, Metric};
use weft_series::labels::METRIC;

use crate::{Error, domain::name, state::State};

pub(crate) fn handle(state: &State, call: Call<ListMetricsRequest>) -> Result<ListMetricsResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListMetrics", &request.parent]);
    let cursor = list.cursor(&request.page_token)?;
    let after = match CursorReader::new(&cursor) {
        None => String::new(),
        Some(mut reader) => {
            let after = reader.text()?.to_owned();
            reader.end()?;
            after
        }
    };
    state.ready()?;
    let size = page_size(request.page_size, 1_000, 10_000) as usize;
    let Some(project) = state.projects.find(name::project(&request.parent)) else {
        return Ok(ListMetricsResponse::default());
    };
    let project = project.read();
    let names = project.index.values(METRIC).filter(|(metric, _)| *metric > after.as_str());
    let mut metrics: Vec<Metric> = names
        .take(size + 1)
        .map(|(metric, count)| {
            let known = project.metrics.get(metric).cloned().unwrap_or_default();
            Metric {
                metric: metric.to_owned(),
                r#type: known.kind,
                unit: known.unit,
                description: known.description,
                series_count: count as i64,
            }
        })
        .collect();
    let is_last = metrics.len() <= size;
    metrics.truncate(size);
    let next_page_token = match metrics.last() {
        Some(last) if !is_last => list.token(Cursor::default().text(&last.metric).as_str()),
        _ => String::new(),
    };
    Ok(ListMetricsResponse { metrics, next_page_token })
}
