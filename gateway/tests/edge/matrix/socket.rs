//! The WebSocket, in both sub-protocols.

use bytes::{Buf, Bytes};
use futures::{SinkExt, StreamExt};
use prost::Message as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use weft_proto::google::rpc;

use super::{
    case::Case,
    outcome::{End, Outcome, from_json, from_proto},
};
use crate::{support::Edge, websocket::Socket};

const CALL: u8 = 1;

pub(super) async fn call(edge: &Edge, case: &Case, said: Vec<Bytes>, is_json: bool) -> Outcome {
    let protocol = if is_json { "weft.v1.json" } else { "weft.v1.proto" };
    let mut socket = Socket::open(edge, protocol, &[]).await.expect("it lets us in").0;
    let mut open = json!({ "method": case.path().trim_start_matches('/') });
    if let Some(timeout) = case.timeout {
        open["timeoutMs"] = json!(timeout.as_millis() as u64);
    }
    let open = open.to_string();
    let mut frames = vec![if is_json {
        Message::text(format!(r#"{{"call":{CALL},"open":{open}}}"#))
    } else {
        Message::binary([&[CALL, 1], open.as_bytes()].concat())
    }];
    frames.extend(said.iter().map(|message| {
        if is_json {
            let json = std::str::from_utf8(message).expect("UTF-8");
            Message::text(format!(r#"{{"call":{CALL},"message":{json}}}"#))
        } else {
            Message::binary([&[CALL, 2], &message[..]].concat())
        }
    }));
    frames.push(if is_json {
        Message::text(format!(r#"{{"call":{CALL},"end":true}}"#))
    } else {
        Message::binary(vec![CALL, 3])
    });
    for frame in frames {
        socket.send(frame).await.expect("it listens");
    }
    let mut messages = Vec::new();
    loop {
        match socket.next().await.expect("it goes on").expect("it lives") {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(frame["call"], CALL);
                match frame.get("message") {
                    Some(message) => messages.push(from_json(message.to_string().as_bytes())),
                    None => return Outcome { messages, end: End::of_json(&frame["status"]) },
                }
            }
            Message::Binary(mut frame) => match (frame.get_u8(), frame.get_u8()) {
                (CALL, 2) => messages.push(from_proto(case.method.output, frame)),
                (CALL, 5) => {
                    let status = rpc::Status::decode(frame).expect("google.rpc.Status");
                    return Outcome { messages, end: End::of_rpc(&status) };
                }
                other => panic!("{other:?}"),
            },
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
