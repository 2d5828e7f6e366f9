//! Answers that their client does not take: with HTTP/2 one stream of a connection can stand still.
//!
//! hyper asks an answer's body for more only when the client has room for what it gave before, so a body
//! knows nothing of a client that never gives any. What knows is the task of the stream: the body has
//! given something, and the task sleeps without having asked for more. [`StreamTasks`] starts these
//! tasks and lets none of them sleep so for too long. A connection with many of them ends.

use std::{
    cell::Cell,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use pin_project_lite::pin_project;
use tonic::{Status, body::Body};

use super::{cuts::Cuts, patience::Patience};

/// A piece of a body is given whole if there is room for one byte of it, and is then out of our
/// hands: so pieces are no larger than this.
const PIECE: usize = 64 * 1024;

tokio::task_local! {
    /// How often the body of the answer has given something, and whether it is now waited for.
    static GIVEN: Cell<Given>;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Given {
    frames: u64,
    taken: bool,
}

/// So many streams of one connection may stall, one after the other or at once: somebody who looks away
/// has a few, and an attacker has many.
const MOST: u32 = 8;

/// How many streams of a connection have stalled. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stalls(Arc<AtomicU32>);

impl Stalls {
    /// Whether the connection shall end for it.
    pub(super) fn are_too_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MOST
    }

    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Starts the tasks of a connection's streams.
#[derive(Clone, Debug)]
pub(super) struct StreamTasks {
    pub(super) stalls: Stalls,
    pub(super) stall_timeout: Duration,
    pub(super) address: SocketAddr,
    pub(super) cuts: Cuts,
}

impl<F> Executor<F> for StreamTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        TokioExecutor::new().execute(StreamTask {
            task,
            given: Given { frames: 0, taken: true },
            patience: Patience::new(self.stall_timeout),
            of: self.clone(),
        });
    }
}

