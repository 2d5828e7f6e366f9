//! Streams of services that go on while the gateway itself ends: their clients are told to connect again, as the
//! runtime of a service tells its own.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Status, body::Body};
use tower::ServiceExt;
use weft_kit::{Peer, server::trailers};

use crate::{watch::Envelopes, words};

/// The peer, whose answers end between two messages once `draining` is cancelled: UNAVAILABLE, reason
/// `DRAINING`. For streams that can be begun anew.
pub(crate) fn ending(peer: &Peer, draining: &CancellationToken) -> Peer {
    let draining = draining.clone();
    Peer::new(peer.clone().map_response(move |response: http::Response<Body>| {
        let draining = Box::pin(draining.cancelled_owned());
        response.map(|inner| {
            Body::new(Ending { inner, envelopes: Envelopes::new(usize::MAX), draining, over: false })
        })
    }))
}

struct Ending {
    inner: Body,
    envelopes: Envelopes,
    draining: Pin<Box<WaitForCancellationFutureOwned>>,
    over: bool,
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    // No length is too large for this one: whoever reads the messages minds that.
                    let _ = this.envelopes.pass(data);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Pending
                if this.envelopes.is_between() && this.draining.as_mut().poll(context).is_ready() =>
            {
                this.over = true;
                Poll::Ready(Some(Ok(Frame::trailers(trailers(&words::draining())))))
            }
            ended => ended,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};
    use http_body_util::{BodyExt, StreamBody};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::UnboundedReceiverStream;

    use super::*;

    #[tokio::test]
    async fn a_stream_ends_between_two_messages() {
        let (say, said) = mpsc::unbounded_channel::<&'static [u8]>();
        let said = std::sync::Arc::new(std::sync::Mutex::new(Some(said)));
        let service = tower::service_fn(move |_: http::Request<Body>| {
            let said = said.lock().expect("nothing panics").take().expect("there is one call");
            let frames = UnboundedReceiverStream::new(said)
                .map(|bytes| Ok::<_, Status>(Frame::data(Bytes::from_static(bytes))));
            async { Ok::<_, weft_kit::BoxError>(http::Response::new(Body::new(StreamBody::new(frames)))) }
        });
        let draining = CancellationToken::new();
        let peer = ending(&Peer::new(service), &draining);
        let mut body = peer.oneshot(http::Request::new(Body::empty())).await.expect("it answers").into_body();
        say.send(b"\0\0\0\0\x04ab").expect("it listens");
        assert!(body.frame().now_or_never().is_some(), "half a message");
        draining.cancel();
        assert!(body.frame().now_or_never().is_none(), "the other half is waited for");
        say.send(b"cd").expect("it listens");
        assert!(body.frame().now_or_never().is_some(), "the other half");
        let last = body.frame().await.expect("it says so").expect("it lives");
        let last = last.into_trailers().expect("the end");
        assert_eq!(last["grpc-status"], "14");
        assert!(body.frame().await.is_none());
    }
}
