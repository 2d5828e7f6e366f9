//! Answers as Prometheus writes them.

use http::{HeaderValue, Response, StatusCode, header};
use prost_types::Timestamp;
use serde_json::{Map, Value, json};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt;
use weft_proto::weft::telemetry::v1::{
    QueryInstantResponse, QueryRangeResponse, QueryResultType, Sample, Series,
};

use super::write::respond;

/// An answer that succeeded.
pub(super) fn success(data: &Value) -> Response<Body> {
    respond(StatusCode::OK, "application/json", json!({ "status": "success", "data": data }).to_string())
}

/// A parameter that is wrong.
pub(super) fn bad(problem: &str) -> Response<Body> {
    failed(StatusCode::BAD_REQUEST, "bad_data", problem)
}

/// A refusal of the service.
pub(super) fn refused(status: &Status) -> Response<Body> {
    let (code, kind) = match status.code() {
        Code::InvalidArgument | Code::OutOfRange => (StatusCode::BAD_REQUEST, "bad_data"),
        Code::ResourceExhausted => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
        Code::DeadlineExceeded | Code::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthorized"),
        Code::PermissionDenied => (StatusCode::FORBIDDEN, "forbidden"),
        Code::NotFound | Code::Unimplemented => (StatusCode::NOT_FOUND, "not_found"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    };
    // Too many calls, and not too large a query.
    let is_rate = status.code() == Code::ResourceExhausted
        && status.get_error_details().error_info().is_none_or(|info| info.reason != "QUERY_TOO_LARGE");
    let code = if is_rate { StatusCode::TOO_MANY_REQUESTS } else { code };
    let mut response = failed(code, kind, status.message());
    if code == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn failed(code: StatusCode, kind: &str, problem: &str) -> Response<Body> {
    let body = json!({ "status": "error", "errorType": kind, "error": problem });
    respond(code, "application/json", body.to_string())
}

pub(super) fn labels(series: &Series) -> Value {
    // Sorted, so that equal answers are equal bytes.
    let mut names: Vec<_> = series.labels.iter().collect();
    names.sort();
    Value::Object(names.into_iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>())
}

/// A time in seconds, and the value as text.
fn pair(sample: &Sample) -> Value {
    json!([seconds(sample.sample_time.as_ref()), text(sample.value)])
}

fn seconds(time: Option<&Timestamp>) -> Value {
    let Some(time) = time else { return json!(0) };
    let millis = time.nanos / 1_000_000;
    if millis == 0 { json!(time.seconds) } else { json!(time.seconds as f64 + f64::from(millis) / 1_000.0) }
}

fn text(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else {
        value.to_string()
    }
}

pub(super) fn instant(answer: &QueryInstantResponse, at: &Timestamp) -> Value {
    let one = |series: &Series| series.samples.first().map(pair);
    match answer.result_type() {
        QueryResultType::Scalar => {
            let value =
                answer.series.first().and_then(one).unwrap_or_else(|| json!([seconds(Some(at)), "NaN"]));
            json!({ "resultType": "scalar", "result": value })
        }
        QueryResultType::String => {
            json!({ "resultType": "string", "result": [seconds(Some(at)), answer.text] })
        }
        QueryResultType::Matrix => matrix(&answer.series),
        QueryResultType::Vector | QueryResultType::Unspecified => {
            let result: Vec<Value> = answer
                .series
                .iter()
                .filter_map(|series| Some(json!({ "metric": labels(series), "value": one(series)? })))
                .collect();
            json!({ "resultType": "vector", "result": result })
        }
    }
}

pub(super) fn range(answer: &QueryRangeResponse) -> Value {
    matrix(&answer.series)
}

fn matrix(series: &[Series]) -> Value {
    let row = |series: &Series| {
        let values: Vec<Value> = series.samples.iter().map(pair).collect();
        json!({ "metric": labels(series), "values": values })
    };
    json!({ "resultType": "matrix", "result": series.iter().map(row).collect::<Vec<_>>() })
}
