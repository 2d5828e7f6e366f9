//! How a call failed, as JSON of the protocol.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use http::Response;
use http_body_util::Full;
use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};
use tonic::{Code, Status, body::Body};

use crate::{
    metadata,
    refusal::{describe, detail_json, details, http_code},
};

/// A status as an error of the protocol: its code's name, its message, its details.
pub(super) fn to_json(status: &Status, pool: &DescriptorPool) -> Value {
    let mut error = Map::new();
    error.insert("code".to_owned(), json!(code_name(status.code())));
    if !status.message().is_empty() {
        error.insert("message".to_owned(), json!(status.message()));
    }
    let details: Vec<Value> = details(status).iter().map(|any| detail(any, pool)).collect();
    if !details.is_empty() {
        error.insert("details".to_owned(), json!(details));
    }
    Value::Object(error)
}

/// The encoded detail for programs; and what it says, for people, where its type is known.
fn detail(any: &prost_types::Any, pool: &DescriptorPool) -> Value {
    let name = any.type_url.rsplit('/').next().unwrap_or_default();
    let mut detail = json!({ "type": name, "value": BASE64_STANDARD_NO_PAD.encode(&any.value) });
    let is_known =
        pool.get_message_by_name(name).is_some() || weft_proto::pool().get_message_by_name(name).is_some();
    if let (true, Value::Object(mut says)) = (is_known, detail_json(any, pool)) {
        says.remove("@type");
        detail["debug"] = Value::Object(says);
    }
    detail
}

/// The response of a call without streams that failed.
pub(super) fn response(mut status: Status, pool: &DescriptorPool) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::from(to_json(&status, pool).to_string())));
    *response.status_mut() = http_code(status.code());
    let headers = response.headers_mut();
    headers.extend(metadata::to_connect(std::mem::take(status.metadata_mut())));
    describe(&status, headers);
    response
}

fn code_name(code: Code) -> &'static str {
    match code {
        // A call that succeeded has no error.
        Code::Ok | Code::Unknown => "unknown",
        Code::Cancelled => "canceled",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}
