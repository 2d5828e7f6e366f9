//! The Connect protocol, byte by byte.

use std::{
    io::{Read, Write},
    time::Duration,
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use bytes::{Buf, Bytes};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures::{SinkExt, channel::mpsc};
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::body::Body;
use tower::ServiceExt;
use weft_gateway::GatewayOptions;
use weft_proto::google::rpc;

use crate::{
    support::{Answer, Edge},
    upstream::Event,
};

const ECHO: &str = "POST /test.v1.EchoService/Echo";
const STREAM: &[(&str, &str)] = &[("content-type", "application/connect+json")];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    plain
}

fn sealed(flags: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![flags];
    bytes.extend((message.len() as u32).to_be_bytes());
    bytes.extend(message);
    bytes
}

/// The envelopes of a body: flags and messages.
fn opened(mut body: Bytes) -> Vec<(u8, Bytes)> {
    let mut envelopes = Vec::new();
    while body.has_remaining() {
        let flags = body.get_u8();
        let length = body.get_u32() as usize;
        envelopes.push((flags, body.split_to(length)));
    }
    envelopes
}

/// The messages of a stream in JSON, and its end.
fn conversation(answer: &Answer) -> (Vec<Value>, Value) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/connect+json");
    let mut envelopes = opened(answer.body.clone());
    let (flags, end) = envelopes.pop().expect("a stream has an end");
    assert_eq!(flags, 2);
    let messages = envelopes.iter().map(|(flags, message)| {
        assert_eq!(*flags, 0);
        serde_json::from_slice(message).expect("JSON")
    });
    (messages.collect(), serde_json::from_slice(&end).expect("JSON"))
}

async fn post(edge: &Edge, line: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    edge.ask(request.body(Full::from(body.into())).expect("a good request")).await
}

#[tokio::test]
async fn a_unary_call_in_both_codecs() {
    let edge = Edge::new();
    let answer = edge.call(ECHO, r#"{"int64Value":5,"time":"2026-01-31T12:00:00Z"}"#).await;
    assert_eq!(answer.ok(), json!({ "int64Value": "5", "time": "2026-01-31T12:00:00Z" }));
    let headers = [("content-type", "application/proto"), ("connect-protocol-version", "1")];
    // int32_value: 150
    let answer = post(&edge, ECHO, &headers, &b"\x18\x96\x01"[..]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/proto"));
    assert_eq!(&answer.body[..], b"\x18\x96\x01");
    // A message without fields has no bytes.
    let answer = post(&edge, ECHO, &headers, Bytes::new()).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}

#[tokio::test]
async fn a_get_asks_what_changes_nothing() {
    let edge = Edge::new();
    let path = "/test.v1.EchoService/GetThing";
    let message = "message=%7B%22name%22%3A%22shelves%2Fs%2Fthings%2Ft%22%7D";
    let answer = edge.call(&format!("GET {path}?connect=v1&encoding=json&{message}"), "").await;
    assert_eq!(answer.ok(), json!({ "name": "shelves/s/things/t" }));
    let name = "shelves/s/things/t";
    let binary = [&[10, name.len() as u8][..], name.as_bytes()].concat();
    for (query, bytes) in [
        (String::new(), binary.clone()),
        ("&compression=identity".to_owned(), binary.clone()),
        ("&compression=gzip".to_owned(), gzip(&binary)),
    ] {
        let text = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let line = format!("GET {path}?base64=1&encoding=proto&message={text}{query}&utm=1");
        let answer = post(&edge, &line, &[], Bytes::new()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "application/proto"),
            "{line}"
        );
        assert_eq!(answer.body, binary, "{line}");
    }
    let answer = edge.call(&format!("GET {path}?encoding=xml&{message}"), "").await;
    assert_eq!(answer.refused(415), "encoding: must be proto or json");
    for (query, expected) in [
        ("encoding=json", "message: must be in the query"),
        ("encoding=json&message=%7B&connect=v2", "connect: must be v1"),
        (
            "encoding=json&message=%7B%22nothing%22%3A1%7D",
            "nothing: there is no such field in test.v1.GetThingRequest",
        ),
    ] {
        let answer = edge.call(&format!("GET {path}?{query}"), "").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["message"]), (400, &json!(expected)));
        assert_eq!(answer.json()["code"], "invalid_argument");
    }
    let answer = edge.call(&format!("GET {path}?encoding=json&compression=br&{message}"), "").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (501, &json!("unimplemented")));
}

