//! A connection whose first bytes were read: they tell HTTP/1 from HTTP/2, and what HTTP sets aside for a
//! connection, tens of KiB, is not set aside for one that never gets to a request.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What every HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// After it come settings: the head of their frame.
const GREETING: usize = PREFACE.len() + 9;
/// Longer headers are HTTP's to read.
const SHORT: usize = 4 * 1024;

/// The connection, with its first bytes put back.
#[derive(Debug)]
pub(super) struct Opened<S> {
    first: Bytes,
    stream: S,
}

impl<S> Opened<S> {
    /// Whether the client has said that it speaks HTTP/2. True only before the bytes are read again.
    pub(super) fn is_http2(&self) -> bool {
        self.first.starts_with(PREFACE)
    }
}

impl<S: AsyncRead + Unpin> Opened<S> {
    /// Waits until the client has said which version it speaks, and its first request's headers or its
    /// greeting; `None` if it left before it said anything. hyper's own timeouts begin only then, so
    /// whoever calls this sets one.
    ///
    /// # Errors
    /// What the connection fails with.
    pub(super) async fn read(mut stream: S) -> io::Result<Option<Self>> {
        let mut first = BytesMut::with_capacity(2 * GREETING);
        loop {
            let before = first.len();
            let is_over = stream.read_buf(&mut first).await? == 0;
            let known = first.len().min(PREFACE.len());
            let may_be_http2 = first[..known] == PREFACE[..known];
            if is_over && may_be_http2 && known < PREFACE.len() {
                return Ok(None);
            }
            let is_enough = if may_be_http2 {
                first.len() >= GREETING
            } else {
                // What does not begin with a method is not waited for.
                let is_request = first[0].is_ascii_uppercase();
                !is_request || first.len() >= SHORT || has_end(&first[before.saturating_sub(2)..])
            };
            if is_enough || is_over {
                return Ok(Some(Self { first: first.freeze(), stream }));
            }
        }
    }
}

/// Whether the headers of HTTP/1 end here: an empty line, whose return may be missing (RFC 9112, 2.2).
fn has_end(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|end| end == b"\n\n") || bytes.windows(3).any(|end| end == b"\n\r\n")
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..length]);
        self.first.advance(length);
        if self.first.is_empty() {
            // Long connections need not keep the memory.
            self.first = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn nothing_that_was_read_is_lost() {
        let long = [b"GET /".repeat(SHORT), b"\r\n\r\nmore".to_vec()].concat();
        for said in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\nhost",
            b"\x16\x03",
            b"P",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0more",
            &long,
        ] {
            let (mut client, server) = tokio::io::duplex(64 << 10);
            client.write_all(said).await.expect("there is room");
            drop(client);
            let opened = Opened::read(server).await.expect("it lives");
            // A single P may still become either.
            let Some(mut opened) = opened else {
                assert_eq!(said, b"P");
                continue;
            };
            assert_eq!(opened.is_http2(), said.starts_with(b"PRI"));
            let mut all = Vec::new();
            opened.read_to_end(&mut all).await.expect("it lives");
            assert_eq!(all, said);
        }
    }

    #[tokio::test]
    async fn a_beginning_may_come_in_pieces() {
        for said in [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..],
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            b"GET / HTTP/1.1\nhost: x\n\n",
        ] {
            let (mut client, server) = tokio::io::duplex(1);
            let (written, opened) = tokio::join!(client.write_all(said), Opened::read(server));
            written.expect("it is read");
            assert_eq!(opened.expect("it lives").expect("it is whole").first, said);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_beginning_is_waited_for_and_nonsense_is_not() {
        for (said, is_waited_for) in [
            (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], true),
            (b"GET / HTTP/1.1\r\nhost: x\r\n", true),
            (b"\x16\x03\x01", false),
        ] {
            let (mut client, server) = tokio::io::duplex(64);
            client.write_all(said).await.expect("there is room");
            let opened = tokio::time::timeout(std::time::Duration::from_secs(1), Opened::read(server)).await;
            assert_eq!(opened.is_err(), is_waited_for, "{said:?}");
        }
    }
}
