//! What others send over HTTP: Prometheus remote write, and what it has in common with OTLP.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use tonic::{Status, body::Body};
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
    let too_large = |status| Refusal::http(StatusCode::PAYLOAD_TOO_LARGE, status);
    let content = body::read(&parts.headers, body, LARGEST.min(shared.options.max_body_bytes)).await;
    let mut content = content.map_err(|status| match status.code() {
        tonic::Code::ResourceExhausted => too_large(status),
        _ => status.into(),
    })?;
    let encoding = parts.headers.get(header::CONTENT_ENCODING).map_or(&b""[..], HeaderValue::as_bytes);
    if unpacks && encoding == b"gzip" {
        content = unpacked(&content).map_err(too_large)?;
    } else if unpacks && !matches!(encoding, b"" | b"identity") {
        let problem = Problem::unimplemented("UNKNOWN_ENCODING", "content-encoding may be gzip");
        return Err(Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
    }
    Ok((parts, content))
}

/// Unpacks gzip, no further than what may be sent on.
fn unpacked(packed: &[u8]) -> Result<Bytes, Status> {
    let mut content = Vec::new();
    let read = MultiGzDecoder::new(packed).take(LARGEST as u64 + 1).read_to_end(&mut content);
    if read.is_err() {
        return Err(Problem::invalid_argument("BODY_NOT_READABLE", "the body is no gzip").into());
    }
    if content.len() > LARGEST {
        return Err(crate::words::too_large(LARGEST));
    }
    Ok(content.into())
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
