//! Watching over gRPC that passes as it is: how large its messages are, how many, and for how long.
//!
//! A service of ours minds all that by itself, with the same words; one in another language may not, and
//! its callers shall not notice a difference between protocols.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{FutureExt, future::Fuse};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep},
};
use tonic::{Status, body::Body};
use weft_kit::server::trailers;

use crate::words;

/// Where envelopes begin and end in bytes that pass: a byte of flags, four of length, a message.
#[derive(Debug)]
pub(crate) struct Envelopes {
    limit: usize,
    /// The bytes of a prefix that were seen, and how many they are.
    prefix: [u8; 5],
    seen: usize,
    /// Bytes of the message that are still to come.
    rest: usize,
    count: u64,
}

impl Envelopes {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, prefix: [0; 5], seen: 0, rest: 0, count: 0 }
    }

    /// Looks at the next bytes.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        while !bytes.is_empty() {
            let inside = self.rest.min(bytes.len());
            self.rest -= inside;
            bytes = &bytes[inside..];
            if self.rest > 0 || bytes.is_empty() {
                continue;
            }
            let taken = bytes.len().min(self.prefix.len() - self.seen);
            self.prefix[self.seen..self.seen + taken].copy_from_slice(&bytes[..taken]);
            self.seen += taken;
            bytes = &bytes[taken..];
            if self.seen == self.prefix.len() {
                let [_, a, b, c, d] = self.prefix;
                self.rest = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.rest > self.limit {
                    return Err(words::too_large(self.limit));
                }
                self.seen = 0;
                self.count += 1;
            }
        }
        Ok(())
    }

    /// Looks at all that a client sends to the method at `path`, which takes one message.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn look_at_one(bytes: &[u8], limit: usize, path: &str) -> Result<(), Status> {
        let mut envelopes = Self::new(limit);
        envelopes.pass(bytes)?;
        envelopes.check_count(Some(path))?;
        envelopes.check_end(Some(path))
    }

    fn check_count(&self, one: Option<&str>) -> Result<(), Status> {
        match one {
            Some(path) if self.count > 1 => Err(words::one_message(path)),
            _ => Ok(()),
        }
    }

    fn check_end(&self, one: Option<&str>) -> Result<(), Status> {
        match one {
            _ if !self.is_between() => Err(words::malformed("the body ends inside of a message")),
            Some(path) if self.count == 0 => Err(words::one_message(path)),
            _ => Ok(()),
        }
    }

    /// Whether no message has begun and is not yet whole.
    pub(crate) fn is_between(&self) -> bool {
        self.seen == 0 && self.rest == 0
    }
}

/// The request's side. What it finds is told to the answer's side, and the service gets an error, so
/// that it does not take what it has for the whole.
pub(crate) struct Requests {
    inner: Body,
    envelopes: Envelopes,
    /// The path of a method that takes one message.
    one: Option<String>,
    fault: Option<oneshot::Sender<Status>>,
    is_done: bool,
}

/// What may be found in a request while it passes.
pub(crate) type Faults = Fuse<oneshot::Receiver<Status>>;

impl Requests {
    /// Watches over messages of at most `limit` bytes; over just one, where `one` names the method.
    pub(crate) fn watch(inner: Body, limit: usize, one: Option<String>) -> (Body, Faults) {
        let (fault, faults) = oneshot::channel();
        let envelopes = Envelopes::new(limit);
        (Body::new(Self { inner, envelopes, one, fault: Some(fault), is_done: false }), faults.fuse())
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), Status> {
        self.envelopes.pass(bytes)?;
        self.envelopes.check_count(self.one.as_deref())
    }

    fn check_end(&self) -> Result<(), Status> {
        self.envelopes.check_end(self.one.as_deref())
    }

    fn refuse(&mut self, status: Status) -> Status {
        self.is_done = true;
        if let Some(fault) = self.fault.take() {
            // Where nobody listens the call has ended.
            let _ = fault.send(status.clone());
        }
        status
    }
}

