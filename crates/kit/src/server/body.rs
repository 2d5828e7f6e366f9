//! Watching over an answer until its last byte: deadline, end of the process, panics, metrics.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tonic::{Code, Status, body::Body};

use super::{ending::Ending, load::Place};
use crate::{Problem, signal::Given};

pin_project! {
    /// The body of an answer. However it ends, it ends with a status, and that is told.
    pub(crate) struct WatchedBody {
        inner: Body,
        deadline: Option<Instant>,
        // Made when it is first waited for: most answers are there at once.
        #[pin]
        timer: Option<Sleep>,
        #[pin]
        reconnect: Option<Given>,
        ending: Ending,
        place: Option<Place>,
        ended: bool,
    }
}

impl WatchedBody {
    pub(crate) fn new(inner: Body, deadline: Option<Instant>, ending: Ending, place: Place) -> Self {
        Self { inner, deadline, timer: None, reconnect: None, ending, place: Some(place), ended: false }
    }

    /// Ends the stream with UNAVAILABLE when `signal` comes: its client can resume elsewhere.
    pub(crate) fn until(mut self, signal: Given) -> Self {
        self.reconnect = Some(signal);
        self
    }
}

/// What a client is told when its time is over.
pub(crate) fn deadline_exceeded() -> Status {
    Problem::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the call's deadline passed before it was done")
        .into()
}

/// What a client is told when a handler panicked. The panic itself was printed by its hook.
pub(crate) fn panicked() -> Status {
    Problem::internal("PANIC", "a fault of the server; it has been logged").into()
}

fn draining() -> Status {
    Problem::unavailable("DRAINING", "this process is ending; connect again and resume")
        .retry_after(Duration::from_millis(100))
        .into()
}

/// The trailers with which a call ends in `status`.
pub fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // A status whose details do not fit into headers is still a status.
    if status.add_header(&mut headers).is_err() {
        headers.clear();
        headers.insert(Status::GRPC_STATUS, i32::from(status.code()).into());
    }
    headers
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        let inner = Pin::new(this.inner);
        let polled = catch_unwind(AssertUnwindSafe(|| inner.poll_frame(context)));
        let (frame, code) = match polled {
            Ok(Poll::Ready(Some(Ok(frame)))) => match frame.trailers_ref() {
                None => return Poll::Ready(Some(Ok(frame))),
                Some(trailers) => {
                    let code = code_of(trailers);
                    (Some(Ok(frame)), code)
                }
            },
            Ok(Poll::Ready(Some(Err(status)))) => {
                let code = status.code();
                (Some(Ok(Frame::trailers(trailers(&status)))), code)
            }
            Ok(Poll::Ready(None)) => (None, Code::Ok),
            Err(_) => (Some(Ok(Frame::trailers(trailers(&panicked())))), Code::Internal),
            Ok(Poll::Pending) => {
                if let Some(at) = this.deadline.take() {
                    this.timer.set(Some(tokio::time::sleep_until(at)));
                }
                let late = this.timer.as_pin_mut().is_some_and(|timer| timer.poll(context).is_ready());
                let leaving = !late
                    && this.reconnect.as_pin_mut().is_some_and(|signal| signal.poll(context).is_ready());
                let status = match (late, leaving) {
                    (true, _) => deadline_exceeded(),
                    (_, true) => draining(),
                    _ => return Poll::Pending,
                };
                (Some(Ok(Frame::trailers(trailers(&status)))), status.code())
            }
        };
        *this.ended = true;
        this.place.take();
        this.ending.tell(code);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn code_of(trailers: &HeaderMap) -> Code {
    trailers.get(Status::GRPC_STATUS).map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()))
}
