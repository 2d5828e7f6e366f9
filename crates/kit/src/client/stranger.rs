//! Calling a service that is no part of the mesh: what it must not learn, what it must not say, and how
//! much it gets at once.

use std::{
    num::NonZeroU32,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use governor::{DefaultDirectRateLimiter, Quota, clock::Clock};
use http::{
    HeaderMap, HeaderName, Request, Response,
    header::{AUTHORIZATION, COOKIE, SERVER, SET_COOKIE, STRICT_TRANSPORT_SECURITY},
};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body};
use tower::Service;

use super::outgoing::grpc_timeout;
use crate::{BoxError, Peer, Problem, observe, server::CallContext};

/// When to try again what did not fit.
const PAUSE: Duration = Duration::from_millis(500);

/// A service that is no part of the mesh. It knows none of our credentials and gets none, unless it is said
/// to; it hears how much time is left; and what it answers cannot speak for this host to a browser.
#[derive(Clone)]
pub struct Stranger {
    peer: Peer,
    name: Arc<str>,
    bounds: Arc<Bounds>,
    forward_credential: bool,
}

/// How much it gets.
struct Bounds {
    places: Arc<Semaphore>,
    max_calls: usize,
    rate: Option<(NonZeroU32, DefaultDirectRateLimiter)>,
}

impl Stranger {
    /// Calls `peer`, which people know as `name`, with at most `max_calls` calls and streams at once, and no more
    /// than `per_second` of them begun in a second (any number, if 0). The caller's credential is passed on only
    /// where `forward_credential` says so.
    pub fn peer(peer: Peer, name: &str, max_calls: usize, per_second: u32, forward_credential: bool) -> Peer {
        let places = Arc::new(Semaphore::new(max_calls.min(Semaphore::MAX_PERMITS)));
        let rate = NonZeroU32::new(per_second)
            .map(|most| (most, DefaultDirectRateLimiter::direct(Quota::per_second(most))));
        let bounds = Arc::new(Bounds { places, max_calls, rate });
        Peer::new(Self { peer, name: Arc::from(name), bounds, forward_credential })
    }

    /// A place for one more call.
    fn admit(&self) -> Result<OwnedSemaphorePermit, Status> {
        let Bounds { places, max_calls, rate } = &*self.bounds;
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| {
            self.full(
                "has as many calls at once as it is given",
                &format!("at most {max_calls} calls at once"),
            )
            .with("limit", max_calls)
            .retry_after(PAUSE)
        })?;
        let Some((most, rate)) = rate else { return Ok(place) };
        rate.check().map_err(|early| {
            let limit = format!("at most {most} calls a second");
            self.full("has had as many calls in a second as it is given", &limit)
                .with("limit", most)
                .retry_after(early.wait_time_from(rate.clock().now()))
        })?;
        Ok(place)
    }

    fn full(&self, why: &str, limit: &str) -> Problem {
        Problem::resource_exhausted("UPSTREAM_FULL", format!("{} {why}", self.name))
            .quota(format!("upstreams/{}", self.name), limit.to_owned())
            .with("upstream", &self.name)
    }
}

impl Service<Request<Body>> for Stranger {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.peer.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let place = match self.admit() {
            Ok(place) => place,
            Err(full) => return Box::pin(std::future::ready(Ok(full.into_http()))),
        };
        let headers = request.headers_mut();
        headers.remove(COOKIE);
        if !self.forward_credential {
            headers.remove(AUTHORIZATION);
        }
        if let Some(call) = CallContext::current() {
            headers.insert("traceparent", call.trace.header());
            headers.insert("x-request-id", call.request_id);
            if let Some(deadline) = call.deadline {
                headers.insert("grpc-timeout", grpc_timeout(deadline));
            }
        }
        observe::carry_trace(headers);
        let answer = self.peer.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            silence(response.headers_mut());
            // Its place is free when the answer has ended, or nobody reads it any more.
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _held = &place;
                    frame
                }))
            }))
        })
    }
}

/// Takes away what a browser would take for words of this host.
fn silence(headers: &mut HeaderMap) {
    let speaks = |name: &HeaderName| {
        name.as_str().starts_with("access-control-")
            || [SET_COOKIE, SERVER, STRICT_TRANSPORT_SECURITY].contains(name)
            || ["alt-svc", "clear-site-data"].contains(&name.as_str())
    };
    let spoken: Vec<HeaderName> = headers.keys().filter(|name| speaks(name)).cloned().collect();
    for name in spoken {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http_body_util::Full;
    use tonic::Code;
    use tonic_types::StatusExt;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// What a service behind it hears, and a peer to it.
    fn stranger(
        max_calls: usize,
        per_second: u32,
        forward_credential: bool,
    ) -> (Peer, Arc<Mutex<Vec<HeaderMap>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let service = service_fn(move |request: Request<Body>| {
            ears.lock().expect("not poisoned").push(request.headers().clone());
            let answer = Response::builder()
                .header("set-cookie", "weft=theirs")
                .header("access-control-allow-origin", "*")
                .header("x-theirs", "1")
                .body(Body::new(Full::from("an answer").map_err(|never| match never {})))
                .expect("well formed");
            std::future::ready(Ok::<_, std::convert::Infallible>(answer))
        });
        (Stranger::peer(Peer::new(service), "theirs", max_calls, per_second, forward_credential), heard)
    }

    fn request() -> Request<Body> {
        Request::builder()
            .header("authorization", "Bearer weft_secret")
            .header("cookie", "session=1")
            .header("x-mine", "1")
            .body(Body::empty())
            .expect("well formed")
    }

    #[tokio::test]
    async fn it_learns_no_credential_and_cannot_speak_for_us() {
        for (forward, credentials) in [(false, 0), (true, 1)] {
            let (peer, heard) = stranger(1, 0, forward);
            let answer = peer.oneshot(request()).await.expect("it answers");
            assert_eq!(answer.headers().keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-theirs"]);
            let heard = heard.lock().expect("not poisoned");
            assert_eq!(heard[0].get_all("authorization").iter().count(), credentials);
            assert!(!heard[0].contains_key("cookie"));
            assert_eq!(heard[0]["x-mine"], "1");
        }
    }

    #[tokio::test]
    async fn its_places_are_counted_until_an_answer_is_let_go() {
        let (peer, _) = stranger(1, 0, false);
        let first = peer.clone().oneshot(request()).await.expect("it answers");
        let full = peer.clone().oneshot(request()).await.expect("a refusal is an answer");
        let status = Status::from_header_map(full.headers()).expect("a refusal");
        assert_eq!(status.code(), Code::ResourceExhausted);
        drop(first);
        let again = peer.oneshot(request()).await.expect("it answers");
        assert!(Status::from_header_map(again.headers()).is_none());
    }

    #[tokio::test]
    async fn no_more_calls_are_begun_in_a_second_than_it_is_given() {
        let (peer, heard) = stranger(1_000, 3, false);
        let mut refused = None;
        // It would take half a minute for all of them to be let through.
        for _ in 0..100 {
            let answer = peer.clone().oneshot(request()).await.expect("a refusal is an answer");
            refused = Status::from_header_map(answer.headers()).or(refused);
        }
        let refused = refused.expect("one is too much");
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(refused.get_details_retry_info().is_some_and(|retry| retry.retry_delay.is_some()));
        assert!(heard.lock().expect("not poisoned").len() >= 3, "the first are let through");
    }
}
