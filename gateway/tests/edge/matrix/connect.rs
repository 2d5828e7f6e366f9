//! The Connect protocol, byte by byte.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use bytes::{Buf, BufMut, Bytes};
use http::{Request, request::Builder};
use http_body_util::Full;
use serde_json::Value;
use tonic::Code;

use super::{
    case::Case,
    outcome::{End, Outcome, detail, from_json, from_proto, normal},
};
use crate::support::{Answer, Edge};

pub(super) async fn post(edge: &Edge, case: &Case, said: Vec<Bytes>, is_json: bool) -> Outcome {
    let codec = if is_json { "json" } else { "proto" };
    let is_stream = case.method.client_streaming || case.method.server_streaming;
    let content_type =
        if is_stream { format!("application/connect+{codec}") } else { format!("application/{codec}") };
    let mut body = Vec::new();
    for message in &said {
        if is_stream {
            body.put_u8(0);
            body.put_u32(message.len() as u32);
        }
        body.put_slice(message);
    }
    let request = timed(Request::post(case.path()), case)
        .header("content-type", &content_type)
        .header("connect-protocol-version", "1")
        .body(Full::from(body));
    let answer = edge.ask(request.expect("a good request")).await;
    if is_stream {
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, content_type.as_str()));
        stream(answer.body, codec_of(case, is_json))
    } else {
        unary(&answer, codec_of(case, is_json))
    }
}

pub(super) async fn get(edge: &Edge, case: &Case, said: &Bytes, is_json: bool) -> Outcome {
    let codec = if is_json { "json" } else { "proto" };
    let message = BASE64_URL_SAFE_NO_PAD.encode(said);
    let path = format!("{}?connect=v1&encoding={codec}&base64=1&message={message}", case.path());
    let request = timed(Request::get(path), case).body(Full::default());
    unary(&edge.ask(request.expect("a good request")).await, codec_of(case, is_json))
}

fn timed(request: Builder, case: &Case) -> Builder {
    match case.timeout {
        Some(timeout) => request.header("connect-timeout-ms", timeout.as_millis().to_string()),
        None => request,
    }
}

/// The type that bytes are of, unless they are JSON.
type Codec<'c> = Option<&'c str>;

fn codec_of(case: &Case, is_json: bool) -> Codec<'_> {
    (!is_json).then_some(case.method.output)
}

fn message(bytes: &Bytes, codec: Codec<'_>) -> Value {
    codec.map_or_else(|| from_json(bytes), |kind| from_proto(kind, bytes.clone()))
}

fn unary(answer: &Answer, codec: Codec<'_>) -> Outcome {
    if answer.status == 200 {
        return Outcome { messages: vec![message(&answer.body, codec)], end: End::ok() };
    }
    assert_eq!(answer.header("content-type"), "application/json");
    Outcome::refused(failed(&answer.json()))
}

fn stream(mut body: Bytes, codec: Codec<'_>) -> Outcome {
    let mut messages = Vec::new();
    while body.has_remaining() {
        let flags = body.get_u8();
        let length = body.get_u32() as usize;
        let payload = body.split_to(length);
        if flags == 0 {
            messages.push(message(&payload, codec));
            continue;
        }
        assert_eq!((flags, body.remaining()), (2, 0), "the end is the last");
        let end: Value = serde_json::from_slice(&payload).expect("JSON");
        let end = end.get("error").map_or_else(End::ok, failed);
        return Outcome { messages, end };
    }
    panic!("the stream has no end")
}

fn failed(error: &Value) -> End {
    let name = error["code"].as_str().expect("a code");
    let code = (1..=16).map(Code::from_i32).find(|code| named(*code) == name).expect("a code of Connect");
    let details = error["details"].as_array().into_iter().flatten().map(|told| {
        let value = BASE64_STANDARD_NO_PAD.decode(told["value"].as_str().expect("base64")).expect("base64");
        let type_url = format!("type.googleapis.com/{}", told["type"].as_str().expect("a type"));
        let mut says = detail(&prost_types::Any { type_url: type_url.clone(), value });
        // For people the same as for programs.
        let mut debug = told["debug"].clone();
        debug["@type"] = Value::String(type_url);
        assert_eq!(normal(debug), says);
        says.take()
    });
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    End { code, message, details: details.collect() }
}

/// `NotFound` is `not_found`; and one has another spelling.
fn named(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    if name == "cancelled" { "canceled".to_owned() } else { name }
}
