//! What is fed with random bytes.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::Request;
use http_body_util::Full;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use weft_gateway::GatewayOptions;

use super::entropy::{Entropy, bent, message};
use crate::{
    support::{Answer, Edge, pool},
    websocket::Socket,
};

/// Deep enough for every combination of two types.
const DEPTH: usize = 4;

/// What all runs of a target share.
pub(super) struct Fixture {
    edge: Edge,
    everything: MessageDescriptor,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let everything = pool().get_message_by_name("test.v1.Everything").expect("it is in the contract");
        Self { edge: Edge::with_identity(GatewayOptions::default()), everything }
    }

    async fn post(&self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
        let request = Request::post(path)
            .header("content-type", content_type)
            // Some of the methods never answer.
            .header("connect-timeout-ms", "1000")
            .header("grpc-timeout", "1S");
        self.edge.ask(request.body(Full::new(body.into())).expect("a good request")).await
    }

    async fn echo(&self, content_type: &str, body: impl Into<Bytes>) -> Answer {
        self.post("/test.v1.EchoService/Echo", content_type, body).await
    }
}

/// No fault of ours, and JSON that says what is wrong.
fn blameless(answer: &Answer) {
    let status = answer.status.as_u16();
    assert!(![500, 502, 503].contains(&status), "{answer:?}");
    if status >= 400 {
        assert!(answer.json()["message"].is_string(), "{answer:?}");
    }
    assert!(answer.broken.is_none(), "{answer:?}");
}

/// Not-a-number is equal to itself here, and `1` to `1.0`.
fn same(one: &DynamicMessage, other: &DynamicMessage) {
    let json = |message: &DynamicMessage| serde_json::to_value(message).expect("it has a JSON");
    assert_eq!(json(one), json(other));
}

pub(super) async fn round_trip(fixture: &Fixture, bytes: &[u8]) {
    let kind = &fixture.everything;
    let asked = message(kind, &mut Entropy(bytes), DEPTH);
    let json = serde_json::to_vec(&asked).expect("it has a JSON");
    let answer = fixture.echo("application/json", json).await;
    assert_eq!(answer.status, 200, "{}: {}", answer.text(), serde_json::to_string(&asked).expect("JSON"));
    let mut reader = serde_json::Deserializer::from_slice(&answer.body);
    same(&asked, &DynamicMessage::deserialize(kind.clone(), &mut reader).expect("canonical JSON"));
    // And again: what is canonical stays as it is, up to the order of maps.
    let again = fixture.echo("application/json", answer.body.clone()).await;
    assert_eq!(again.json(), answer.json());
    let answer = fixture.echo("application/proto", asked.encode_to_vec()).await;
    same(&asked, &DynamicMessage::decode(kind.clone(), answer.body).expect("the same message"));
}

pub(super) async fn bent_json(fixture: &Fixture, bytes: &[u8]) {
    let mut entropy = Entropy(bytes);
    let asked = message(&fixture.everything, &mut entropy, DEPTH);
    let json = serde_json::to_vec(&asked).expect("it has a JSON");
    let mut entropy = Entropy(&bytes[bytes.len() / 2..]);
    let answer = fixture.echo("application/json", bent(&json, &mut entropy)).await;
    blameless(&answer);
    if answer.status == 200 {
        let again = fixture.echo("application/json", answer.body.clone()).await;
        assert_eq!(again.json(), answer.json());
    }
}

pub(super) async fn address(fixture: &Fixture, bytes: &[u8]) {
    const PARTS: [&str; 48] = [
        "/",
        "v1",
        "shelves",
        "s",
        "things",
        "t",
        "names",
        "files",
        "parts",
        "echo",
        ":",
        "move",
        "count",
        "follow",
        "%2F",
        "%3A",
        "%",
        "%zz",
        "%00",
        "%ff",
        "%C3%BC",
        "*",
        "**",
        ".",
        "..",
        "{x}",
        "?",
        "&",
        "=",
        "+",
        "int32Value",
        "int64_value",
        "nested.",
        "text",
        "numbers",
        "color",
        "COLOR_RED",
        "time",
        "2026-01-31T12:00:00Z",
        "duration",
        "1.5s",
        "mask",
        "wrappedNumber",
        "first",
        "second",
        "1e400",
        "NaN",
        "-1",
    ];
    let mut entropy = Entropy(bytes);
    let mut path =
        String::from(["/", "/v1/", "/v1/shelves/s/things/t", "/v1/echo?", "/v1/parts/"][entropy.below(5)]);
    while !entropy.0.is_empty() {
        path.push_str(PARTS[entropy.below(PARTS.len())]);
    }
    let method = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"][bytes.len() % 7];
    let Ok(request) = Request::builder().method(method).uri(&path).body(Full::<Bytes>::default()) else {
        return;
    };
    let answer = fixture.edge.ask(request).await;
    assert!(answer.status.as_u16() < 500 || answer.status == 501, "{method} {path}: {answer:?}");
    if method == "GET" && answer.status == 200 && path.starts_with("/v1/echo?") {
        let again = fixture.echo("application/json", answer.body.clone()).await;
        assert_eq!(again.json(), answer.json(), "{path}");
    }
}

