//! A connection whose first bytes were read, because they tell HTTP/1 from HTTP/2.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What every HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

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
    /// Waits until the client has said which version it speaks; `None` if it left before. hyper's own
    /// timeouts begin only then, so whoever calls this sets one.
    ///
    /// # Errors
    /// What the connection fails with.
    pub(super) async fn read(mut stream: S) -> io::Result<Option<Self>> {
        let mut first = BytesMut::with_capacity(PREFACE.len());
        loop {
            if stream.read_buf(&mut first).await? == 0 {
                return Ok(None);
            }
            let known = first.len().min(PREFACE.len());
            if known == PREFACE.len() || first[..known] != PREFACE[..known] {
                return Ok(Some(Self { first: first.freeze(), stream }));
            }
        }
    }
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
        for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"] {
            let (mut client, server) = tokio::io::duplex(64);
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
    async fn a_version_may_come_in_pieces() {
        let (mut client, server) = tokio::io::duplex(1);
        let said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let (written, opened) = tokio::join!(client.write_all(said), Opened::read(server));
        written.expect("it is read");
        assert_eq!(opened.expect("it lives").expect("it is whole").first, &said[..]);
    }
}
