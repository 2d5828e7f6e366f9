//! Bodies of requests that come a byte at a time, or not at all, or that nobody reads to their end.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tonic::{Code, Status, body::Body};

use super::cuts::Cuts;
use crate::Problem;

/// Bytes that a second of waiting must bring, once the time that is given in advance is used up.
const PER_SECOND: u32 = 1024;

/// Most bytes of a body that are read only to be thrown away: those of a refusal's request.
const THROWN_AWAY: u64 = 16 * 1024 * 1024;

/// How long that may take.
const THROWN_AWAY_FOR: Duration = Duration::from_secs(5);

/// The request with a body that is not waited for longer than `limit`, where that is due: streams may
/// be silent for as long as their client lives. And what will be left of that body.
pub(super) fn paced(
    request: Request<Incoming>,
    limit: Duration,
    address: SocketAddr,
    cuts: &Cuts,
) -> (Request<Body>, Unread) {
    if request.body().is_end_stream() || may_be_a_stream(request.headers(), request.body().size_hint()) {
        return (request.map(Body::new), Unread::default());
    }
    let unread = Unread(Some(Arc::default()));
    // Who waits for leave to send has sent nothing yet, and will not if the answer says no.
    let waits_for_leave = request.headers().contains_key(header::EXPECT);
    let request = request.map(|inner| {
        let (cuts, left) = (cuts.clone(), limit);
        let paced = Box::pin(Paced { inner, limit, left, since: None, timer: None, address, cuts });
        Body::new(Lent { body: Some(paced), is_unsent: waits_for_leave, unread: unread.clone() })
    });
    (request, unread)
}

/// What a handler has left of a request's body.
///
/// An answer that comes before its request has ended, and then an end of the connection, reaches hardly
/// anybody: proxies and most clients write first and read then, and find a broken connection. So the rest is
/// read before the answer is sent, as far as that is not too much.
#[derive(Clone, Default)]
pub(super) struct Unread(Option<Arc<Mutex<Option<PacedBody>>>>);

type PacedBody = Pin<Box<Paced<Incoming>>>;

impl Unread {
    fn give_back(&self, body: PacedBody) {
        if let Some(left) = &self.0 {
            *left.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }

    /// Reads the rest and throws it away. A body that is still being read is not this one's.
    pub(super) async fn throw_away(self) {
        let rest = self.0.and_then(|left| left.lock().unwrap_or_else(PoisonError::into_inner).take());
        let Some(mut rest) = rest.filter(|rest| rest.size_hint().lower() <= THROWN_AWAY) else { return };
        let read = async {
            let mut length = 0;
            while let Some(Ok(frame)) = rest.frame().await {
                length += frame.data_ref().map_or(0, Bytes::len) as u64;
                if length > THROWN_AWAY {
                    return;
                }
            }
        };
        // Too slow, or too long: the answer goes out all the same.
        drop(tokio::time::timeout(THROWN_AWAY_FOR, read).await);
    }
}

/// A body that goes back when whoever reads it has enough of it.
struct Lent {
    body: Option<PacedBody>,
    is_unsent: bool,
    unread: Unread,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.is_unsent = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = body.as_mut().poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !self.is_unsent && !body.is_end_stream()) {
            self.unread.give_back(body);
        }
    }
}

/// Whether the protocol has calls whose messages come one by one. The time of their other calls is
/// bounded behind this. A stream of Connect that says how long it is, is written already: its refusal has
/// to wait for the rest as well.
fn may_be_a_stream(headers: &HeaderMap, size: SizeHint) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let begins_with =
        |name: &[u8]| kind.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    (begins_with(b"application/connect+") && size.exact().is_none())
        || (begins_with(b"application/grpc") && !begins_with(b"application/grpc-web"))
}

pin_project! {
    /// Time to wait is a budget: waiting spends it, bytes bring it back, and it never grows over `limit`.
    struct Paced<B> {
        #[pin]
        inner: B,
        limit: Duration,
        left: Duration,
        since: Option<Instant>,
        timer: Option<Pin<Box<Sleep>>>,
        address: SocketAddr,
        cuts: Cuts,
    }
}

impl<B> HttpBody for Paced<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<crate::BoxError>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        let Poll::Ready(frame) = this.inner.poll_frame(context) else {
            let since = *this.since.get_or_insert_with(Instant::now);
            let timer =
                this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(since + *this.left)));
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.cuts.count("body", *this.address);
            let message = format!("the body did not come within {:?}, nor at 1 KiB a second", this.limit);
            let problem = Problem::new(Code::DeadlineExceeded, "BODY_TOO_SLOW", message);
            return Poll::Ready(Some(Err(problem.into())));
        };
        if let Some(since) = this.since.take() {
            *this.left = this.left.saturating_sub(since.elapsed());
            *this.timer = None;
        }
        let frame = frame.map(|frame| frame.map_err(|error| Status::from_error(error.into())));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let earned = Duration::from_secs(data.len() as u64) / PER_SECOND;
            *this.left = (*this.left + earned).min(*this.limit);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::HeaderValue;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// How long a body lives whose pieces come with pauses between them, and whether it came whole.
    async fn lives(pieces: usize, size: usize, pause: Duration) -> (Duration, bool) {
        let stream = futures::stream::unfold(0, move |count| async move {
            tokio::time::sleep(pause).await;
            let frame = Frame::data(Bytes::from(vec![0; size]));
            (count < pieces).then(|| (Ok::<_, Infallible>(frame), count + 1))
        });
        let body = Paced {
            inner: Box::pin(StreamBody::new(stream)),
            limit: LIMIT,
            left: LIMIT,
            since: None,
            timer: None,
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            cuts: Cuts::default(),
        };
        let began = Instant::now();
        let whole = body.collect().await;
        if let Err(status) = &whole {
            assert_eq!(status.code(), Code::DeadlineExceeded);
        }
        (began.elapsed(), whole.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_is_cut_and_a_slow_line_is_not() {
        assert_eq!(lives(10, 1, LIMIT * 2).await, (LIMIT, false));
        let (lived, whole) = lives(1_000, 1, Duration::from_secs(1)).await;
        assert!(!whole && lived <= LIMIT + Duration::from_secs(1), "{lived:?}");
        // 2 KiB a second for ten minutes.
        let (lived, whole) = lives(600, 2_048, Duration::from_secs(1)).await;
        assert!(whole && lived >= Duration::from_secs(600), "{lived:?}");
        // What came fast before gives no more time than everybody has.
        assert_eq!(lives(1, 4 << 20, Duration::from_secs(19)).await, (Duration::from_secs(38), true));
        assert!(!lives(2, 4 << 20, Duration::from_secs(21)).await.1);
    }

    #[test]
    fn streams_are_left_alone() {
        for (kind, of_any_length, of_known_length) in [
            ("application/grpc", true, true),
            ("application/grpc+proto", true, true),
            ("Application/Connect+json", true, false),
            ("application/grpc-web+proto", false, false),
            ("application/proto", false, false),
            ("application/json", false, false),
            ("", false, false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert_eq!(may_be_a_stream(&headers, SizeHint::default()), of_any_length, "{kind}");
            assert_eq!(may_be_a_stream(&headers, SizeHint::with_exact(9)), of_known_length, "{kind}");
        }
        assert!(!may_be_a_stream(&HeaderMap::new(), SizeHint::default()));
    }
}
