//! One call on a connection of HTTP/2: its request goes out, its answer comes in, and giving it up resets it.
//!
//! A request whose body is there already (nearly all are) is handed to HTTP/2 in one go by the task of its
//! caller, and the answer wakes that task: no other task stands between. Only a request that is still being
//! made gets a task, which sends it on as it comes.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client::SendRequest};
use http::{
    HeaderMap, HeaderName, Request, Response, StatusCode, Version,
    header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use http_body::{Body as HttpBody, Frame};
use tokio::sync::oneshot;
use tonic::{Code, Status, body::Body};

use super::{connection::Busy, health::Verdict};
use crate::{Lifecycle, Problem};

/// Headers of HTTP/1 that HTTP/2 must not carry; it has the host in another place.
const OF_HTTP1: [HeaderName; 6] = [
    CONNECTION,
    HOST,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Why a call has no answer.
pub(super) enum Failure {
    /// The way to the service, or the service's HTTP/2.
    Way(h2::Error),
    /// The connection has just ended: the call never left this process.
    Unsent(h2::Error),
    /// The request broke off where it came from.
    Request(Status),
}

/// Sends a request and waits for the head of its answer. `busy` lives as long as the call, and `verdict` is
/// told how it was answered.
pub(super) async fn exchange(
    mut sender: SendRequest<Bytes>,
    mut head: Parts,
    body: Body,
    busy: Busy,
    verdict: Verdict,
    lifecycle: &Lifecycle,
) -> Result<Response<Body>, Failure> {
    head.version = Version::HTTP_2;
    head.extensions = http::Extensions::new();
    for name in &OF_HTTP1 {
        head.headers.remove(name);
    }
    let is_whole = body.is_end_stream();
    let (answer, stream) = sender.send_request(Request::from_parts(head, ()), is_whole).map_err(|error| {
        if error.is_io() || error.is_go_away() { Failure::Unsent(error) } else { Failure::Way(error) }
    })?;
    // Kept, it would hold the connection.
    drop(sender);
    let mut upload = None;
    if !is_whole {
        let mut begun = Upload { body, stream, has_begun: false };
        let sent = std::future::poll_fn(|context| Poll::Ready(begun.poll(context))).await;
        match sent {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(broken)) => return Err(Failure::Request(broken)),
            Poll::Pending => upload = Some(begun.go_on(lifecycle)),
        }
    }
    let response = match (answer.await, &mut upload) {
        (Ok(response), _) => response,
        // It is our own reset: the task that sends the request says why.
        (Err(error), Some(upload)) if error.is_reset() && !error.is_remote() => {
            return Err((&mut upload.broken).await.map_or(Failure::Way(error), Failure::Request));
        }
        (Err(error), _) => return Err(Failure::Way(error)),
    };
    let early = refuses(response.headers(), response.status());
    if let Some(refused) = early {
        verdict.answered(refused);
    }
    let verdict = early.is_none().then_some(verdict);
    Ok(response.map(|stream| {
        if stream.is_end_stream() {
            return Body::empty();
        }
        Body::new(Answer { stream, state: AnswerState::Data, verdict, _upload: upload, _busy: busy })
    }))
}

/// Whether an answer says UNAVAILABLE; `None` if it does not say yet how it ends.
fn refuses(headers: &HeaderMap, status: StatusCode) -> Option<bool> {
    match headers.get(Status::GRPC_STATUS) {
        Some(code) => Some(Code::from_bytes(code.as_bytes()) == Code::Unavailable),
        // What stands before the service says it in HTTP's words.
        None => status.is_server_error().then_some(true),
    }
}

/// A request on its way out.
struct Upload {
    body: Body,
    stream: SendStream<Bytes>,
    has_begun: bool,
}

/// A request that is sent on by a task, until this is dropped.
struct Uploading {
    /// The error of the request's body, if it has one.
    broken: oneshot::Receiver<Status>,
}

impl Upload {
    /// Sends on as it comes, until this or the call is given up.
    fn go_on(mut self, lifecycle: &Lifecycle) -> Uploading {
        let (mut tell, broken) = oneshot::channel();
        lifecycle.spawn_future(async move {
            let sent = tokio::select! {
                biased;
                () = tell.closed() => return,
                sent = std::future::poll_fn(|context| self.poll(context)) => sent,
            };
            if let Err(broken) = sent {
                // Where nobody listens the call has ended.
                let _ = tell.send(broken);
            }
        });
        Uploading { broken }
    }

    /// Sends what there is. It is done when all is sent, or nobody takes it any more: then the answer says
    /// why.
    ///
    /// # Errors
    /// That of the request's body.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        loop {
            if ready!(self.poll_room(context)).is_err() {
                return Poll::Ready(Ok(()));
            }
            let sent = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => self.stream.send_data(Bytes::new(), true),
                Some(Ok(frame)) => self.send(frame),
                Some(Err(status)) => {
                    self.stream.send_reset(reason(&status));
                    return Poll::Ready(Err(status));
                }
            };
            if sent.is_err() || self.body.is_end_stream() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Waits until something can be sent. The first piece needs no room: HTTP/2 keeps it until there is.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Reset>> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Poll::Ready(Ok(()));
        }
        if self.stream.poll_reset(context).is_ready() {
            return Poll::Ready(Err(Reset));
        }
        self.stream.reserve_capacity(1);
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(context)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Reset)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn send(&mut self, frame: Frame<Bytes>) -> Result<(), h2::Error> {
        let is_end = self.body.is_end_stream();
        match frame.into_data() {
            Ok(data) if data.is_empty() && !is_end => Ok(()),
            Ok(data) => self.stream.send_data(data, is_end),
            Err(frame) => self.stream.send_trailers(frame.into_trailers().unwrap_or_default()),
        }
    }
}

