//! How calls fail over REST, and what goes along with them.

use std::time::Duration;

use serde_json::{Value, json};
use weft_gateway::{Gateway, GatewayOptions, Upstreams};
use weft_kit::{Lifecycle, Peer};

use crate::{
    support::{Edge, pool},
    upstream::Event,
};

#[tokio::test]
async fn each_code_has_its_http_code_and_keeps_its_details() {
    let edge = Edge::new();
    for (code, status, name) in [
        (1, 499, "CANCELLED"),
        (2, 500, "UNKNOWN"),
        (3, 400, "INVALID_ARGUMENT"),
        (4, 504, "DEADLINE_EXCEEDED"),
        (5, 404, "NOT_FOUND"),
        (6, 409, "ALREADY_EXISTS"),
        (7, 403, "PERMISSION_DENIED"),
        (8, 429, "RESOURCE_EXHAUSTED"),
        (9, 400, "FAILED_PRECONDITION"),
        (10, 409, "ABORTED"),
        (11, 400, "OUT_OF_RANGE"),
        (12, 501, "UNIMPLEMENTED"),
        (13, 500, "INTERNAL"),
        (14, 503, "UNAVAILABLE"),
        (15, 500, "DATA_LOSS"),
        (16, 401, "UNAUTHENTICATED"),
    ] {
        let answer = edge.call(&format!("GET /v1/fail?code={code}&message=n%C3%B6+%25"), "").await;
        assert_eq!(answer.refused(status), "nö %");
        assert_eq!(
            answer.json(),
            json!({
                "code": code,
                "status": name,
                "message": "nö %",
                "details": [{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "AS_ASKED",
                    "domain": "weft.dev",
                    "metadata": { "who": "you" },
                }],
            })
        );
        assert_eq!(answer.header("www-authenticate"), if code == 16 { "Bearer" } else { "" });
        assert_eq!(answer.header("retry-after"), "");
    }
}

#[tokio::test]
async fn a_pause_is_told_in_whole_seconds() {
    let edge = Edge::new();
    for (millis, seconds) in [(1, "1"), (1_000, "1"), (1_001, "2")] {
        let answer = edge.call(&format!("GET /v1/fail?code=14&retryAfterMs={millis}"), "").await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, seconds));
    }
}

#[tokio::test]
async fn what_cannot_be_accepted_is_told() {
    let edge = Edge::new();
    let answer = edge.call_with("GET /v1/shelves/s/things/t", &[("accept", "text/csv")], "").await;
    assert_eq!(answer.refused(406), "there is only application/json");
    let answer = edge.call_with("GET /v1/count?to=1", &[("accept", "text/html")], "").await;
    assert_eq!(
        answer.refused(406),
        "there is only application/x-ndjson, text/event-stream, application/json"
    );
}

#[tokio::test]
async fn metadata_passes_by_a_list() {
    let edge = Edge::new();
    let headers = [
        ("authorization", "Bearer t"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-request-id", "r-7"),
        ("cookie", "session=1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-weft-timeout", "5s"),
        ("connection", "x-request-id"),
    ];
    let metadata = &edge.call_with("GET /v1/metadata", &headers, "").await.ok()["metadata"];
    assert_eq!(metadata["authorization"], "Bearer t");
    assert_eq!(metadata["x-request-id"], "r-7");
    assert!(metadata["traceparent"].is_string());
    assert_eq!(metadata["grpc-timeout"], "5000000u");
    for name in ["cookie", "x-forwarded-for", "connection", "x-weft-timeout"] {
        assert_eq!(metadata[name], Value::Null, "{name}");
    }
    let answer = edge.call("GET /v1/echo", "").await;
    assert_eq!((answer.header("x-request-id"), answer.header("secret")), ("r-1", ""));
    let answer = edge.call_with("GET /v1/metadata", &[("x-weft-timeout", "soon")], "").await;
    assert_eq!(answer.refused(400), "x-weft-timeout: must be a time such as 300ms, 2.5s or 1m");
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_its_time_and_so_does_the_service() {
    let mut edge = Edge::new();
    let begin = tokio::time::Instant::now();
    let answer = edge.call_with("GET /v1/hang", &[("x-weft-timeout", "2s")], "").await;
    assert_eq!(answer.refused(504), "the call's deadline passed before it was done");
    assert!(begin.elapsed() >= Duration::from_secs(2) && begin.elapsed() < Duration::from_secs(3));
    assert_eq!(edge.events.recv().await, Some(Event::Began("Hang".into())));
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_is_unavailable() {
    let broken = tower::service_fn(|_| async {
        Err::<http::Response<tonic::body::Body>, _>(std::io::Error::other("no route"))
    });
    let upstreams = Upstreams::new().with("test.v1.EchoService", Peer::new(broken));
    let gateway =
        Gateway::new(upstreams, GatewayOptions::default(), pool(), Lifecycle::new()).expect("good contracts");
    let mut edge = Edge::new();
    edge.gateway = gateway;
    let answer = edge.call("GET /v1/echo", "").await;
    answer.refused(503);
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!answer.text().contains("no route"), "what is inside stays inside");
}
