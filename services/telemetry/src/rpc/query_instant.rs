//! QueryInstant.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{QueryInstantRequest, QueryInstantResponse, QueryResultType, Series};
use weft_series::{
    Labels,
    promql::{self, Answer, Query, Row, Steps},
};

use crate::{
    Error,
    domain::{message, name, time},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<QueryInstantRequest>,
) -> Result<QueryInstantResponse, Error> {
    let request = call.message;
    let query = Query::parse(&request.query)?;
    let at = request.query_time.as_ref().map_or_else(|| state.now(), time::millis);
    let limits = state.limits();
    state
        .ask(name::project(&request.parent), move |view| {
            Ok(response(promql::instant(&query, view, at, &limits)?, at))
        })
        .await
}

pub(crate) fn response(answer: Answer, at: i64) -> QueryInstantResponse {
    let steps = Steps::once(at);
    let of = |result_type: QueryResultType, series: Vec<Series>, text: String| QueryInstantResponse {
        result_type: result_type.into(),
        series,
        text,
    };
    match answer {
        Answer::Scalar(values) => {
            let row = message::row(&Row { labels: Labels::default(), values }, steps);
            of(QueryResultType::Scalar, vec![row], String::new())
        }
        Answer::Text(text) => of(QueryResultType::String, Vec::new(), text),
        Answer::Matrix(series) => {
            let series = series.iter().map(|series| message::stored(&series.labels, &series.samples));
            of(QueryResultType::Matrix, series.collect(), String::new())
        }
        Answer::Vector(rows) => {
            let rows = rows.iter().map(|row| message::row(row, steps));
            of(QueryResultType::Vector, rows.collect(), String::new())
        }
        _ => of(QueryResultType::Unspecified, Vec::new(), String::new()),
    }
}
