//! A connection that says no more than it may: what a server sends is counted, and a message that would be too large is
//! refused at its head, before anybody makes room for it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection may still say.
#[derive(Default)]
pub(super) struct Allowance {
    left: AtomicU64,
    is_exceeded: AtomicBool,
}

impl Allowance {
    /// From now on so many bytes.
    pub(super) fn set(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// Whether more came.
    pub(super) fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Relaxed)
    }
}

/// Anything that a driver can talk over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Counts what comes in, and looks at the length of every message: a letter, and the length of the rest in four bytes.
pub(super) struct Metered {
    inner: Box<dyn Wire>,
    allowance: Arc<Allowance>,
    head: [u8; 5],
    /// How much of a head has come.
    has: usize,
    /// What is left of the message.
    body: u64,
}

impl Metered {
    pub(super) fn new(inner: Box<dyn Wire>, allowance: Arc<Allowance>) -> Self {
        Self { inner, allowance, head: [0; 5], has: 0, body: 0 }
    }

    fn look(&mut self, mut came: &[u8]) -> io::Result<()> {
        let left = self.allowance.left.load(Ordering::Relaxed);
        let left = left.checked_sub(came.len() as u64).ok_or_else(|| self.refused())?;
        self.allowance.left.store(left, Ordering::Relaxed);
        while !came.is_empty() {
            if self.body > 0 {
                let passed = self.body.min(came.len() as u64);
                self.body -= passed;
                came = &came[passed as usize..];
                continue;
            }
            self.head[self.has] = came[0];
            self.has += 1;
            came = &came[1..];
            if self.has == self.head.len() {
                let [_, length @ ..] = self.head;
                let length = u64::from(u32::from_be_bytes(length)).saturating_sub(4);
                if length > left.saturating_add(came.len() as u64) {
                    return Err(self.refused());
                }
                (self.has, self.body) = (0, length);
            }
        }
        Ok(())
    }

    fn refused(&self) -> io::Error {
        self.allowance.is_exceeded.store(true, Ordering::Relaxed);
        io::Error::other("the server sends more than it may")
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, into);
        if let Poll::Ready(Ok(())) = &polled {
            let this = &mut *self;
            if let Err(error) = this.look(&into.filled()[before..]) {
                into.set_filled(before);
                return Poll::Ready(Err(error));
            }
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn read(bytes: &[u8], allowed: u64) -> Result<Vec<u8>, bool> {
        let (near, mut far) = tokio::io::duplex(3);
        let allowance = Arc::new(Allowance::default());
        allowance.set(allowed);
        let mut metered = Metered::new(Box::new(near), Arc::clone(&allowance));
        let mut read = Vec::new();
        let ((), done) = tokio::join!(
            async {
                // Fails when nobody reads on.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut far, bytes).await;
                drop(far);
            },
            async {
                let done = metered.read_to_end(&mut read).await.map(drop);
                drop(metered);
                done
            },
        );
        done.map(|()| read).map_err(|_| allowance.is_exceeded())
    }

    #[tokio::test]
    async fn a_message_that_is_too_large_is_refused_at_its_head() {
        let messages = [&b"D\0\0\0\x06ab"[..], b"C\0\0\0\x04", b"D\0\0\0\x05c"].concat();
        assert_eq!(read(&messages, messages.len() as u64).await.as_deref(), Ok(&messages[..]));
        assert_eq!(read(&messages, messages.len() as u64 - 1).await, Err(true));
        // It says that four gigabytes follow.
        assert_eq!(read(b"D\xff\xff\xff\xff", 1 << 20).await, Err(true));
    }
}
