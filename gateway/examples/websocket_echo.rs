//! Says back what it hears on a WebSocket, for those who judge WebSockets: the port is the first line.
//!
//! `tests/polyglot/test_websocket_conformance.py` lets the Autobahn test suite's cases loose on it. What is
//! below the calls is the gateway's own file.

#[path = "../src/ws/wire.rs"]
mod wire;

use std::io::Write as _;

use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{accept_async, tungstenite::Message};
use weft_kit::Lifecycle;

use wire::End;

/// The largest case has 16 MiB.
const MOST: usize = 32 << 20;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let lifecycle = Lifecycle::new();
    loop {
        let (stream, _) = listener.accept().await?;
        lifecycle.spawn_future(echo(stream));
    }
}

async fn echo(stream: TcpStream) {
    // The handshake is the library's; ours asks for a sub-protocol.
    let Ok(accepted) = accept_async(stream).await else { return };
    let stream = wire::open(accepted.into_inner(), MOST).await;
    let (mut sink, mut source) = stream.split();
    while let Some(message) = source.next().await {
        match message {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => {
                if let End::Close(code, reason) = wire::broken(&error) {
                    wire::farewell(&mut sink, &mut source, code, reason).await;
                }
                return;
            }
        }
    }
}