#[tokio::test]
async fn each_code_has_its_name_and_keeps_its_details() {
    let edge = Edge::new();
    for (code, status, name) in [
        (1, 499, "canceled"),
        (2, 500, "unknown"),
        (3, 400, "invalid_argument"),
        (4, 504, "deadline_exceeded"),
        (5, 404, "not_found"),
        (6, 409, "already_exists"),
        (7, 403, "permission_denied"),
        (8, 429, "resource_exhausted"),
        (9, 400, "failed_precondition"),
        (10, 409, "aborted"),
        (11, 400, "out_of_range"),
        (12, 501, "unimplemented"),
        (13, 500, "internal"),
        (14, 503, "unavailable"),
        (15, 500, "data_loss"),
        (16, 401, "unauthenticated"),
    ] {
        let body = json!({ "code": code, "message": "nö", "retryAfterMs": 1_200 }).to_string();
        let answer = edge.call("POST /test.v1.EchoService/Fail", &body).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, "application/json"));
        let error = answer.json();
        assert_eq!((&error["code"], &error["message"]), (&json!(name), &json!("nö")));
        let details = error["details"].as_array().expect("a list");
        let detail =
            details.iter().find(|detail| detail["type"] == "google.rpc.ErrorInfo").expect("a reason");
        assert_eq!(detail["debug"]["reason"], "AS_ASKED");
        let value = BASE64_STANDARD_NO_PAD.decode(detail["value"].as_str().expect("text")).expect("base64");
        let info = rpc::ErrorInfo::decode(value.as_slice()).expect("an ErrorInfo");
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("AS_ASKED", "weft.dev"));
        assert_eq!(answer.header("retry-after"), "2");
        assert_eq!(answer.header("www-authenticate"), if code == 16 { "Bearer" } else { "" });
    }
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_apart() {
    let edge = Edge::new();
    let answer = post(&edge, ECHO, &[("content-type", "text/plain")], "x").await;
    answer.refused(415);
    assert!(answer.header("accept-post").contains("application/proto"));
    // A stream's content type for a call without one, and the reverse.
    post(&edge, ECHO, STREAM, sealed(0, b"{}")).await.refused(415);
    let answer = edge.call("POST /test.v1.EchoService/Count", "{}").await;
    answer.refused(415);
    assert!(answer.header("accept-post").contains("application/connect+proto"));
    for (line, allow) in [
        ("GET /test.v1.EchoService/Echo?encoding=json&message=%7B%7D", "POST"),
        ("GET /test.v1.EchoService/Count?encoding=json&message=%7B%7D", "POST"),
        ("PUT /test.v1.EchoService/GetThing", "GET, POST"),
    ] {
        let answer = edge.call(line, "").await;
        answer.refused(405);
        assert_eq!(answer.header("allow"), allow, "{line}");
    }
    let json = ("content-type", "application/json");
    for (headers, body, status, code) in [
        (&[json, ("connect-protocol-version", "2")][..], "{}", 400, "invalid_argument"),
        (&[json, ("connect-timeout-ms", "soon")], "{}", 400, "invalid_argument"),
        (&[json, ("content-encoding", "br")], "{}", 501, "unimplemented"),
        (&[json, ("content-encoding", "gzip")], "{}", 400, "invalid_argument"),
        (&[json], "", 400, "invalid_argument"),
        (&[json], "[]", 400, "invalid_argument"),
        (&[json], r#"{"text":"a","text":"b"}"#, 400, "invalid_argument"),
    ] {
        let answer = post(&edge, ECHO, headers, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (status, &json!(code)),
            "{headers:?} {body}"
        );
    }
}

#[tokio::test]
async fn methods_that_are_not_there_are_unimplemented() {
    let edge = Edge::new();
    for path in ["/test.v1.EchoService/Nothing", "/test.v1.EchoService/Hidden", "/nobody.Knows/This"] {
        let proto = [("content-type", "application/proto")];
        let answer = post(&edge, &format!("POST {path}"), &proto, "").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (501, &json!("unimplemented")),
            "{path}"
        );
        let json = [("content-type", "application/json"), ("connect-protocol-version", "1")];
        let answer = post(&edge, &format!("POST {path}"), &json, "{}").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (501, &json!("unimplemented")),
            "{path}"
        );
        let answer = post(&edge, &format!("POST {path}"), STREAM, "").await;
        assert_eq!(conversation(&answer).1["error"]["code"], "unimplemented", "{path}");
        edge.call(&format!("POST {path}"), "{}").await.refused(404);
    }
}