pin_project! {
    struct StreamTask<F> {
        #[pin]
        task: F,
        given: Given,
        patience: Patience,
        of: StreamTasks,
    }
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let before = *this.given;
        let (polled, given) =
            GIVEN.sync_scope(Cell::new(before), || (this.task.poll(context), GIVEN.with(Cell::get)));
        *this.given = given;
        if polled.is_ready() {
            return Poll::Ready(());
        }
        if given.taken || given.frames != before.frames {
            this.patience.goes_on();
        }
        if !given.taken && this.patience.poll_over(context).is_ready() {
            this.of.stalls.add();
            this.of.cuts.count("stream_takes_nothing", this.of.address);
            // Without its task the stream is reset, what it held is let go, and its connection wakes up.
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

pin_project! {
    /// The body of an answer on its way into hyper.
    #[derive(Debug)]
    pub(super) struct Giving {
        #[pin]
        inner: Body,
        // Of a piece that was too large.
        rest: Bytes,
        // What comes after the first piece, if it was there at once: the answer of a call that is no
        // stream is then all with us, and holds nothing of the service's while its client takes it.
        ahead: Option<Option<Result<Frame<Bytes>, Status>>>,
        looked: bool,
    }
}

impl Giving {
    pub(super) fn new(inner: Body) -> Self {
        Self { inner, rest: Bytes::new(), ahead: None, looked: false }
    }
}

impl HttpBody for Giving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut this = self.project();
        let mut polled = if !this.rest.is_empty() {
            Poll::Ready(Some(Ok(Frame::data(std::mem::take(this.rest)))))
        } else if let Some(ahead) = this.ahead.take() {
            Poll::Ready(ahead)
        } else {
            this.inner.as_mut().poll_frame(context)
        };
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(data) = frame.data_mut()
        {
            if data.len() > PIECE {
                *this.rest = data.split_off(PIECE);
            }
            if !std::mem::replace(this.looked, true)
                && let Poll::Ready(next) = this.inner.poll_frame(context)
            {
                *this.ahead = Some(next);
            }
        }
        // Over HTTP/1 nobody asks: there the connection is all that can stand still.
        let _ = GIVEN.try_with(|cell| {
            let Given { frames, .. } = cell.get();
            cell.set(match &polled {
                Poll::Ready(Some(_)) => Given { frames: frames + 1, taken: false },
                Poll::Ready(None) | Poll::Pending => Given { frames, taken: true },
            });
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
            && match &self.ahead {
                Some(next) => next.is_none(),
                None => self.inner.is_end_stream(),
            }
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().and_then(|next| next.as_ref()?.as_ref().ok()?.data_ref());
        let rest = (self.rest.len() + ahead.map_or(0, Bytes::len)) as u64;
        let mut hint = self.inner.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    #[tokio::test]
    async fn large_pieces_are_given_in_smaller_ones() {
        let large: Bytes = (0..3 * PIECE + 7).map(|index| index as u8).collect();
        let mut body = Giving::new(Body::new(Full::new(large.clone())));
        assert_eq!(body.size_hint().exact(), Some(large.len() as u64));
        let mut lengths = Vec::new();
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.expect("no error").into_data().expect("data");
            lengths.push(data.len());
            all.extend(data);
            assert_eq!(body.size_hint().exact(), Some((large.len() - all.len()) as u64));
        }
        assert_eq!((lengths, all), (vec![PIECE, PIECE, PIECE, 7], large.to_vec()));
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn an_answer_that_is_no_stream_is_fetched_at_once() {
        let trailers = http::HeaderMap::from_iter([(http::header::TE, http::HeaderValue::from_static("x"))]);
        let data = || Ok::<_, Status>(Frame::data(Bytes::from_static(b"x")));
        let frames = [data(), Ok(Frame::trailers(trailers.clone()))];
        let mut body = Giving::new(Body::new(StreamBody::new(futures::stream::iter(frames))));
        assert!(body.frame().await.expect("there is one").expect("no error").is_data());
        assert!(!body.is_end_stream(), "there are trailers");
        let last = body.frame().await.expect("there is one").expect("no error");
        assert_eq!(last.into_trailers().expect("trailers"), trailers);
        assert!(body.frame().await.is_none());

        // A second message of a stream is fetched too, and none after it.
        let (say, said) = tokio::sync::mpsc::channel(8);
        for _ in 0..4 {
            say.send(data()).await.expect("there is room");
        }
        let mut body =
            Giving::new(Body::new(StreamBody::new(tokio_stream::wrappers::ReceiverStream::new(said))));
        for left in [2, 2, 1, 0] {
            body.frame().await.expect("there is one").expect("no error");
            assert_eq!(say.max_capacity() - say.capacity(), left);
        }
    }

    fn task<F: Future<Output = ()>>(task: F, stalls: &Stalls) -> StreamTask<F> {
        let of = StreamTasks {
            stalls: stalls.clone(),
            stall_timeout: Duration::from_secs(60),
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            cuts: Cuts::default(),
        };
        let (given, patience) = (Given { frames: 0, taken: true }, Patience::new(of.stall_timeout));
        StreamTask { task, given, patience, of }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_may_wait_for_the_service_but_not_for_the_client() {
        let stalls = Stalls::default();
        // The service takes an hour for its second message: that is its right.
        let numbers = futures::stream::unfold(0, |number| async move {
            tokio::time::sleep(Duration::from_hours(number)).await;
            (number < 2).then(|| (Ok::<_, Status>(Frame::data(Bytes::from_static(b"x"))), number + 1))
        });
        let mut body = Giving::new(Body::new(StreamBody::new(numbers)));
        let began = tokio::time::Instant::now();
        task(
            async {
                while let Some(frame) = body.frame().await {
                    frame.expect("no error");
                    tokio::time::sleep(Duration::from_secs(59)).await;
                }
            },
            &stalls,
        )
        .await;
        assert_eq!(began.elapsed(), Duration::from_hours(3) + Duration::from_secs(59));

        assert_eq!(stalls.0.load(Ordering::Relaxed), 0);

        let began = tokio::time::Instant::now();
        for stalled in 0..=MOST {
            assert!(!stalls.are_too_many(), "{stalled} are not");
            let stands_still = async {
                let mut body = Giving::new(Body::new(Full::new(Bytes::from_static(b"x"))));
                body.frame().await.expect("there is one").expect("no error");
                std::future::pending::<()>().await;
            };
            task(stands_still, &stalls).await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(60) * (MOST + 1));
        assert!(stalls.are_too_many());
    }
}
