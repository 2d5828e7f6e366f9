//! The WebSocket beneath the calls (RFC 6455): its bounds, how it breaks, and how it is closed.
//!
//! Knows nothing of calls: `examples/websocket_echo.rs` is made of this file too, for those who judge
//! whether it is a WebSocket.

use std::time::Duration;

use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::deflate::Fault;

/// How long the last words and the farewell of a socket may take.
pub(super) const CLOSING: Duration = Duration::from_secs(5);

/// Why a socket ends.
pub(crate) enum End {
    /// The client is gone, or closed.
    Gone,
    /// It broke the protocol, or the server ends.
    Close(CloseCode, &'static str),
}

/// The server's side of a socket, after the handshake, whose messages have at most `most` bytes.
pub(crate) async fn open<S: AsyncRead + AsyncWrite + Unpin>(stream: S, most: usize) -> WebSocketStream<S> {
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config(most))).await
}

/// The library's own bounds are 64 MiB a message and no bound for what waits to be written; its buffers for reading,
/// 128 KiB of zeros at each read, are what an idle socket costs.
fn config(most: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(most))
        .max_frame_size(Some(most))
        .read_buffer_size(2 * 1024)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(most.saturating_add(64 * 1024))
}

/// How a socket ends on which this was read.
pub(crate) fn broken(error: &tungstenite::Error) -> End {
    match error {
        tungstenite::Error::Capacity(_) => End::Close(CloseCode::Size, "the message is too large"),
        tungstenite::Error::Utf8(_) => End::Close(CloseCode::Invalid, "text must be UTF-8"),
        tungstenite::Error::Io(error) => match Fault::of(error) {
            Some(Fault::TooLarge) => End::Close(CloseCode::Size, "the message is too large, unpacked"),
            Some(Fault::Invalid) => End::Close(CloseCode::Invalid, "the message cannot be unpacked"),
            Some(Fault::Protocol) => End::Close(CloseCode::Protocol, "this breaks the WebSocket protocol"),
            None => End::Gone,
        },
        // The connection broke off, and not the protocol.
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        tungstenite::Error::Protocol(error) => {
            tracing::debug!(%error, "a client broke the WebSocket protocol");
            End::Close(CloseCode::Protocol, "this breaks the WebSocket protocol")
        }
        _ => End::Gone,
    }
}

/// Says why, waits for the answer of the client, and is gone in any case.
pub(crate) async fn farewell<T, R>(sink: &mut T, source: &mut R, code: CloseCode, reason: &'static str)
where
    T: Sink<Message, Error = tungstenite::Error> + Unpin,
    R: Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
{
    let close = async {
        sink.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
        while let Some(Ok(_)) = source.next().await {}
        Ok::<_, tungstenite::Error>(())
    };
    let _ = timeout(CLOSING, close).await;
}