/// Envelopes with flags and lengths that are mostly right.
fn envelopes(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    while !entropy.0.is_empty() {
        let payload: &[u8] = match entropy.below(6) {
            0 => b"{\"value\":\"7\"}",
            1 => b"{\"value\":13}",
            2 => b"\x08\x07",
            3 => b"",
            4 => b"\x1f\x8b\x08\0\0\0\0\0\0\0",
            _ => b"{\"nothing\":[[[[",
        };
        let flags = [0, 0, 0, 1, 2, 0x80][entropy.below(6)];
        let length = match entropy.below(8) {
            0 => u32::from(entropy.byte()) << 24,
            1 => u32::from(entropy.byte()),
            _ => payload.len() as u32,
        };
        body.push(flags);
        body.extend(length.to_be_bytes());
        body.extend(payload);
    }
    body
}

const STREAMS: [&str; 4] = ["Count", "Sum", "Chat", "Echo"];

pub(super) async fn connect(fixture: &Fixture, bytes: &[u8]) {
    let mut entropy = Entropy(bytes);
    let method = STREAMS[entropy.below(STREAMS.len())];
    let codec = ["application/connect+json", "application/connect+proto"][entropy.below(2)];
    let body = if entropy.below(4) == 0 { entropy.0.to_vec() } else { envelopes(&mut entropy) };
    let answer = fixture.post(&format!("/test.v1.EchoService/{method}"), codec, body).await;
    blameless(&answer);
    if answer.status == 200 {
        let mut rest = &answer.body[..];
        let mut last = 0;
        while let [flags, a, b, c, d, after @ ..] = rest {
            last = *flags;
            rest = &after[u32::from_be_bytes([*a, *b, *c, *d]) as usize..];
        }
        assert_eq!((last, rest.len()), (2, 0), "a stream ends with its end");
    }
}

pub(super) async fn grpc_web(fixture: &Fixture, bytes: &[u8]) {
    let mut entropy = Entropy(bytes);
    let method = STREAMS[entropy.below(STREAMS.len())];
    let is_text = entropy.below(2) == 0;
    let mut body = if entropy.below(4) == 0 { entropy.0.to_vec() } else { envelopes(&mut entropy) };
    if is_text {
        body = BASE64_STANDARD.encode(body).into_bytes();
        let mut entropy = Entropy(&bytes[bytes.len() / 2..]);
        if entropy.below(2) == 0 {
            body = bent(&body, &mut entropy);
        }
    }
    let content_type = if is_text { "application/grpc-web-text" } else { "application/grpc-web" };
    let answer = fixture.post(&format!("/test.v1.EchoService/{method}"), content_type, body).await;
    assert_eq!(answer.status, 200);
    assert!(answer.broken.is_none(), "{answer:?}");
    let is_told = answer.headers.contains_key("grpc-status") || !answer.body.is_empty();
    assert!(is_told, "every call ends with a status: {answer:?}");
}

/// The socket lives on, or is closed with a code; it never just ends.
pub(super) async fn websocket(fixture: &Fixture, bytes: &[u8]) {
    let mut entropy = Entropy(bytes);
    let is_json = entropy.below(2) == 0;
    let protocol = if is_json { "weft.v1.json" } else { "weft.v1.proto" };
    let mut socket = Socket::open(&fixture.edge, protocol, &[]).await.expect("it lets us in").0;
    while !entropy.0.is_empty() {
        let call = entropy.below(4);
        let method = ["Chat", "Count", "Echo", "Nothing"][entropy.below(4)];
        let head = json!({ "method": format!("test.v1.EchoService/{method}"), "timeoutMs": 1_000 });
        let kind = entropy.below(8);
        let session = ["", "x"][entropy.below(2)];
        let hello = json!({
            "metadata": { "authorization": "Bearer ada" },
            "resumable": entropy.below(2) == 0,
            "session": session,
            "received": call,
        });
        let message = if is_json {
            let frame = match kind {
                0 | 1 => json!({ "call": call, "open": head }),
                2 | 3 => json!({ "call": call, "message": { "value": entropy.byte() } }),
                4 => json!({ "call": call, "end": true }),
                6 => json!({ "hello": hello }),
                7 => json!({ "ack": call }),
                _ => json!({ "call": call, "cancel": true }),
            };
            let mut text = frame.to_string().into_bytes();
            if entropy.below(4) == 0 {
                text = bent(&text, &mut entropy);
            }
            Message::text(String::from_utf8_lossy(&text).into_owned())
        } else {
            let (head, hello) = (head.to_string(), hello.to_string());
            let payload: &[u8] = match kind {
                0 | 1 => head.as_bytes(),
                2 | 3 => b"\x08\x07",
                6 => hello.as_bytes(),
                7 => b"\x01",
                _ => b"",
            };
            let number = [1, 1, 2, 2, 3, 4, 6, 8][kind];
            let call = if kind < 6 { call as u8 } else { 0 };
            let mut frame = [&[call, number], payload].concat();
            if entropy.below(4) == 0 {
                frame = bent(&frame, &mut entropy);
            }
            Message::binary(frame)
        };
        if socket.send(message).await.is_err() {
            break;
        }
    }
    // Whatever was said, it answers this, or has closed.
    let _ = socket.send(Message::Ping(Bytes::from_static(b"still there?"))).await;
    loop {
        match socket.next().await.expect("it does not just end").expect("it does not break") {
            Message::Pong(_) => return,
            Message::Close(frame) => {
                let code = u16::from(frame.expect("a code").code);
                assert!([1002, 1003, 4001].contains(&code), "{code}");
                return;
            }
            _ => {}
        }
    }
}

