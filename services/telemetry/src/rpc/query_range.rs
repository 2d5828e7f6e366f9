//! QueryRange.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{QueryRangeRequest, QueryRangeResponse};
use weft_series::{
    Labels,
    promql::{self, Answer, Query, Row, Steps},
};

use crate::{
    Error,
    domain::{message, name, time},
    state::State,
};

/// What is shown where nobody says.
const HOUR: i64 = 3_600_000;
/// Steps where nobody says.
const STEPS: i64 = 240;

pub(crate) async fn handle(
    state: &State,
    call: Call<QueryRangeRequest>,
) -> Result<QueryRangeResponse, Error> {
    let request = call.message;
    let query = Query::parse(&request.query)?;
    let end = request.end_time.as_ref().map_or_else(|| state.now(), time::millis);
    let start = request.start_time.as_ref().map_or_else(|| end.saturating_sub(HOUR), time::millis);
    if start > end {
        return Err(Error::field("end_time", "must not be before start_time"));
    }
    let step = match request.step.as_ref().map(time::span) {
        None => (end.saturating_sub(start) / STEPS).max(1_000),
        Some(step) if step < 1 => return Err(Error::field("step", "must be a millisecond or more")),
        Some(step) => step,
    };
    let limits = state.limits();
    let steps = Steps::new(start, end, step, limits.steps)?;
    state
        .ask(name::project(&request.parent), move |view| {
            let rows = match promql::range(&query, view, steps, &limits)? {
                Answer::Scalar(values) => vec![Row { labels: Labels::default(), values }],
                Answer::Vector(rows) => rows,
                _ => Vec::new(),
            };
            let series = rows.iter().map(|row| message::row(row, steps)).collect();
            Ok(QueryRangeResponse { series, step: Some(time::duration(step)) })
        })
        .await
}
