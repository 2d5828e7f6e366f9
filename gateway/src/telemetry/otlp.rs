//! OTLP: metrics, logs and spans, over gRPC and over HTTP. Each is handed on as it came, to the method that reads it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use prost::Message;
use tonic::{Status, body::Body, codec::CompressionEncoding, server::Grpc};
use weft_proto::weft::telemetry::v1::{
    ExportFormat, SampleFormat, WriteLogsRequest, WriteLogsResponse, WriteSamplesRequest,
    WriteSamplesResponse, WriteSpansRequest, WriteSpansResponse,
};

use super::{
    ask::{From, ask},
    parent,
    write::{LARGEST, content, has_type, refused, respond, wrong_method},
};
use crate::{call::RawCodec, refusal::Refusal, shared::Shared};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Metrics,
    Logs,
    Traces,
}

impl Signal {
    /// What a method of gRPC takes.
    pub(super) fn of_method(path: &str) -> Option<Self> {
        match path.strip_prefix("/opentelemetry.proto.collector.")? {
            "metrics.v1.MetricsService/Export" => Some(Self::Metrics),
            "logs.v1.LogsService/Export" => Some(Self::Logs),
            "trace.v1.TraceService/Export" => Some(Self::Traces),
            _ => None,
        }
    }

    /// What an address of HTTP takes.
    pub(super) fn of_address(path: &str) -> Option<Self> {
        match path {
            "/v1/metrics" => Some(Self::Metrics),
            "/v1/logs" => Some(Self::Logs),
            "/v1/traces" => Some(Self::Traces),
            _ => None,
        }
    }

    /// How JSON counts what was refused.
    fn rejected(self) -> &'static str {
        match self {
            Self::Metrics => "rejectedDataPoints",
            Self::Logs => "rejectedLogRecords",
            Self::Traces => "rejectedSpans",
        }
    }
}

/// What was refused, and why.
struct Refused {
    count: i64,
    reason: String,
}

async fn written(
    shared: &Shared,
    from: &From<'_>,
    signal: Signal,
    is_json: bool,
    content: Bytes,
) -> Result<Refused, Status> {
    let parent = parent(from.headers, None);
    let export = if is_json { ExportFormat::OtlpJson } else { ExportFormat::Otlp }.into();
    Ok(match signal {
        Signal::Metrics => {
            let format = if is_json { SampleFormat::OtlpJson } else { SampleFormat::Otlp }.into();
            let request = WriteSamplesRequest { parent, format, content };
            let written: WriteSamplesResponse =
                ask(shared, from, "TelemetryService/WriteSamples", &request).await?;
            Refused { count: written.refused_sample_count, reason: written.reason }
        }
        Signal::Logs => {
            let request = WriteLogsRequest { parent, format: export, content };
            let written: WriteLogsResponse = ask(shared, from, "LogService/WriteLogs", &request).await?;
            Refused { count: written.refused_log_count, reason: written.reason }
        }
        Signal::Traces => {
            let request = WriteSpansRequest { parent, format: export, content };
            let written: WriteSpansResponse = ask(shared, from, "TraceService/WriteSpans", &request).await?;
            Refused { count: written.refused_span_count, reason: written.reason }
        }
    })
}

/// OTLP over gRPC.
pub(super) async fn grpc(shared: Arc<Shared>, request: Request<Body>, signal: Signal) -> Response<Body> {
    Grpc::new(RawCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .apply_max_message_size_config(Some(LARGEST), None)
        .unary(Export(shared, signal), request)
        .await
}

/// What `Export` of each of the services does.
struct Export(Arc<Shared>, Signal);

impl tonic::server::UnaryService<Bytes> for Export {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (shared, signal) = (Arc::clone(&self.0), self.1);
        Box::pin(async move {
            let (metadata, extensions, content) = request.into_parts();
            let headers = metadata.into_headers();
            let from = From { headers: &headers, extensions: kept(&extensions) };
            let refused = written(&shared, &from, signal, false, content).await?;
            Ok(tonic::Response::new(partial(&refused).into()))
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

/// The answer of each of the services: its first field says what was refused.
fn partial(refused: &Refused) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct Partial {
        #[prost(int64, tag = "1")]
        rejected: i64,
        #[prost(string, tag = "2")]
        error_message: String,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Answer {
        #[prost(message, optional, tag = "1")]
        partial_success: Option<Partial>,
    }
    let partial_success = (refused.count > 0)
        .then(|| Partial { rejected: refused.count, error_message: refused.reason.clone() });
    Answer { partial_success }.encode_to_vec()
}

/// OTLP over HTTP, as protocol buffers or JSON.
pub(super) async fn http(shared: &Shared, request: Request<Body>, signal: Signal) -> Response<Body> {
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
    match taken(shared, request, signal, is_json).await {
        Err(refusal) => refusal.into_response(&shared.pool),
        Ok(refused) if is_json => {
            let answer = match refused.count {
                0 => serde_json::json!({}),
                count => serde_json::json!({ "partialSuccess": {
                    signal.rejected(): count.to_string(), "errorMessage": refused.reason,
                } }),
            };
            respond(StatusCode::OK, "application/json", answer.to_string())
        }
        Ok(refused) => respond(StatusCode::OK, "application/x-protobuf", partial(&refused)),
    }
}

async fn taken(
    shared: &Shared,
    request: Request<Body>,
    signal: Signal,
    is_json: bool,
) -> Result<Refused, Refusal> {
    let (parts, content) = content(shared, request, true).await?;
    let from = From { headers: &parts.headers, extensions: parts.extensions };
    Ok(written(shared, &from, signal, is_json, content).await?)
}