/// Bytes beneath the messages, after a good handshake.
pub(super) async fn websocket_frames(fixture: &Fixture, bytes: &[u8]) {
    const HANDSHAKE: &[u8] =
        b"GET /ws HTTP/1.1\r\nhost: weft.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        sec-websocket-protocol: weft.v1.json\r\n\r\n";
    let mut stream = fixture.edge.connect();
    stream.write_all(HANDSHAKE).await.expect("it listens");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    let mut entropy = Entropy(bytes);
    while !entropy.0.is_empty() {
        let payload =
            [&b"{\"call\":1,\"end\":true}"[..], b"", b"\xc3", b"\x03\xe8", b"\x03\xedx"][entropy.below(5)];
        let operation = entropy.byte() & 0x8f;
        // Masked with zeros, mostly.
        let masked = if entropy.below(8) == 0 { 0 } else { 0x80 };
        let length = if entropy.below(8) == 0 { entropy.byte() & 0x7f } else { payload.len() as u8 };
        let frame = [&[operation, masked | length, 0, 0, 0, 0], payload].concat();
        if stream.write_all(&frame).await.is_err() {
            break;
        }
    }
    stream.shutdown().await.expect("it is ours");
    let mut rest = Vec::new();
    // It ends: the server does not wait for a client that is gone.
    let _ = stream.read_to_end(&mut rest).await;
}

pub(super) async fn last_event(fixture: &Fixture, bytes: &[u8]) {
    const IDS: [&[u8]; 6] = [b"1", b"-1", b"3000000000", b"9223372036854775808", b"1e2", b""];
    let mut entropy = Entropy(bytes);
    let id = match entropy.below(2) {
        0 => IDS[entropy.below(IDS.len())].to_vec(),
        _ => entropy.0.to_vec(),
    };
    let Ok(id) = http::HeaderValue::from_bytes(&id) else { return };
    let after: i64 = id.to_str().ok().and_then(|id| id.parse().ok()).unwrap_or(0);
    // The service of the tests makes all steps at once: from far away it would not come to an end.
    if after < -1_000 {
        return;
    }
    let request =
        Request::get("/v1/follow?to=3").header("accept", "text/event-stream").header("last-event-id", &id);
    let answer = fixture.edge.ask(request.body(Full::default()).expect("a good request")).await;
    blameless(&answer);
    if answer.status == 200 {
        let expected = usize::try_from(3_i64.saturating_sub(after)).unwrap_or(0);
        let steps = answer.text().matches("\"last\":true").count();
        assert_eq!(steps, expected, "{id:?}: nothing is lost and nothing comes twice");
    }
}

pub(super) async fn mcp(fixture: &Fixture, bytes: &[u8]) {
    let mut entropy = Entropy(bytes);
    let method = ["initialize", "ping", "tools/list", "tools/call", "server/discover"][entropy.below(5)];
    let tool = ["echo_echo", "echo_get_thing", "echo_nothing"][entropy.below(3)];
    let arguments = serde_json::to_value(message(&fixture.everything, &mut entropy, 2)).expect("JSON");
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": method,
        "params": { "name": tool, "arguments": arguments, "protocolVersion": "2025-11-25" },
    });
    let mut body = body.to_string().into_bytes();
    let mut entropy = Entropy(&bytes[bytes.len() / 2..]);
    if entropy.below(3) > 0 {
        body = bent(&body, &mut entropy);
    }
    let answer = fixture.post("/mcp", "application/json", body).await;
    assert!(answer.status.as_u16() < 500, "{answer:?}");
    if answer.status != 202 {
        let json: Value = answer.json();
        assert!(
            json["result"].is_object() || json["error"].is_object() || json["message"].is_string(),
            "{json}"
        );
    }
}