#[tokio::test]
async fn messages_may_be_compressed_both_ways() {
    let edge = Edge::new();
    let text = "x".repeat(5_000);
    let body = json!({ "text": text }).to_string();
    let json = ("content-type", "application/json");
    let headers = [json, ("content-encoding", "gzip"), ("accept-encoding", "br, gzip")];
    let answer = post(&edge, ECHO, &headers, gzip(body.as_bytes())).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (200, "gzip"));
    assert_eq!(gunzip(&answer.body), body.as_bytes());
    // Who does not say what it accepts accepts what it sends.
    let answer = post(&edge, ECHO, &headers[..2], gzip(body.as_bytes())).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    let answer = post(&edge, ECHO, &[json, ("accept-encoding", "br")], body.clone()).await;
    assert_eq!((answer.header("content-encoding"), answer.text()), ("", body.as_str()));
    // An empty body is not decompressed.
    let proto = [("content-type", "application/proto"), ("content-encoding", "gzip")];
    assert_eq!(post(&edge, ECHO, &proto, "").await.status, 200);
}

#[tokio::test]
async fn no_body_is_larger_than_it_may_be() {
    let edge =
        Edge::with(GatewayOptions { max_body_bytes: 2_000, max_message_bytes: 2_000, ..Default::default() });
    let body = json!({ "text": "x".repeat(3_000) }).to_string();
    let json = ("content-type", "application/json");
    for (headers, body) in [
        (&[json][..], body.clone().into_bytes()),
        (&[json, ("content-encoding", "gzip")], gzip(body.as_bytes())),
        (&[json, ("content-encoding", "gzip")], gzip(&vec![b' '; 10_000_000])),
    ] {
        let answer = post(&edge, ECHO, headers, body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (429, &json!("resource_exhausted")));
    }
    let compressed = [STREAM[0], ("connect-content-encoding", "gzip")];
    for (headers, body) in [
        (STREAM, b"\0\xff\xff\xff\xff".to_vec()),
        (STREAM, sealed(0, body.as_bytes())),
        (&compressed, sealed(1, &gzip(&vec![b' '; 10_000_000]))),
    ] {
        let answer = post(&edge, "POST /test.v1.EchoService/Chat", headers, body).await;
        assert_eq!(conversation(&answer).1["error"]["code"], "resource_exhausted");
    }
}

