//! Samples that others send: OTLP over gRPC and HTTP, Prometheus remote write.

use std::{io::Read, sync::Arc};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use prost::Message;
use tonic::{Status, body::Body, codec::CompressionEncoding, server::Grpc};
use weft_kit::Problem;
use weft_proto::weft::telemetry::v1::{SampleFormat, WriteSamplesRequest, WriteSamplesResponse};

use super::{
    ask::{From, ask},
    parent,
};
use crate::{body, call::RawCodec, refusal::Refusal, shared::Shared};

/// Largest body, packed and unpacked: what a message of the service may have.
const LARGEST: usize = 4 << 20;

/// OTLP over gRPC.
pub(super) async fn otlp_grpc(shared: Arc<Shared>, request: Request<Body>) -> Response<Body> {
    Grpc::new(RawCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .apply_max_message_size_config(Some(LARGEST), None)
        .unary(Export(shared), request)
        .await
}

/// What `MetricsService/Export` does.
struct Export(Arc<Shared>);

impl tonic::server::UnaryService<Bytes> for Export {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let (metadata, extensions, content) = request.into_parts();
            let headers = metadata.into_headers();
            let from = From { headers: &headers, extensions: kept(&extensions) };
            let request = WriteSamplesRequest {
                parent: parent(&headers, None),
                format: SampleFormat::Otlp.into(),
                content,
            };
            let written: WriteSamplesResponse =
                ask(&shared, &from, "TelemetryService/WriteSamples", &request).await?;
            Ok(tonic::Response::new(partial(&written).into()))
        })
    }
}

/// What the layers below find in a request: the peer's address.
fn kept(extensions: &tonic::Extensions) -> http::Extensions {
    let mut kept = http::Extensions::new();
    if let Some(address) = extensions.get::<weft_kit::server::PeerAddress>() {
        kept.insert(*address);
    }
    kept
}

/// `ExportMetricsServiceResponse`: its first field says what was refused.
fn partial(written: &WriteSamplesResponse) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct Partial {
        #[prost(int64, tag = "1")]
        rejected_data_points: i64,
        #[prost(string, tag = "2")]
        error_message: String,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Answer {
        #[prost(message, optional, tag = "1")]
        partial_success: Option<Partial>,
    }
    let refused = written.refused_sample_count;
    let partial_success = (refused > 0)
        .then(|| Partial { rejected_data_points: refused, error_message: written.reason.clone() });
    Answer { partial_success }.encode_to_vec()
}

/// OTLP over HTTP, as protocol buffers or JSON.
pub(super) async fn otlp_http(shared: &Shared, request: Request<Body>) -> Response<Body> {
    if request.method() != Method::POST {
        return wrong_method(shared);
    }
    let is_json = has_type(request.headers(), "application/json");
    if !is_json && !has_type(request.headers(), "application/x-protobuf") {
        return refused(
            shared,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "application/x-protobuf or application/json",
        );
    }
    let format = if is_json { SampleFormat::OtlpJson } else { SampleFormat::Otlp };
    match written(shared, request, None, format, true).await {
        Err(refusal) => refusal.into_response(&shared.pool),
        Ok(written) if is_json => {
            let answer = match written.refused_sample_count {
                0 => serde_json::json!({}),
                refused => serde_json::json!({ "partialSuccess": {
                    "rejectedDataPoints": refused.to_string(), "errorMessage": written.reason,
                } }),
            };
            respond(StatusCode::OK, "application/json", answer.to_string())
        }
        Ok(written) => respond(StatusCode::OK, "application/x-protobuf", partial(&written)),
    }
}

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
    match written(shared, request, project, SampleFormat::RemoteWrite, false).await {
        Ok(_) => respond(StatusCode::NO_CONTENT, "text/plain", Bytes::new()),
        Err(refusal) => refusal.into_response(&shared.pool),
    }
}

async fn written(
    shared: &Shared,
    request: Request<Body>,
    project: Option<&str>,
    format: SampleFormat,
    unpacks: bool,
) -> Result<WriteSamplesResponse, Refusal> {
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
    let from = From { headers: &parts.headers, extensions: parts.extensions };
    let request =
        WriteSamplesRequest { parent: parent(&parts.headers, project), format: format.into(), content };
    Ok(ask(shared, &from, "TelemetryService/WriteSamples", &request).await?)
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

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

fn wrong_method(shared: &Shared) -> Response<Body> {
    let problem = Problem::unimplemented("WRONG_HTTP_METHOD", "samples are sent with POST");
    Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
        .with_header(header::ALLOW, HeaderValue::from_static("POST"))
        .into_response(&shared.pool)
}

fn refused(shared: &Shared, code: StatusCode, wanted: &str) -> Response<Body> {
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
