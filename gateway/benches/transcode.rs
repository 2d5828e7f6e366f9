//! What the edge costs: one unary call in this process, directly and by each protocol.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::Request;
use http_body_util::{BodyExt, Full};
use prost::Message;
use tonic::{Status, body::Body};
use tower::{Service, ServiceExt};
use weft_gateway::{Gateway, GatewayOptions, Upstreams};
use weft_kit::{Lifecycle, Peer};
use weft_proto::weft::graph::v1::Graph;

fn bench(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = graph();
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let request = request.into_body().collect().await?.to_bytes();
            black_box(request);
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
            let body = Full::new(answer).with_trailers(async move { Some(Ok(trailers)) });
            let mut response = http::Response::new(Body::new(body));
            response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
            Ok::<_, Status>(response)
        }
    });
    let peer = Peer::new(service);
    let upstreams = Upstreams::new().with("weft.graph.v1.GraphService", peer.clone());
    let pool = weft_proto::pool().clone();
    let gateway =
        Gateway::new(upstreams, GatewayOptions::default(), pool, Lifecycle::new()).expect("good contracts");

    let grpc = || {
        Request::post("/weft.graph.v1.GraphService/GetGraph")
            .header("content-type", "application/grpc")
            .body(Full::new(framed(b"\x0a\x14projects/p/graphs/gg")))
            .expect("a good request")
    };
    criterion.bench_function("peer/unary", |bencher| {
        bencher.iter(|| runtime.block_on(run(peer.clone(), grpc().map(Body::new))));
    });
    criterion.bench_function("edge/grpc", |bencher| {
        bencher.iter(|| runtime.block_on(run(gateway.clone(), grpc())));
    });
    criterion.bench_function("edge/rest_get", |bencher| {
        bencher.iter(|| {
            let request = Request::get("/v1/projects/p/graphs/gg")
                .body(Full::<Bytes>::default())
                .expect("a good request");
            runtime.block_on(run(gateway.clone(), request));
        });
    });
    for (name, content_type, body) in [
        ("edge/connect_proto", "application/proto", Bytes::from_static(b"\x0a\x14projects/p/graphs/gg")),
        ("edge/connect_json", "application/json", Bytes::from_static(br#"{"name":"projects/p/graphs/gg"}"#)),
        ("edge/connect_json_large", "application/json", changes()),
    ] {
        let method = if name.ends_with("large") { "ApplyChanges" } else { "GetGraph" };
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let request = Request::post(format!("/weft.graph.v1.GraphService/{method}"))
                    .header("content-type", content_type)
                    .body(Full::new(body.clone()))
                    .expect("a good request");
                runtime.block_on(run(gateway.clone(), request));
            });
        });
    }
    criterion.bench_function("edge/rest_patch", |bencher| {
        bencher.iter(|| {
            let body = Full::from(r#"{"displayName":"A graph","labels":{"team":"blue"}}"#);
            let request =
                Request::patch("/v1/projects/p/graphs/gg").header("content-type", "application/json");
            runtime.block_on(run(gateway.clone(), request.body(body).expect("a good request")));
        });
    });
}

async fn run<S, B>(service: S, request: Request<B>)
where
    S: Service<Request<B>, Response = http::Response<Body>>,
    S::Error: std::fmt::Debug,
{
    let response = service.oneshot(request).await.expect("it answers");
    assert_eq!(response.status(), 200);
    black_box(response.into_body().collect().await.expect("it is in memory").to_bytes());
}

/// A graph of about 200 bytes.
fn graph() -> Bytes {
    let graph = Graph {
        name: "projects/p/graphs/gg".to_owned(),
        uid: "0198c7a2-6d1e-7c3a-9f2b-1c2d3e4f5a6b".to_owned(),
        display_name: "A graph".to_owned(),
        description: "What is known of the packages of a distribution".to_owned(),
        labels: [("team".to_owned(), "blue".to_owned())].into(),
        revision: 42,
        node_count: 100_000,
        edge_count: 300_000,
        create_time: Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 0 }),
        update_time: Some(prost_types::Timestamp { seconds: 1_790_000_100, nanos: 5_000_000 }),
        etag: "\"42\"".to_owned(),
        ..Default::default()
    };
    framed(&graph.encode_to_vec())
}

/// A request of 1,000 nodes in JSON, about 100 KB.
fn changes() -> Bytes {
    let node = |number| {
        format!(
            r#"{{"upsertNode":{{"node":{{"key":"package-{number}","type":"package","properties":{{"rank":{number},"name":"p"}}}}}}}}"#
        )
    };
    let changes: Vec<String> = (0..1_000).map(node).collect();
    format!(r#"{{"graph":"projects/p/graphs/gg","changes":[{}]}}"#, changes.join(",")).into()
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

criterion_group!(benches, bench);
criterion_main!(benches);
