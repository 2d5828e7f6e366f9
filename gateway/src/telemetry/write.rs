//! What others send over HTTP: Prometheus remote write, and what it has in common with OTLP.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use tonic::body::Body;
use weft_kit::Problem;
use weft_proto::weft::telemetry::v1::{SampleFormat, WriteSamplesRequest, WriteSamplesResponse};

use super::{
    ask::{From, ask},
    parent,
};
use crate::{body, refusal::Refusal, shared::Shared};

/// Largest body, packed and unpacked: what a message of the service may have.
pub(super) const LARGEST: usize = 4 << 20;

/// Prometheus remote write 1.0.
pub(super) async fn remote_write(
    shared: &Shared,
    request: Request<Body>,
    project: Option<&str>,
) -> Response<Body> {
    if request.method() != Method::POST {
        return wrong_method(shared);
    }
    let is_v2 = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.contains("io.prometheus.write.v2")));
    if !has_type(request.headers(), "application/x-protobuf") || is_v2 {
        let wanted = "application/x-protobuf of prometheus.WriteRequest (remote write 1.0)";
        return refused(shared, StatusCode::UNSUPPORTED_MEDIA_TYPE, wanted);
    }
    match remotely_written(shared, request, project).await {
        Ok(_) => respond(StatusCode::NO_CONTENT, "text/plain", Bytes::new()),
        Err(refusal) => refusal.into_response(&shared.pool),
    }
}

async fn remotely_written(
    shared: &Shared,
    request: Request<Body>,
    project: Option<&str>,
) -> Result<WriteSamplesResponse, Refusal> {
    // It is packed with snappy, which is for the service to unpack.
    let (parts, content) = content(shared, request, false).await?;
    let request = WriteSamplesRequest {
        parent: parent(&parts.headers, project),
        format: SampleFormat::RemoteWrite.into(),
        content,
    };
    let from = From { headers: &parts.headers, extensions: parts.extensions };
    Ok(ask(shared, &from, "TelemetryService/WriteSamples", &request).await?)
}

/// The head of a request and its content; without gzip where that is asked for.
pub(super) async fn content(
    shared: &Shared,
    request: Request<Body>,
    unpacks: bool,
) -> Result<(Parts, Bytes), Refusal> {
    let (parts, body) = request.into_parts();
    let most = LARGEST.min(shared.options.max_body_bytes);
    let content = body::content(&parts.headers, body, most, unpacks.then_some(LARGEST)).await?;
    Ok((parts, content))
}

pub(super) fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

pub(super) fn wrong_method(shared: &Shared) -> Response<Body> {
    let problem = Problem::unimplemented("WRONG_HTTP_METHOD", "what is measured is sent with POST");
    Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
        .with_header(header::ALLOW, HeaderValue::from_static("POST"))
        .into_response(&shared.pool)
}

pub(super) fn refused(shared: &Shared, code: StatusCode, wanted: &str) -> Response<Body> {
    let problem =
        Problem::invalid_argument("UNSUPPORTED_MEDIA_TYPE", format!("the content is to be {wanted}"));
    Refusal::http(code, problem).into_response(&shared.pool)
}

pub(super) fn respond(code: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body.into())));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
