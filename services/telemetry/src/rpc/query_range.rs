//! QueryRange.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{QueryRangeRequest, QueryRangeResponse};
use weft_series::promql::{Query, Steps};

use crate::{
    Error,
    domain::{learned, message, name, span, time},
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
    let (start, end) =
        span::between(request.start_time.as_ref(), request.end_time.as_ref(), state.now(), HOUR)?;
    let usual = || (end.saturating_sub(start) / STEPS).max(1_000);
    let step = span::step(request.step.as_ref())?.unwrap_or_else(usual);
    let limits = state.limits();
    let steps = Steps::new(start, end, step, limits.steps)?;
    state
        .ask(name::project(&request.parent), move |view| {
            let rows = learned::rows(&query, view, steps, &limits)?;
            let series = rows.iter().map(|row| message::row(row, steps)).collect();
            Ok(QueryRangeResponse { series, step: Some(time::duration(step)) })
        })
        .await
}
