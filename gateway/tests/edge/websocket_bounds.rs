//! What a WebSocket does not take: who may open one, broken messages, too much, silence.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use weft_gateway::{GatewayOptions, WebSocketOptions};

use crate::{support::Edge, upstream::Event, websocket::Socket};

fn edge(change: impl FnOnce(&mut WebSocketOptions)) -> Edge {
    let mut options = GatewayOptions::default();
    change(&mut options.websocket);
    Edge::with(options)
}

#[tokio::test]
async fn the_handshake_is_checked() {
    let edge = Edge::new();
    for (protocols, headers, expected) in [
        ("", &[][..], 400),
        ("weft.v2.proto", &[], 400),
        ("weft.v1.proto", &[("origin", "https://evil.test")], 403),
        ("weft.v1.proto", &[("sec-websocket-version", "8")], 426),
        ("weft.v1.proto", &[("sec-websocket-key", "short")], 400),
    ] {
        assert_eq!(
            Socket::open(&edge, protocols, headers).await.err(),
            Some(expected),
            "{protocols} {headers:?}"
        );
    }
    assert!(Socket::open(&edge, "weft.v1.proto", &[("origin", "https://weft.test")]).await.is_ok());
    let plain = edge.call("GET /ws", "").await;
    assert_eq!(
        (plain.refused(426).contains("WebSocket"), plain.header("sec-websocket-version")),
        (true, "13")
    );
}

