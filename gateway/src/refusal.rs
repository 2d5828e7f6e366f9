//! Errors of HTTP requests: which code, and `google.rpc.Status` as JSON.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use prost::Message;
use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt;
use weft_proto::google::rpc;

use crate::{json, metadata};

/// A REST request that ends in an error.
#[derive(Debug)]
pub(crate) struct Refusal {
    http: StatusCode,
    status: Status,
    headers: HeaderMap,
}

impl Refusal {
    /// With an HTTP code that gRPC has no word for: 405, 406, 413, 415, 426.
    pub(crate) fn http(http: StatusCode, status: impl Into<Status>) -> Self {
        Self { http, status: status.into(), headers: HeaderMap::new() }
    }

    pub(crate) fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The response. Details of types that `pool` does not know stay as they came, in base64.
    pub(crate) fn into_response(mut self, pool: &DescriptorPool) -> Response<Body> {
        let body = status_json(&self.status, pool, true).to_string();
        let mut response = Response::new(Body::new(http_body_util::Full::from(body)));
        *response.status_mut() = self.http;
        let headers = response.headers_mut();
        headers.extend(std::mem::take(&mut self.headers));
        metadata::to_headers(std::mem::take(self.status.metadata_mut()), headers);
        describe(&self.status, headers);
        response
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self { http: http_code(status.code()), status, headers: HeaderMap::new() }
    }
}

impl From<weft_kit::Problem> for Refusal {
    fn from(problem: weft_kit::Problem) -> Self {
        Status::from(problem).into()
    }
}

/// What every error tells in its headers: that it is JSON and not to be kept, when to come back,
/// how to sign in.
pub(crate) fn describe(status: &Status, headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(delay) = retry_after(status) {
        headers.insert(header::RETRY_AFTER, delay);
    }
    if status.code() == Code::Unauthenticated && !headers.contains_key(header::WWW_AUTHENTICATE) {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

/// The HTTP code of a gRPC code, as `google/rpc/code.proto` lists them.
pub(crate) fn http_code(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled => StatusCode::from_u16(499).expect("it is between 100 and 999"),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// `google.rpc.Code`'s name of a code.
fn code_name(code: Code) -> &'static str {
    rpc::Code::try_from(code as i32).map_or("UNKNOWN", |code| code.as_str_name())
}

/// A status as canonical JSON of `google.rpc.Status`; `named` adds the code's name under
/// `status`, for people.
pub(crate) fn status_json(status: &Status, pool: &DescriptorPool, named: bool) -> Value {
    let mut object = Map::new();
    object.insert("code".to_owned(), json!(status.code() as i32));
    if named {
        object.insert("status".to_owned(), json!(code_name(status.code())));
    }
    object.insert("message".to_owned(), json!(status.message()));
    object.insert("details".to_owned(), details(status).iter().map(|any| detail_json(any, pool)).collect());
    Value::Object(object)
}

/// A status as encoded `google.rpc.Status`.
pub(crate) fn status_bytes(status: &Status) -> Vec<u8> {
    let full = rpc::Status {
        code: status.code() as i32,
        message: status.message().to_owned(),
        details: details(status),
    };
    full.encode_to_vec()
}

/// The details; none where a service sent what is no status.
pub(crate) fn details(status: &Status) -> Vec<prost_types::Any> {
    rpc::Status::decode(status.details()).map(|full| full.details).unwrap_or_default()
}

pub(crate) fn detail_json(any: &prost_types::Any, pool: &DescriptorPool) -> Value {
    let encoded = |pool: &DescriptorPool| {
        let descriptor = pool.get_message_by_name("google.protobuf.Any")?;
        let bytes = any.encode_to_vec();
        let text = json::encode(&descriptor, bytes.into()).ok()?;
        serde_json::from_slice(&text).ok()
    };
    encoded(pool)
        .or_else(|| encoded(weft_proto::pool()))
        .unwrap_or_else(|| json!({ "@type": any.type_url, "value": BASE64_STANDARD.encode(&any.value) }))
}

/// Whole seconds, rounded up: a client that comes back too early is refused again.
fn retry_after(status: &Status) -> Option<HeaderValue> {
    let delay = status.get_details_retry_info()?.retry_delay?;
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    Some(HeaderValue::from(seconds))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;
    use weft_kit::Problem;

    use super::*;

    #[test]
    fn every_code_has_its_http_code() {
        let all = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
        for (number, http) in (0..).zip(all) {
            assert_eq!(http_code(Code::from_i32(number)).as_u16(), http, "{number}");
        }
    }

    #[tokio::test]
    async fn details_and_the_pause_reach_the_client() {
        let problem = Problem::resource_exhausted("TOO_FAST", "too many calls")
            .quota("users/u", "10 a second")
            .retry_after(Duration::from_millis(1_200));
        let response = Refusal::from(problem).into_response(weft_proto::pool());
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
        let body = response.into_body().collect().await.expect("it is in memory").to_bytes();
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["code"], 8);
        assert_eq!(body["status"], "RESOURCE_EXHAUSTED");
        assert_eq!(body["message"], "too many calls");
        let details = body["details"].as_array().expect("a list");
        let of = |name: &str| {
            details.iter().find(|detail| detail["@type"] == format!("type.googleapis.com/google.rpc.{name}"))
        };
        assert_eq!(of("ErrorInfo").expect("a reason")["reason"], "TOO_FAST");
        assert_eq!(of("RetryInfo").expect("a pause")["retryDelay"], "1.200s");
        assert_eq!(of("QuotaFailure").expect("a quota")["violations"][0]["subject"], "users/u");
    }

    #[test]
    fn a_detail_of_an_unknown_type_stays_as_it_came() {
        let any = prost_types::Any { type_url: "type.googleapis.com/other.Thing".into(), value: vec![1, 2] };
        assert_eq!(
            detail_json(&any, weft_proto::pool()),
            json!({ "@type": "type.googleapis.com/other.Thing", "value": "AQI=" })
        );
    }

    #[tokio::test]
    async fn a_stranger_is_told_how_to_sign_in() {
        let response =
            Refusal::from(Status::unauthenticated("who are you")).into_response(weft_proto::pool());
        assert_eq!(
            (response.status().as_u16(), &response.headers()["www-authenticate"]),
            (401, &HeaderValue::from_static("Bearer"))
        );
    }
}
