//! A connection that says no more than it may: what a server sends is counted, and a message that would be too large is
//! refused at its head, before anybody makes room for it. So are the answers, while the driver asks what types there are: it
//! goes into each type that a type is made of, and how deep that goes is the server's to say.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The message that ends an answer: the server is ready for the next question.
const READY: u8 = b'Z';

/// What a connection may still say.
pub(super) struct Allowance {
    left: AtomicU64,
    /// Answers; `u64::MAX` where nobody counts them.
    answers: AtomicU64,
    excess: OnceLock<Excess>,
}

/// What came of which there was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    Bytes,
    Answers,
}

impl Allowance {
    /// So many bytes, and as many answers as they hold.
    pub(super) fn new(bytes: u64) -> Self {
        Self { left: bytes.into(), answers: u64::MAX.into(), excess: OnceLock::new() }
    }

    /// From now on so many bytes.
    pub(super) fn set(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// From now on so many answers; as many as come where nothing is said.
    pub(super) fn set_answers(&self, answers: Option<u64>) {
        self.answers.store(answers.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Of what more came than may: then the connection is at its end.
    pub(super) fn excess(&self) -> Option<Excess> {
        self.excess.get().copied()
    }

    fn refuse(&self, excess: Excess) -> io::Error {
        // The first is the cause.
        let _ = self.excess.set(excess);
        io::Error::other("the server sends more than it may")
    }

    /// One more answer came.
    fn answered(&self) -> io::Result<()> {
        let left = self.answers.load(Ordering::Relaxed);
        if left < u64::MAX {
            let left = left.checked_sub(1).ok_or_else(|| self.refuse(Excess::Answers))?;
            self.answers.store(left, Ordering::Relaxed);
        }
        Ok(())
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
        let left = left.checked_sub(came.len() as u64).ok_or_else(|| self.allowance.refuse(Excess::Bytes))?;
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
                let [letter, length @ ..] = self.head;
                let length = u64::from(u32::from_be_bytes(length)).saturating_sub(4);
                if length > left.saturating_add(came.len() as u64) {
                    return Err(self.allowance.refuse(Excess::Bytes));
                }
                if letter == READY {
                    self.allowance.answered()?;
                }
                (self.has, self.body) = (0, length);
            }
        }
        Ok(())
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

    async fn read(bytes: &[u8], allowed: u64, answers: Option<u64>) -> Result<Vec<u8>, Option<Excess>> {
        let (near, mut far) = tokio::io::duplex(3);
        let allowance = Arc::new(Allowance::new(allowed));
        allowance.set_answers(answers);
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
        done.map(|()| read).map_err(|_| allowance.excess())
    }

    #[tokio::test]
    async fn a_message_that_is_too_large_is_refused_at_its_head() {
        let messages = [&b"D\0\0\0\x06ab"[..], b"C\0\0\0\x04", b"D\0\0\0\x05c"].concat();
        assert_eq!(read(&messages, messages.len() as u64, None).await.as_deref(), Ok(&messages[..]));
        assert_eq!(read(&messages, messages.len() as u64 - 1, None).await, Err(Some(Excess::Bytes)));
        // It says that four gigabytes follow.
        assert_eq!(read(b"D\xff\xff\xff\xff", 1 << 20, None).await, Err(Some(Excess::Bytes)));
    }

    #[tokio::test]
    async fn no_more_answers_come_than_may() {
        // What only looks like the end of an answer is inside another message.
        let messages = b"D\0\0\0\x06ZZZ\0\0\0\x05IZ\0\0\0\x05I";
        assert_eq!(read(messages, 1 << 10, Some(2)).await.as_deref(), Ok(&messages[..]));
        assert_eq!(read(messages, 1 << 10, None).await.as_deref(), Ok(&messages[..]));
        assert_eq!(read(messages, 1 << 10, Some(1)).await, Err(Some(Excess::Answers)));
    }
}
