//! What a collector of traces is told of a call, over real OTLP: and what it is not told.

use std::sync::Arc;

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Server};
use weft_kit::{
    Clock, Ids, Lifecycle, Peer,
    auth::{Authenticator, IdentitySource, SigningKey, VerifyingKeys},
    config::{LimitOptions, ObserveOptions},
    metrics::Metrics,
    observe,
    server::{Guards, Health, Pipeline, RateLimits, Services},
};
use weft_proto::{
    grpc::health::v1::{HealthCheckRequest, health_client::HealthClient},
    weft::identity::v1::{JsonWebKey, Principal},
};

/// The example of <https://www.w3.org/TR/trace-context/>, section 3.2.
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SECRET: &str = "weft_a_secret_that_is_nobody_elses_business";

/// A collector that hands on what it is sent.
struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).expect("the test listens");
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Believes the one key.
struct OneKey;

#[tonic::async_trait]
impl IdentitySource for OneKey {
    async fn keys(&self) -> Result<Vec<JsonWebKey>, Status> {
        Ok(Vec::new())
    }

    async fn introspect(&self, api_key: &str) -> Result<Option<Principal>, Status> {
        let principal = Principal { name: "projects/p/apiKeys/k".into(), ..Principal::default() };
        Ok((api_key == SECRET).then_some(principal))
    }
}

/// The health service behind all stages.
fn service(lifecycle: &Lifecycle) -> Peer {
    let limits = LimitOptions::default();
    let keys = VerifyingKeys::new(&SigningKey::from_seed(&[2; 32]).public());
    let guards = Guards {
        authenticator: Arc::new(Authenticator::new(Arc::new(OneKey), keys, Clock::system())),
        rates: RateLimits::new(&limits.rate),
        limits,
        metrics: Metrics::new(),
        ids: Ids::system(),
        lifecycle: lifecycle.clone(),
    };
    Peer::shared(Pipeline::new(&Services::new(Health::new().server()), weft_proto::methods(), guards))
}

fn check(service: &str) -> Request<HealthCheckRequest> {
    let mut request = Request::new(HealthCheckRequest { service: service.into() });
    let metadata = request.metadata_mut();
    metadata.insert("traceparent", PARENT.parse().expect("ASCII"));
    metadata.insert("authorization", format!("Bearer {SECRET}").parse().expect("ASCII"));
    request
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    match value(attributes, key) {
        Value::StringValue(text) => text,
        other => panic!("{key} is {other:?}"),
    }
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> &'a Value {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    found
        .and_then(|found| found.value.as_ref()?.value.as_ref())
        .unwrap_or_else(|| panic!("no {key}: {attributes:?}"))
}

/// The span of a call of `method`, and how it ended.
fn is_span_of(span: &Span, method: &str, code: Code) {
    assert_eq!(span.name, format!("grpc.health.v1.Health/{method}"));
    assert_eq!(span.kind(), SpanKind::Server);
    // Those of the parent that the client named.
    assert_eq!(span.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    assert_eq!(span.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(text(&span.attributes, "rpc.system"), "grpc");
    assert_eq!(text(&span.attributes, "rpc.service"), "grpc.health.v1.Health");
    assert_eq!(text(&span.attributes, "rpc.method"), method);
    assert_eq!(*value(&span.attributes, "rpc.grpc.status_code"), Value::IntValue(i64::from(i32::from(code))));
    let failed = span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
    assert!(!failed, "none of these is a fault of the server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_is_told_of_calls_and_of_no_secret() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (sender, mut received) = mpsc::unbounded_channel();
    let lifecycle = Lifecycle::new();
    lifecycle.spawn_future(async move {
        let collector = Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
        collector.serve_with_incoming(TcpListenerStream::new(listener)).await.expect("it serves");
    });
    let options = ObserveOptions { otlp_endpoint: format!("http://{address}"), ..ObserveOptions::default() };
    let observation = observe::start(&options, "weft-under-test").expect("the address is good");

    let mut client = HealthClient::new(service(&lifecycle));
    client.check(check("")).await.expect("the process is there");
    let unknown = client.check(check("no.such.Service")).await.expect_err("there is none");
    assert_eq!(unknown.code(), Code::NotFound);
    let mut watch = client.watch(check("")).await.expect("it begins").into_inner();
    watch.message().await.expect("it runs").expect("it says something at once");
    // The span of a stream ends with the stream: here, because its client has had enough.
    drop(watch);

    // What is left goes out when observation ends.
    tokio::task::spawn_blocking(move || drop(observation)).await.expect("it does not panic");
    let mut spans = Vec::new();
    while spans.len() < 3 {
        let sent = received.recv().await.expect("the collector lives");
        let all = format!("{sent:?}");
        assert!(!all.contains(SECRET) && !all.contains("Bearer"), "a credential left the process: {all}");
        for resource in sent.resource_spans {
            let of = resource.resource.expect("it says whose spans these are").attributes;
            assert_eq!(text(&of, "service.name"), "weft-under-test");
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans.sort_by_key(|span| span.start_time_unix_nano);
    assert_eq!(spans.len(), 3, "only calls are told of: {spans:?}");
    is_span_of(&spans[0], "Check", Code::Ok);
    is_span_of(&spans[1], "Check", Code::NotFound);
    is_span_of(&spans[2], "Watch", Code::Cancelled);
    lifecycle.drain();
}
