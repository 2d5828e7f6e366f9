//! Calls over the WebSocket.

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{SinkExt, StreamExt};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::CloseFrame},
};
use weft_proto::google::rpc;

use crate::{support::Edge, upstream::Event};

pub(crate) struct Socket(pub(crate) WebSocketStream<DuplexStream>);

impl Socket {
    pub(crate) async fn open(
        edge: &Edge,
        protocols: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = "ws://weft.test/ws".into_client_request().expect("a good address");
        if !protocols.is_empty() {
            request.headers_mut().insert("sec-websocket-protocol", protocols.parse().expect("ASCII"));
        }
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("ASCII"));
        }
        match client_async(request, edge.connect()).await {
            Ok((stream, _)) => Ok(Self(stream)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn json(edge: &Edge) -> Self {
        Self::open(edge, "weft.v1.json", &[]).await.expect("it lets us in")
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("it listens");
    }

    pub(crate) async fn begin(&mut self, call: u64, method: &str) {
        self.say(json!({ "call": call, "open": { "method": format!("test.v1.EchoService/{method}") } }))
            .await;
    }

    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match self.0.next().await.expect("it goes on").expect("it lives") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code and reason with which the server closes.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        while let Some(message) = self.0.next().await {
            if let Ok(Message::Close(Some(CloseFrame { code, reason }))) = message {
                return (code.into(), reason.to_string());
            }
        }
        panic!("it was not closed in order");
    }
}

fn ok(call: u64) -> Value {
    json!({ "call": call, "status": { "code": 0, "message": "", "details": [] } })
}

#[tokio::test]
async fn all_four_kinds_of_calls_in_json() {
    let edge = Edge::new();
    let mut socket = Socket::json(&edge).await;
    socket.begin(1, "Echo").await;
    socket.say(json!({ "call": 1, "message": { "int64Value": 5, "time": "2026-01-31T12:00:00Z" } })).await;
    socket.say(json!({ "call": 1, "end": true })).await;
    assert_eq!(
        socket.hear().await,
        json!({ "call": 1, "message": { "int64Value": "5", "time": "2026-01-31T12:00:00Z" } })
    );
    assert_eq!(socket.hear().await, ok(1));

    socket.begin(2, "Count").await;
    socket.say(json!({ "call": 2, "message": { "to": 2 } })).await;
    assert_eq!(socket.hear().await, json!({ "call": 2, "message": { "value": "1" } }));
    assert_eq!(socket.hear().await, json!({ "call": 2, "message": { "value": "2" } }));
    assert_eq!(socket.hear().await, ok(2));

    socket.begin(3, "Sum").await;
    for value in 1..=4 {
        socket.say(json!({ "call": 3, "message": { "value": value } })).await;
    }
    socket.say(json!({ "call": 3, "end": true })).await;
    assert_eq!(socket.hear().await, json!({ "call": 3, "message": { "value": "10" } }));
    assert_eq!(socket.hear().await, ok(3));

    socket.begin(4, "Chat").await;
    for value in ["7", "8"] {
        socket.say(json!({ "call": 4, "message": { "value": value } })).await;
        assert_eq!(socket.hear().await, json!({ "call": 4, "message": { "value": value } }));
    }
    socket.say(json!({ "call": 4, "end": true })).await;
    assert_eq!(socket.hear().await, ok(4));
}

#[tokio::test]
async fn binary_messages_are_as_documented() {
    let edge = Edge::new();
    let mut socket =
        Socket::open(&edge, "other, weft.v1.proto, weft.v1.json", &[]).await.expect("it lets us in");
    let head = br#"{"method":"test.v1.EchoService/Chat"}"#;
    let say = |payload: Vec<u8>| Message::binary(payload);
    // Call 300 is the varint ac 02.
    socket.0.send(say([b"\xac\x02\x01", &head[..]].concat())).await.expect("it listens");
    socket.0.send(say(b"\xac\x02\x02\x08\x07".to_vec())).await.expect("it listens");
    assert_eq!(
        socket.0.next().await.expect("an answer").expect("it lives"),
        Message::binary(&b"\xac\x02\x02\x08\x07"[..])
    );
    socket.0.send(say(b"\xac\x02\x02\x08\x0d".to_vec())).await.expect("it listens");
    let Message::Binary(last) = socket.0.next().await.expect("an answer").expect("it lives") else {
        panic!("binary")
    };
    let status =
        rpc::Status::decode(last.strip_prefix(b"\xac\x02\x05").expect("a status")).expect("a status");
    assert_eq!((status.code, status.message.as_str(), status.details.len()), (9, "thirteen", 1));
    let info = rpc::ErrorInfo::decode(status.details[0].value.as_slice()).expect("an ErrorInfo");
    assert_eq!(info.reason, "UNLUCKY");
}

