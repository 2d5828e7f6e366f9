//! A WebSocket client of the gateway's JSON sub-protocol (`docs/websocket.md`).

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    calls: u64,
}

impl Socket {
    /// Connects to the mesh at `url`.
    pub async fn open(url: &str, key: Option<&str>) -> Self {
        let address = format!("{}/ws", url.replacen("http", "ws", 1));
        let mut request = address.into_client_request().expect("an address");
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "weft.v1.json".parse().expect("ASCII"));
        if let Some(key) = key {
            headers.insert("authorization", format!("Bearer {key}").parse().expect("ASCII"));
        }
        let (stream, _) = connect_async(request).await.expect("the gateway lets us in");
        Self { stream, calls: 0 }
    }

    /// Begins a call of `Service/Method` (without `weft.`), and gives its number.
    pub async fn begin(&mut self, method: &str) -> u64 {
        self.calls += 1;
        let call = self.calls;
        self.say(&json!({ "call": call, "open": { "method": format!("weft.{method}") } }).to_string()).await;
        call
    }

    /// Sends a message in a call.
    pub async fn message(&mut self, call: u64, message: &Value) {
        self.say(&json!({ "call": call, "message": message }).to_string()).await;
    }

    /// Says that the client's side of a call is over.
    pub async fn end(&mut self, call: u64) {
        self.say(&json!({ "call": call, "end": true }).to_string()).await;
    }

    /// Sends any text.
    pub async fn say(&mut self, text: &str) {
        // Where the server has closed, the next `hear` says so.
        let _ = self.stream.send(Message::text(text)).await;
    }

    /// What the server says next; `Err` with its code once it has closed.
    pub async fn hear(&mut self) -> Result<Value, u16> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("it is JSON")),
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("neither a message nor an orderly end: {other:?}"),
            }
        }
    }

    /// A call with one message and one answer.
    pub async fn unary(&mut self, method: &str, message: &Value) -> Value {
        let call = self.begin(method).await;
        self.message(call, message).await;
        let answer = self.hear().await.expect("the socket lives");
        if answer.get("message").is_some() {
            let end = self.hear().await.expect("the socket lives");
            assert_eq!(end["status"]["code"], 0, "{end}");
        }
        answer
    }
}
