//! gRPC-web, binary and text, from its bytes.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::support::{Answer, Edge};

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    [&[0], &length[..], message].concat()
}

async fn ask(edge: &Edge, method: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(format!("/test.v1.EchoService/{method}"))
        .header("content-type", content_type)
        .header("accept", content_type)
        .header("x-grpc-web", "1")
        .body(Full::new(Bytes::from(body)));
    edge.ask(request.expect("a good request")).await
}

/// Messages, and the trailers as text.
fn parse(mut body: &[u8]) -> (Vec<Vec<u8>>, String) {
    let mut messages = Vec::new();
    let mut trailers = String::new();
    while let [kind, a, b, c, d, rest @ ..] = body {
        let (frame, after) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        match kind {
            0 => messages.push(frame.to_vec()),
            _ => trailers = String::from_utf8(frame.to_vec()).expect("ASCII"),
        }
        body = after;
    }
    (messages, trailers)
}

#[tokio::test]
async fn binary_messages_and_trailers_come_in_one_body() {
    let edge = Edge::new();
    for content_type in ["application/grpc-web", "application/grpc-web+proto"] {
        let answer = ask(&edge, "GetFile", content_type, frame(b"\x0a\x01x")).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").starts_with("application/grpc-web"));
        let (messages, trailers) = parse(&answer.body);
        assert_eq!(messages, [b"\x0a\x01x"]);
        assert!(trailers.contains("grpc-status:0"), "{trailers}");
    }
}

#[tokio::test]
async fn text_is_base64() {
    let edge = Edge::new();
    let body = BASE64_STANDARD.encode(frame(b"\x0a\x01x")).into_bytes();
    let answer = ask(&edge, "GetFile", "application/grpc-web-text", body).await;
    let decoded = answer.body.split_inclusive(|byte| *byte == b'=').fold(Vec::new(), |mut all, part| {
        // Each piece may have padding of its own.
        let whole = part.len() / 4 * 4;
        all.extend(BASE64_STANDARD.decode(&part[..whole]).unwrap_or_default());
        all
    });
    assert_eq!(parse(&decoded).0, [b"\x0a\x01x"]);
}

#[tokio::test]
async fn a_server_stream_ends_with_its_status() {
    let edge = Edge::new();
    // to = 3, then fail_after = 2.
    let (messages, trailers) =
        parse(&ask(&edge, "Count", "application/grpc-web", frame(b"\x08\x03")).await.body);
    assert_eq!((messages.len(), trailers.contains("grpc-status:0")), (3, true), "{trailers}");
    let (messages, trailers) =
        parse(&ask(&edge, "Count", "application/grpc-web", frame(b"\x10\x02")).await.body);
    assert_eq!((messages.len(), trailers.contains("grpc-status:15")), (2, true), "{trailers}");
    assert!(trailers.contains("grpc-status-details-bin:"), "{trailers}");
}

#[tokio::test]
async fn what_is_not_there_is_unimplemented() {
    let edge = Edge::new();
    for method in ["Nothing", "Hidden"] {
        let answer = ask(&edge, method, "application/grpc-web", frame(b"")).await;
        let in_trailers = parse(&answer.body).1.contains("grpc-status:12");
        assert!(answer.header("grpc-status") == "12" || in_trailers, "{answer:?}");
    }
}

#[tokio::test]
async fn other_formats_and_methods_are_refused() {
    let edge = Edge::new();
    assert_eq!(ask(&edge, "Echo", "application/grpc-web+json", frame(b"{}")).await.status, 415);
    let get = edge
        .call_with("GET /test.v1.EchoService/Echo", &[("content-type", "application/grpc-web")], "")
        .await;
    assert_eq!(get.status, 405);
    for body in
        [b"\x00\xff\xff\xff\xff".to_vec(), b"\x00\x00\x00\x00\x05ab".to_vec(), b"\x07".to_vec(), Vec::new()]
    {
        let answer = ask(&edge, "Echo", "application/grpc-web", body).await;
        let trailers = parse(&answer.body).1;
        let status = if trailers.is_empty() { answer.header("grpc-status") } else { &trailers };
        assert!(!status.contains("grpc-status:0") && !status.is_empty(), "{answer:?}");
    }
}