#[tokio::test]
async fn many_calls_run_at_once_and_end_on_their_own() {
    let edge = Edge::new();
    let mut socket = Socket::json(&edge).await;
    for call in 1..=20 {
        socket.begin(call, "Chat").await;
    }
    for call in (1..=20).rev() {
        socket.say(json!({ "call": call, "message": { "value": call + 100 } })).await;
        assert_eq!(
            socket.hear().await,
            json!({ "call": call, "message": { "value": (call + 100).to_string() } })
        );
    }
    socket.say(json!({ "call": 5, "message": { "value": 13 } })).await;
    let failed = socket.hear().await;
    assert_eq!((&failed["call"], &failed["status"]["code"]), (&json!(5), &json!(9)));
    assert_eq!(failed["status"]["details"][0]["reason"], "UNLUCKY");
    // What is said of a call that has ended crossed its status.
    socket.say(json!({ "call": 5, "message": { "value": 1 } })).await;
    socket.say(json!({ "call": 5, "end": true })).await;
    socket.say(json!({ "call": 5, "cancel": true })).await;
    socket.say(json!({ "call": 6, "end": true })).await;
    assert_eq!(socket.hear().await, ok(6));
}

#[tokio::test]
async fn metadata_and_time_belong_to_each_call() {
    let mut edge = Edge::new();
    let headers = [("authorization", "Bearer socket"), ("cookie", "a=b")];
    let mut socket = Socket::open(&edge, "weft.v1.json", &headers).await.expect("it lets us in");
    let method = "test.v1.EchoService/Metadata";
    socket.say(json!({ "call": 1, "open": { "method": method }})).await;
    socket.say(json!({ "call": 1, "message": {} })).await;
    let metadata = socket.hear().await["message"]["metadata"].clone();
    assert_eq!((&metadata["authorization"], &metadata["cookie"]), (&json!("Bearer socket"), &Value::Null));
    socket.hear().await;
    let own = json!({ "Authorization": "Bearer call", "x-request-id": "r", "grpc-timeout": "1S", "te": "x", "data-bin": BASE64_STANDARD.encode("\u{1}") });
    socket.say(json!({ "call": 2, "open": { "method": method, "metadata": own, "timeoutMs": 60_000 }})).await;
    socket.say(json!({ "call": 2, "message": {} })).await;
    let metadata = socket.hear().await["message"]["metadata"].clone();
    assert_eq!(metadata["authorization"], "Bearer call");
    assert_eq!((&metadata["x-request-id"], &metadata["data-bin"]), (&json!("r"), &json!("AQ==")));
    assert_eq!((&metadata["grpc-timeout"], &metadata["te"]), (&json!("60000000u"), &json!("trailers")));
    socket.hear().await;
    socket.say(json!({ "call": 3, "open": { "method": method, "metadata": { "a b": "c" } }})).await;
    assert_eq!(socket.hear().await["status"]["message"], "metadata.a b: is not a metadata key");
    socket.say(json!({ "call": 4, "open": { "method": method, "metadata": { "x-a": "ü" } }})).await;
    assert_eq!(socket.hear().await["status"]["code"], 3);
    socket.say(json!({ "call": 5, "open": { "method": "test.v1.EchoService/Hang", "timeoutMs": 20 } })).await;
    socket.say(json!({ "call": 5, "message": {} })).await;
    assert_eq!(socket.hear().await["status"]["code"], 4);
    while edge.events.recv().await != Some(Event::Dropped) {}
}

#[tokio::test]
async fn methods_that_are_not_there_are_unimplemented() {
    let edge = Edge::new();
    let mut socket = Socket::json(&edge).await;
    for (call, method) in
        (1..).zip(["test.v1.EchoService/Nothing", "test.v1.EchoService/Hidden", "x", "", "/"])
    {
        socket.say(json!({ "call": call, "open": { "method": method } })).await;
        let answer = socket.hear().await;
        assert_eq!((&answer["call"], &answer["status"]["code"]), (&json!(call), &json!(12)), "{method}");
    }
}