/// The stream takes nothing any more.
struct Reset;

/// With what a call is reset whose request broke off with `error`: never with CANCEL unless HTTP/2 said so
/// before, because a service may take that for the end of the request.
fn reason(error: &(dyn Error + 'static)) -> Reason {
    if let Some(reason) = error.downcast_ref::<h2::Error>().and_then(h2::Error::reason) {
        return reason;
    }
    error.source().map_or(Reason::INTERNAL_ERROR, reason)
}

/// An answer as it comes in.
struct Answer {
    stream: RecvStream,
    state: AnswerState,
    /// Who is told how it ends.
    verdict: Option<Verdict>,
    _upload: Option<Uploading>,
    _busy: Busy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AnswerState {
    Data,
    Trailers,
    Done,
}

impl Answer {
    /// An error of the stream, unless it says that the answer is over.
    fn failed(&mut self, error: h2::Error) -> Option<Result<Frame<Bytes>, Status>> {
        self.state = AnswerState::Done;
        // The server has said all, and wants no more of the request.
        let is_over = error.reason() == Some(Reason::NO_ERROR) && error.is_reset();
        (!is_over).then(|| Err(broke_off(Status::from_error(Box::new(error)))))
    }
}

/// What is told of an answer that ends without a status: its service died, or the way to it. What HTTP/2
/// gives a reason for keeps it.
fn broke_off(error: Status) -> Status {
    match error.code() {
        Code::Unknown | Code::Internal => {
            tracing::debug!(%error, "an answer broke off");
            Problem::unavailable("ANSWER_BROKE_OFF", "the service was lost in the middle of its answer")
                .into()
        }
        _ => error,
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.state == AnswerState::Data {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // It is the reader's now. That the stream is over already is no error.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(self.failed(error)),
                None => self.state = AnswerState::Trailers,
            }
        }
        if self.state == AnswerState::Done {
            return Poll::Ready(None);
        }
        let trailers: Result<Option<HeaderMap>, h2::Error> = ready!(self.stream.poll_trailers(context));
        self.state = AnswerState::Done;
        if let (Some(verdict), Ok(trailers)) = (self.verdict.take(), &trailers) {
            let end = trailers.as_ref().and_then(|trailers| refuses(trailers, StatusCode::OK));
            verdict.answered(end.unwrap_or_default());
        }
        Poll::Ready(match trailers {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => self.failed(error),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.state == AnswerState::Done
    }
}