#[tokio::test]
async fn broken_messages_close_the_socket() {
    let edge = Edge::new();
    let open = r#"{"call":1,"open":{"method":"test.v1.EchoService/Chat"}}"#;
    for (messages, code) in [
        (&[Message::text("nonsense")][..], 1002),
        (&[Message::text(r#"{"call":0,"open":{"method":"x"}}"#)], 1002),
        (&[Message::text(r#"{"call":1,"message":{}}"#)], 1002),
        (&[Message::text(r#"{"call":1,"open":{"methods":"x"}}"#)], 1002),
        (&[Message::text(open), Message::text(open)], 1002),
        (
            &[
                Message::text(open),
                Message::text(r#"{"call":1,"end":true}"#),
                Message::text(r#"{"call":1,"message":{}}"#),
            ],
            1002,
        ),
        (&[Message::binary(&b"\x01\x03"[..])], 1003),
        (&[Message::text(format!("{{\"call\":1,\"message\":\"{}\"}}", "x".repeat(9 << 20)))], 1009),
    ] {
        let socket = Socket::json(&edge).await;
        let (mut sink, rest) = socket.0.split();
        let sending = async {
            for message in messages {
                // The server may close before it has read all.
                let _ = sink.send(message.clone()).await;
            }
        };
        let mut rest = rest;
        let closing = async {
            while let Some(message) = rest.next().await {
                if let Ok(Message::Close(Some(frame))) = message {
                    return Some(u16::from(frame.code));
                }
            }
            None
        };
        let ((), closed) = tokio::join!(sending, closing);
        assert_eq!(closed, Some(code), "{:?}", messages.last().map(Message::len));
    }
    let mut socket = Socket::open(&edge, "weft.v1.proto", &[]).await.expect("it lets us in");
    socket.0.send(Message::text("{}")).await.expect("it listens");
    assert_eq!(socket.closed().await, (1003, "weft.v1.proto is binary".to_owned()));
}

#[tokio::test]
async fn calls_on_one_socket_are_counted() {
    let edge = edge(|options| options.max_calls = 2);
    let mut socket = Socket::json(&edge).await;
    for call in 1..=3 {
        socket.begin(call, "Chat").await;
    }
    let refused = socket.hear().await;
    assert_eq!((&refused["call"], &refused["status"]["code"]), (&json!(3), &json!(8)));
    socket.say(json!({ "call": 1, "end": true })).await;
    assert_eq!(socket.hear().await["call"], 1);
    socket.begin(4, "Chat").await;
    socket.say(json!({ "call": 4, "message": { "value": 4 } })).await;
    assert_eq!(socket.hear().await, json!({ "call": 4, "message": { "value": "4" } }));
}

#[tokio::test]
async fn a_socket_that_is_not_read_holds_up_nobody_else_and_little_memory() {
    let mut edge = edge(|options| options.send_queue_bytes = 16 * 1024);
    let mut slow = Socket::json(&edge).await;
    slow.begin(1, "Count").await;
    slow.say(json!({ "call": 1, "message": { "to": 100_000 } })).await;
    assert_eq!(edge.events.recv().await, Some(Event::Began("Count".into())));
    let mut quick = Socket::json(&edge).await;
    for call in 1..=100 {
        quick.begin(call, "Echo").await;
        quick.say(json!({ "call": call, "message": {} })).await;
        assert_eq!(quick.hear().await["call"], call);
        assert_eq!(quick.hear().await["status"]["code"], 0);
    }
    // And the slow one gets every message, when it reads.
    for value in 1..=100_000 {
        assert_eq!(slow.hear().await["message"]["value"], value.to_string());
    }
    assert_eq!(slow.hear().await["status"]["code"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_read_ends_and_the_others_go_on() {
    let mut edge = edge(|options| options.call_queue_bytes = 200);
    let mut socket = Socket::json(&edge).await;
    socket.begin(1, "Stall").await;
    let begin = tokio::time::Instant::now();
    for value in 1..=4 {
        socket.say(json!({ "call": 1, "message": { "value": value } })).await;
    }
    socket.begin(2, "Echo").await;
    socket.say(json!({ "call": 2, "message": {} })).await;
    let stalled = socket.hear().await;
    assert_eq!((&stalled["call"], &stalled["status"]["code"]), (&json!(1), &json!(8)));
    assert_eq!(stalled["status"]["details"][0]["reason"], "CALL_STALLED");
    assert_eq!(begin.elapsed().as_secs(), 15);
    assert_eq!(socket.hear().await, json!({ "call": 2, "message": {} }));
    assert_eq!(edge.events.recv().await, Some(Event::Began("Stall".into())));
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
}

#[tokio::test(start_paused = true)]
async fn a_silent_socket_is_pinged_and_then_closed() {
    let mut edge = Edge::new();
    let mut socket = Socket::json(&edge).await;
    socket.begin(1, "Hang").await;
    socket.say(json!({ "call": 1, "message": {} })).await;
    assert_eq!(edge.events.recv().await, Some(Event::Began("Hang".into())));
    // A client that reads answers pings by itself.
    let begin = tokio::time::Instant::now();
    for _ in 0..4 {
        assert!(matches!(socket.0.next().await, Some(Ok(Message::Ping(_)))));
    }
    assert_eq!(begin.elapsed().as_secs(), 80);
    // One that does not read is gone.
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
    assert!(begin.elapsed() <= Duration::from_secs(80 + 61), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_server_that_stops_lets_calls_end_and_then_goes() {
    let edge = Edge::new();
    let mut socket = Socket::json(&edge).await;
    socket.begin(1, "Chat").await;
    socket.say(json!({ "call": 1, "message": { "value": 1 } })).await;
    assert_eq!(socket.hear().await["message"]["value"], "1");
    edge.lifecycle.drain();
    socket.begin(2, "Echo").await;
    let refused = socket.hear().await;
    assert_eq!((&refused["call"], &refused["status"]["code"]), (&json!(2), &json!(14)));
    socket.say(json!({ "call": 1, "message": { "value": 2 } })).await;
    assert_eq!(socket.hear().await["message"]["value"], "2");
    socket.say(json!({ "call": 1, "end": true })).await;
    assert_eq!(socket.hear().await["status"]["code"], 0);
    assert_eq!(socket.closed().await, (1001, "this server is about to stop".to_owned()));
    assert_eq!(Socket::open(&edge, "weft.v1.json", &[]).await.err(), Some(503));
}
