//! Says back what it hears on a WebSocket, for those who judge WebSockets: the port is the first line.
//!
//! `tests/polyglot/test_websocket_conformance.py` lets the Autobahn test suite's cases loose on it. What is
//! below the calls is the gateway's own: its bounds, its compression, how it is broken and closed.

#[path = "../src/ws/deflate/mod.rs"]
mod deflate;
#[path = "../src/ws/wire.rs"]
mod wire;

use std::io::Write as _;

use futures::{SinkExt, StreamExt};
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};
use weft_kit::Lifecycle;

use deflate::{Agreed, Deflated};
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
    let mut agreed = None;
    #[expect(clippy::result_large_err, reason = "the library says what a refusal is")]
    let accepted = accept_hdr_async(stream, |request: &Request, mut response: Response| {
        agreed = Agreed::on(request.headers());
        if let Some(agreed) = agreed {
            response.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, agreed.answer());
        }
        Ok(response)
    });
    let Ok(accepted) = accepted.await else { return };
    // Everything is compressed, smaller by it or not: the cases want to see it.
    let stream = wire::open(Deflated::new(accepted.into_inner(), agreed, 0, MOST), MOST).await;
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