#[tokio::test]
async fn metadata_passes_both_ways() {
    let edge = Edge::new();
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer t"),
        ("acme-shard", "42"),
        ("data-bin", "AQ"),
        ("cookie", "session=1"),
        ("connect-timeout-ms", "5000"),
        ("x-forwarded-for", "10.0.0.1"),
    ];
    let metadata =
        post(&edge, "POST /test.v1.EchoService/Metadata", &headers, "{}").await.ok()["metadata"].clone();
    assert_eq!(metadata["authorization"], "Bearer t");
    assert_eq!((&metadata["acme-shard"], &metadata["data-bin"]), (&json!("42"), &json!("AQ")));
    assert_eq!(metadata["grpc-timeout"], "5000000u");
    for name in ["cookie", "connect-timeout-ms", "x-forwarded-for"] {
        assert_eq!(metadata[name], Value::Null, "{name}");
    }
    // Custom metadata is the application's own here, as over gRPC.
    let answer = edge.call(ECHO, "{}").await;
    assert_eq!((answer.header("x-request-id"), answer.header("secret")), ("r-1", "s"));
    assert_eq!(answer.header("grpc-status"), "");
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_its_time_and_so_does_the_service() {
    let mut edge = Edge::new();
    let begin = tokio::time::Instant::now();
    let headers = [("content-type", "application/json"), ("connect-timeout-ms", "2000")];
    let answer = post(&edge, "POST /test.v1.EchoService/Hang", &headers, "{}").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (504, &json!("deadline_exceeded")));
    assert!(begin.elapsed() >= Duration::from_secs(2) && begin.elapsed() < Duration::from_secs(3));
    assert_eq!(edge.events.recv().await, Some(Event::Began("Hang".into())));
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
    let headers = [STREAM[0], ("connect-timeout-ms", "2000")];
    let stay = sealed(0, br#"{"to":1,"stay":true}"#);
    let answer = post(&edge, "POST /test.v1.EchoService/Count", &headers, stay).await;
    let (messages, end) = conversation(&answer);
    assert_eq!(
        (messages, &end["error"]["code"]),
        (vec![json!({ "value": "1" })], &json!("deadline_exceeded"))
    );
}

#[tokio::test]
async fn no_time_is_no_call() {
    let mut edge = Edge::new();
    for (line, header) in [(ECHO, "connect-timeout-ms"), ("POST /v1/echo", "x-weft-timeout")] {
        let answer = post(&edge, line, &[("content-type", "application/json"), (header, "0")], "{}").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["message"]),
            (504, &json!("the call's deadline passed before it was done"))
        );
    }
    assert!(edge.events.try_recv().is_err(), "the service hears nothing of it");
}