impl HttpBody for Requests {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else { return Poll::Pending };
        let checked = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(Ok(()), |data| self.check(data)),
            Some(Err(_)) => Ok(()),
            None => self.check_end(),
        };
        let checked = checked.and_then(|()| {
            // Said with the last bytes, an end costs no frame of its own.
            self.is_done = frame.is_none() || self.inner.is_end_stream();
            if self.is_done && frame.as_ref().is_some_and(Result::is_ok) { self.check_end() } else { Ok(()) }
        });
        Poll::Ready(match checked {
            Ok(()) => frame,
            Err(status) => Some(Err(self.refuse(status))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_done
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The answer's side. However it ends, it ends with a status.
pub(crate) struct Answers {
    inner: Body,
    envelopes: Envelopes,
    deadline: Option<Pin<Box<Sleep>>>,
    faults: Faults,
    is_done: bool,
}

impl Answers {
    pub(crate) fn watch(inner: Body, limit: usize, deadline: Option<Instant>, faults: Faults) -> Body {
        if inner.is_end_stream() {
            return inner;
        }
        let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
        Body::new(Self { inner, envelopes: Envelopes::new(limit), deadline, faults, is_done: false })
    }

    /// What was found in the request.
    fn fault(&mut self, context: &mut Context<'_>) -> Option<Status> {
        let Poll::Ready(Ok(status)) = self.faults.poll_unpin(context) else { return None };
        Some(status)
    }

    /// What ends the answer before its service does.
    fn interruption(&mut self, context: &mut Context<'_>) -> Option<Status> {
        if let Some(status) = self.fault(context) {
            return Some(status);
        }
        let deadline = self.deadline.as_mut()?;
        deadline.as_mut().poll(context).is_ready().then(words::time_is_over)
    }
}

impl HttpBody for Answers {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let status = match polled {
            Poll::Pending => match self.interruption(context) {
                None => return Poll::Pending,
                Some(status) => status,
            },
            // Of an error of the client's making the service knows less than we do.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => {
                self.is_done = true;
                let fault = self.fault(context).map(|status| Frame::trailers(trailers(&status)));
                return Poll::Ready(Some(Ok(fault.unwrap_or(frame))));
            }
            Poll::Ready(Some(Ok(frame))) => {
                let checked = frame.data_ref().map_or(Ok(()), |data| self.envelopes.pass(data));
                match checked {
                    Ok(()) => return Poll::Ready(Some(Ok(frame))),
                    Err(status) => status,
                }
            }
            Poll::Ready(Some(Err(status))) => self.interruption(context).unwrap_or(status),
            Poll::Ready(None) => {
                self.is_done = true;
                return Poll::Ready(None);
            }
        };
        self.is_done = true;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_done
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn body(bytes: &[u8], piece: usize) -> Body {
        let frames: Vec<Result<_, Status>> =
            bytes.chunks(piece).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    async fn watched(bytes: &[u8], piece: usize, one: bool) -> Result<Vec<u8>, Status> {
        let (body, faults) = Requests::watch(body(bytes, piece), 10, one.then(|| "/a.B/C".to_owned()));
        match body.collect().await {
            Ok(all) => Ok(all.to_bytes().to_vec()),
            Err(status) => {
                let fault = faults.await.expect("it is told");
                assert_eq!(fault.message(), status.message());
                Err(status)
            }
        }
    }

    #[tokio::test]
    async fn what_is_right_passes_however_it_was_cut() {
        let bytes = b"\0\0\0\0\x03abc\0\0\0\0\0\x01\0\0\0\x0a0123456789";
        for piece in 1..=bytes.len() {
            assert_eq!(watched(bytes, piece, false).await.expect("it is right"), bytes);
        }
        assert_eq!(watched(b"", 1, false).await.expect("no messages"), b"");
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        for (bytes, one, expected) in [
            (&b"\0\0\0\0\x0bxyz"[..], false, "a message has at most 10 bytes"),
            (b"\0\0\0\0\x01a\0\xff\xff\xff\xff", false, "a message has at most 10 bytes"),
            (b"\0\0\0\0\x02a", false, "the body ends inside of a message"),
            (b"\0\0\0\0\x02ab\0", false, "the body ends inside of a message"),
            (b"", true, "/a.B/C takes one message"),
            (b"\0\0\0\0\x01a\0\0\0\0\0", true, "/a.B/C takes one message"),
        ] {
            for piece in 1..=bytes.len().max(1) {
                let status = watched(bytes, piece, one).await.expect_err(expected);
                assert_eq!(status.message(), expected, "{piece}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_ends_with_a_status() {
        let (_sender, faults) = oneshot::channel();
        let body = Answers::watch(body(b"\0\0\0\0\x01a\0\0\0\0\x0b", 6), 10, None, faults.fuse());
        let collected = body.collect().await.expect("the status is no error of the body");
        let status = Status::from_header_map(collected.trailers().expect("trailers")).expect("a status");
        assert_eq!(status.message(), "a message has at most 10 bytes");
        assert_eq!(collected.to_bytes(), &b"\0\0\0\0\x01a"[..]);
    }
}