#[tokio::test]
async fn a_wrong_message_ends_its_call_and_no_other() {
    let edge = Edge::new();
    let mut socket = Socket::json(&edge).await;
    socket.begin(1, "Chat").await;
    for (call, message, text) in [
        (2, json!({ "nothing": 1 }), "nothing: there is no such field in test.v1.Number"),
        (3, json!("x"), "body: invalid type: string \"x\", expected a map"),
        (4, json!({ "value": "x" }), "value: invalid digit found in string"),
    ] {
        socket.begin(call, "Chat").await;
        socket.say(json!({ "call": call, "message": message })).await;
        let answer = socket.hear().await;
        assert_eq!((&answer["call"], &answer["status"]["code"]), (&json!(call), &json!(3)));
        assert_eq!(answer["status"]["message"], text);
    }
    socket.begin(5, "Hang").await;
    socket.say(json!({ "call": 5, "message": {} })).await;
    socket.say(json!({ "call": 5, "message": {} })).await;
    assert_eq!(socket.hear().await["status"]["message"], "/test.v1.EchoService/Hang takes one message");
    socket.begin(6, "Echo").await;
    socket.say(json!({ "call": 6, "end": true })).await;
    assert_eq!(socket.hear().await["status"]["message"], "/test.v1.EchoService/Echo takes one message");
    socket.say(json!({ "call": 1, "message": { "value": 1 } })).await;
    assert_eq!(socket.hear().await["message"]["value"], "1");
}

#[tokio::test]
async fn a_cancelled_call_is_given_up_and_silent() {
    let mut edge = Edge::new();
    let mut socket = Socket::json(&edge).await;
    socket.begin(1, "Count").await;
    socket.say(json!({ "call": 1, "message": { "to": 1, "stay": true } })).await;
    assert_eq!(socket.hear().await["message"]["value"], "1");
    assert_eq!(edge.events.recv().await, Some(Event::Began("Count".into())));
    socket.say(json!({ "call": 1, "cancel": true })).await;
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
    socket.begin(2, "Echo").await;
    socket.say(json!({ "call": 2, "message": {} })).await;
    assert_eq!(socket.hear().await, json!({ "call": 2, "message": {} }));
}

#[tokio::test]
async fn a_broken_upload_never_looks_whole() {
    let mut edge = Edge::new();
    for is_cancelled in [true, false] {
        let mut socket = Socket::json(&edge).await;
        socket.begin(1, "Sum").await;
        socket.say(json!({ "call": 1, "message": { "value": 1 } })).await;
        assert_eq!(edge.events.recv().await, Some(Event::Began("Sum".into())));
        if is_cancelled {
            socket.say(json!({ "call": 1, "cancel": true })).await;
            socket.begin(2, "Echo").await;
            socket.say(json!({ "call": 2, "message": {} })).await;
            assert_eq!(socket.hear().await["call"], 2);
            assert_eq!(edge.events.recv().await, Some(Event::Began("Echo".into())));
        } else {
            drop(socket);
        }
    }
    // The uploads' ends would have been noticed before this call's beginning.
    let mut socket = Socket::json(&edge).await;
    socket.begin(1, "Echo").await;
    socket.say(json!({ "call": 1, "message": {} })).await;
    socket.hear().await;
    assert_eq!(edge.events.recv().await, Some(Event::Began("Echo".into())));
}

#[tokio::test]
async fn a_broken_upload_is_reset_on_its_way_to_another_process() {
    let (mut edge, channel) = Edge::remote().await;
    // Keeps the connection: only the call may end.
    let _channel = channel;
    for is_cancelled in [true, false] {
        let mut socket = Socket::json(&edge).await;
        socket.begin(1, "Sum").await;
        socket.say(json!({ "call": 1, "message": { "value": 1 } })).await;
        assert_eq!(edge.events.recv().await, Some(Event::Began("Sum".into())));
        if is_cancelled {
            socket.say(json!({ "call": 1, "cancel": true })).await;
        } else {
            drop(socket);
        }
        let noticed = edge.events.recv().await;
        assert!(matches!(noticed, Some(Event::Broke(_))), "{noticed:?}");
    }
    let mut socket = Socket::json(&edge).await;
    socket.begin(1, "Sum").await;
    socket.say(json!({ "call": 1, "message": { "value": 2 } })).await;
    socket.say(json!({ "call": 1, "end": true })).await;
    assert_eq!(socket.hear().await["message"]["value"], "2");
}