#[tokio::test]
async fn a_server_stream_ends_with_how_it_went() {
    let edge = Edge::new();
    let count = |message: &str| sealed(0, message.as_bytes());
    let answer = post(&edge, "POST /test.v1.EchoService/Count", STREAM, count(r#"{"to":2}"#)).await;
    assert_eq!(conversation(&answer), (vec![json!({ "value": "1" }), json!({ "value": "2" })], json!({})));
    assert_eq!(answer.header("connect-accept-encoding"), "gzip");
    let answer = post(&edge, "POST /test.v1.EchoService/Count", STREAM, count(r#"{"failAfter":1}"#)).await;
    let (messages, end) = conversation(&answer);
    assert_eq!((messages.len(), &end["error"]["code"]), (1, &json!("data_loss")));
    assert_eq!(end["error"]["details"][0]["debug"]["reason"], "BROKEN");
    let answer =
        post(&edge, "POST /test.v1.EchoService/Count", STREAM, count(r#"{"failAtOnce":true}"#)).await;
    let (messages, end) = conversation(&answer);
    assert_eq!((messages.len(), &end["error"]["code"]), (0, &json!("data_loss")));
    for body in [Vec::new(), [count("{}"), count("{}")].concat()] {
        let answer = post(&edge, "POST /test.v1.EchoService/Count", STREAM, body).await;
        let error = &conversation(&answer).1["error"];
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!("unimplemented"), &json!("/test.v1.EchoService/Count takes one message"))
        );
    }
}

#[tokio::test]
async fn a_client_stream_has_one_answer() {
    let mut edge = Edge::new();
    let sum = "POST /test.v1.EchoService/Sum";
    let numbers: Vec<u8> =
        (1..=4).flat_map(|value| sealed(0, format!("{{\"value\":{value}}}").as_bytes())).collect();
    let answer = post(&edge, sum, STREAM, numbers).await;
    assert_eq!(conversation(&answer), (vec![json!({ "value": "10" })], json!({})));
    assert_eq!(edge.events.recv().await, Some(Event::Began("Sum".into())));
    assert_eq!(edge.events.recv().await, Some(Event::Ended));
    // In protobuf, with compression that is announced and not used for what is small.
    let headers = [("content-type", "application/connect+proto"), ("connect-content-encoding", "gzip")];
    let body = [sealed(1, &gzip(b"\x08\x05")), sealed(0, b"\x08\x06")].concat();
    let answer = post(&edge, sum, &headers, body).await;
    let envelopes = opened(answer.body.clone());
    assert_eq!(envelopes, [(0, Bytes::from_static(b"\x08\x0b")), (2, Bytes::from_static(b"{}"))]);
    assert_eq!(answer.header("connect-content-encoding"), "gzip");
}

#[tokio::test]
async fn half_an_upload_never_looks_whole() {
    let mut edge = Edge::new();
    let one = sealed(0, br#"{"value":1}"#);
    for (rest, message) in [
        (sealed(0, br#"{"nothing":1}"#), "nothing: there is no such field in test.v1.Number"),
        (sealed(0, br#"{"value":2}"#)[..9].to_vec(), "the body ends inside of a message"),
        (sealed(2, b"{}"), "the flags of a message are 0, or 1 if it is compressed"),
    ] {
        let body = [one.clone(), rest].concat();
        let answer = post(&edge, "POST /test.v1.EchoService/Sum", STREAM, body).await;
        let (messages, end) = conversation(&answer);
        assert_eq!((messages.len(), &end["error"]["message"]), (0, &json!(message)));
        assert_eq!(edge.events.recv().await, Some(Event::Began("Sum".into())));
    }
    // An end that the service took for one would have been noticed before this call's beginning.
    edge.call(ECHO, "{}").await.ok();
    assert_eq!(edge.events.recv().await, Some(Event::Began("Echo".into())));
}

/// A conversation in which each side hears the other while it speaks.
struct Talk {
    say: mpsc::Sender<Result<Frame<Bytes>, std::convert::Infallible>>,
    headers: HeaderMap,
    answers: Body,
}

impl Talk {
    async fn begin(edge: &Edge, method: &str) -> Self {
        let (say, said) = mpsc::channel(8);
        let request = Request::post(format!("/test.v1.EchoService/{method}"))
            .header("content-type", "application/connect+json")
            .body(StreamBody::new(said))
            .expect("a good request");
        let Ok(response) = edge.gateway.clone().oneshot(request).await;
        let (parts, answers) = response.into_parts();
        Self { say, headers: parts.headers, answers }
    }

    async fn say(&mut self, message: &Value) {
        let frame = Frame::data(sealed(0, message.to_string().as_bytes()).into());
        self.say.send(Ok(frame)).await.expect("it listens");
    }

    async fn hear(&mut self) -> (u8, Value) {
        let frame = self.answers.frame().await.expect("it goes on").expect("it lives");
        let envelopes = opened(frame.into_data().expect("data"));
        let [(flags, message)] = envelopes.as_slice() else { panic!("one at a time") };
        (*flags, serde_json::from_slice(message).expect("JSON"))
    }
}

#[tokio::test]
async fn both_sides_speak_at_once() {
    let mut edge = Edge::new();
    let mut talk = Talk::begin(&edge, "Chat").await;
    assert_eq!(talk.headers["content-type"], "application/connect+json");
    for value in ["7", "8"] {
        talk.say(&json!({ "value": value })).await;
        assert_eq!(talk.hear().await, (0, json!({ "value": value })));
    }
    // Half closed: the service ends the call, and that is told.
    talk.say.close_channel();
    assert_eq!(talk.hear().await, (2, json!({})));
    assert!(talk.answers.frame().await.is_none());
    // A mistake in the middle ends it too.
    let mut talk = Talk::begin(&edge, "Chat").await;
    talk.say(&json!({ "value": 1 })).await;
    talk.hear().await;
    talk.say(&json!({ "value": "x" })).await;
    let (flags, end) = talk.hear().await;
    assert_eq!((flags, &end["error"]["code"]), (2, &json!("invalid_argument")));
    // Who goes away is noticed.
    let mut talk = Talk::begin(&edge, "Chat").await;
    talk.say(&json!({ "value": 1 })).await;
    talk.hear().await;
    drop(talk);
    let mut dropped = 0;
    while dropped < 3 {
        dropped += usize::from(edge.events.recv().await == Some(Event::Dropped));
    }
}
