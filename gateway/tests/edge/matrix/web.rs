//! gRPC-web, byte by byte.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Full;
use tonic::{Code, Status};

use super::{
    case::Case,
    outcome::{End, Outcome, from_proto},
};
use crate::support::Edge;

pub(super) async fn call(edge: &Edge, case: &Case, said: Vec<Bytes>, is_text: bool) -> Outcome {
    let content_type = if is_text { "application/grpc-web-text" } else { "application/grpc-web+proto" };
    let mut body = Vec::new();
    for message in &said {
        body.put_u8(0);
        body.put_u32(message.len() as u32);
        body.put_slice(message);
    }
    let body = if is_text { BASE64_STANDARD.encode(body).into_bytes() } else { body };
    let mut request =
        Request::post(case.path()).header("content-type", content_type).header("accept", content_type);
    if let Some(timeout) = case.timeout {
        request = request.header("grpc-timeout", format!("{}m", timeout.as_millis()));
    }
    let answer = edge.ask(request.body(Full::from(body)).expect("a good request")).await;
    assert_eq!(answer.status, 200);
    if let Some(status) = Status::from_header_map(&answer.headers) {
        return Outcome::refused(end(&status));
    }
    let body = if is_text { decoded(&answer.body) } else { answer.body };
    read(case.method.output, body)
}

/// Pieces of base64 follow one another, each with its own padding.
fn decoded(text: &[u8]) -> Bytes {
    let groups = text.chunks(4).map(|group| BASE64_STANDARD.decode(group).expect("base64"));
    groups.flatten().collect()
}

fn read(kind: &str, mut body: Bytes) -> Outcome {
    let mut messages = Vec::new();
    while body.has_remaining() {
        let flags = body.get_u8();
        let length = body.get_u32() as usize;
        let payload = body.split_to(length);
        if flags == 0 {
            messages.push(from_proto(kind, payload));
            continue;
        }
        assert_eq!((flags, body.remaining()), (0x80, 0), "trailers are the last");
        let trailers: HeaderMap = std::str::from_utf8(&payload)
            .expect("ASCII")
            .lines()
            .map(|line| line.split_once(':').expect("a name and a value"))
            .map(|(name, value)| {
                let name: HeaderName = name.parse().expect("a name");
                (name, HeaderValue::from_str(value.trim()).expect("a value"))
            })
            .collect();
        let status = Status::from_header_map(&trailers).expect("a status");
        return Outcome { messages, end: end(&status) };
    }
    panic!("there are no trailers")
}

fn end(status: &Status) -> End {
    if status.code() == Code::Ok { End::ok() } else { End::of_status(status) }
}
