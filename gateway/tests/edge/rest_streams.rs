//! Server streams over REST.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    support::{Answer, Edge},
    upstream::Event,
};

const NDJSON: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";

async fn stream(edge: &Edge, query: &str, accept: &str) -> Answer {
    let answer = edge.call_with(&format!("GET /v1/count?{query}"), &[("accept", accept)], "").await;
    assert_eq!(answer.status, 200);
    answer
}

fn broken() -> Value {
    json!({
        "code": 15,
        "status": "DATA_LOSS",
        "message": "it broke",
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "BROKEN",
            "domain": "weft.dev",
            "metadata": { "at": "2" },
        }],
    })
}

#[tokio::test]
async fn lines_are_what_a_client_gets_that_does_not_say() {
    let edge = Edge::new();
    for accept in ["*/*", NDJSON] {
        let answer = stream(&edge, "to=3", accept).await;
        assert_eq!(answer.header("content-type"), NDJSON);
        assert_eq!(answer.text(), "{\"value\":\"1\"}\n{\"value\":\"2\"}\n{\"value\":\"3\"}\n");
    }
    assert_eq!(stream(&edge, "to=0", NDJSON).await.text(), "");
    let answer = stream(&edge, "failAfter=2", NDJSON).await;
    let lines: Vec<Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines, [json!({ "value": "1" }), json!({ "value": "2" }), json!({ "@error": broken() })]);
}

#[tokio::test]
async fn events_tell_how_they_end() {
    let edge = Edge::new();
    let answer = stream(&edge, "to=2", EVENTS).await;
    assert_eq!(answer.header("content-type"), EVENTS);
    assert_eq!(answer.header("cache-control"), "");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    let success = r#"{"code":0,"details":[],"message":"","status":"OK"}"#;
    assert_eq!(
        answer.text(),
        format!(
            "data: {{\"value\":\"1\"}}\n\ndata: {{\"value\":\"2\"}}\n\nevent: status\ndata: {success}\n\n"
        )
    );
    let answer = stream(&edge, "failAfter=2", EVENTS).await;
    let last = answer.text().rsplit("event: status\ndata: ").next().expect("a last event");
    assert_eq!(serde_json::from_str::<Value>(last).expect("JSON"), broken());
}

#[tokio::test]
async fn an_array_is_always_whole() {
    let edge = Edge::new();
    let array = async |query: &str| {
        let answer = stream(&edge, query, "application/json").await;
        assert_eq!(answer.header("content-type"), "application/json");
        answer.json()
    };
    assert_eq!(array("to=2").await, json!([{ "value": "1" }, { "value": "2" }]));
    assert_eq!(array("to=0").await, json!([]));
    assert_eq!(
        array("failAfter=2").await,
        json!([{ "value": "1" }, { "value": "2" }, { "@error": broken() }])
    );
}

#[tokio::test]
async fn an_error_before_the_first_message_is_a_plain_error() {
    let edge = Edge::new();
    let answer = edge.call_with("GET /v1/count?failAtOnce=true", &[("accept", EVENTS)], "").await;
    assert_eq!(answer.refused(500), "it broke");
}

#[tokio::test]
async fn a_file_comes_as_bytes_with_type_and_name() {
    let edge = Edge::new();
    let answer = edge.call_with("GET /v1/download?to=3", &[("accept", "text/csv")], "").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "a,b\na,b\na,b\n"));
    assert_eq!(answer.header("content-type"), "text/csv");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"numbers.csv\"");
    assert!(answer.broken.is_none());
    let half = edge.call("GET /v1/download?failAfter=2", "").await;
    assert_eq!(half.text(), "a,b\na,b\n");
    assert!(half.broken.is_some(), "half a file must not look like a whole one");
    edge.call("GET /v1/download?failAtOnce=true", "").await.refused(500);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_event_stream_shows_that_it_lives_and_ends_with_its_reader() {
    let mut edge = Edge::new();
    let request = http::Request::get("/v1/count?to=1&stay=true").header("accept", EVENTS);
    let request = request.body(Full::<bytes::Bytes>::default()).expect("a good request");
    let Ok(response) = edge.gateway.clone().oneshot(request).await;
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await.expect("it goes on").expect("it lives");
        String::from_utf8(frame.into_data().expect("data").to_vec()).expect("UTF-8")
    };
    assert_eq!(next().await, "data: {\"value\":\"1\"}\n\n");
    let begin = tokio::time::Instant::now();
    assert_eq!(next().await, ":\n\n");
    assert_eq!(next().await, ":\n\n");
    assert_eq!(begin.elapsed().as_secs(), Duration::from_secs(30).as_secs());
    assert_eq!(edge.events.recv().await, Some(Event::Began("Count".into())));
    drop(body);
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
}

#[tokio::test]
async fn an_event_stream_goes_on_where_it_broke_off() {
    let edge = Edge::new();
    let events = ("accept", "text/event-stream");
    let part = |step: i32, last: &str| format!("data: {{\"part\":{{\"step\":\"{step}\"{last}}}}}\n\n");
    let whole = r#","last":true"#;
    let end = |step: i32| {
        format!(
            "id: {step}\ndata: {{\"caughtUp\":\"{step}\"}}\n\nevent: status\ndata: {{\"code\":0,\"details\":[],\"message\":\"\",\"status\":\"OK\"}}\n\n"
        )
    };
    let answer = edge.call_with("GET /v1/follow?to=2", &[events], "").await;
    // Half a step is no place to go on from.
    let all =
        format!("{}id: 1\n{}{}id: 2\n{}{}", part(1, ""), part(1, whole), part(2, ""), part(2, whole), end(2));
    assert_eq!(answer.text(), all);
    // The address is the same when an event source connects again: what it has counts.
    for line in ["GET /v1/follow?to=2", "GET /v1/follow?to=2&after=0"] {
        let answer = edge.call_with(line, &[events, ("last-event-id", "1")], "").await;
        assert_eq!(answer.text(), format!("{}id: 2\n{}{}", part(2, ""), part(2, whole), end(2)), "{line}");
    }
    let answer = edge.call_with("GET /v1/follow?to=2&after=1", &[events, ("last-event-id", "")], "").await;
    assert!(answer.text().starts_with(&part(2, "")));
    let answer = edge.call_with("GET /v1/follow?to=2", &[events, ("last-event-id", "x")], "").await;
    assert_eq!(answer.refused(400), "last-event-id: must be a 64-bit integer, not \"x\"");
    // Only event sources have ids; only streams with a cursor understand them.
    let answer = edge.call_with("GET /v1/follow?to=1", &[("last-event-id", "1")], "").await;
    assert_eq!((answer.header("content-type"), answer.text().lines().count()), ("application/x-ndjson", 3));
    let answer = edge.call_with("GET /v1/count?to=1", &[events, ("last-event-id", "x")], "").await;
    assert!(answer.text().starts_with("data: {\"value\":\"1\"}\n\n"), "{}", answer.text());
}
