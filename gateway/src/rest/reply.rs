//! A unary answer as an HTTP response.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;
use prost::Message;
use tonic::{Status, body::Body, metadata::MetadataMap};
use weft_kit::Problem;
use weft_proto::google::api::HttpBody;

use super::Route;
use crate::{accept, call::Whole, json, metadata, refusal::Refusal};

/// The whole answer of a method that is not a stream.
///
/// # Errors
/// INTERNAL when it cannot be told.
pub(super) fn unary(route: &Route, answer: Whole) -> Result<Response<Body>, Refusal> {
    let Whole { metadata, message, .. } = answer;
    if returns_raw(route) {
        let raw = read_raw(message)?;
        let mut response = Response::new(Body::new(Full::new(raw.data.clone())));
        describe_raw(&raw, &metadata, &mut response);
        finish(route, metadata, &mut response);
        return Ok(response);
    }
    let body = match &route.response_field {
        Some(field) => json::encode_field(field, message)?,
        None => route.entry.output_json.encode(message)?,
    };
    let mut response = Response::new(Body::new(Full::from(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(accept::JSON));
    finish(route, metadata, &mut response);
    Ok(response)
}

/// Headers that every answer has.
pub(super) fn finish(route: &Route, metadata: MetadataMap, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !route.entry.public {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    metadata::to_headers(metadata, headers);
}

/// Whether the method answers with bytes of a type of its own: `google.api.HttpBody`.
pub(super) fn returns_raw(route: &Route) -> bool {
    route.response_field.is_none() && route.entry.output.full_name() == "google.api.HttpBody"
}

/// A `google.api.HttpBody`.
pub(super) fn read_raw(message: Bytes) -> Result<HttpBody, Status> {
    HttpBody::decode(message).map_err(|error| {
        Problem::internal("ANSWER_NOT_READABLE", format!("the service's answer cannot be read: {error}"))
            .into()
    })
}

/// Content type and file name; and as the bytes may be a page that somebody else wrote, they
/// must not run as one of ours.
pub(super) fn describe_raw(raw: &HttpBody, metadata: &MetadataMap, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    let content_type = HeaderValue::try_from(&raw.content_type).ok().filter(|value| !value.is_empty());
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    if let Some(file) =
        metadata.get("content-disposition").and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok())
    {
        headers.insert(header::CONTENT_DISPOSITION, file);
    }
}
