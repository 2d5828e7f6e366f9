//! Trying again, as gRFC A6 says: what may be repeated, with growing pauses, within a budget so that a
//! service which is down is not buried by those who wait for it; and what no service has seen, at once.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use tonic::{Code, Status, body::Body};
use tower::Service;
use weft_proto::Methods;

use super::{
    kept::{Kept, whole},
    unseen::Unseen,
};
use crate::{BoxError, Ids, config::ClientOptions};

/// gRFC A6: more attempts than this are not made, whatever is configured.
const MOST_ATTEMPTS: u32 = 5;

/// Among the extensions of an answer: nobody was asked, and it is of no use to ask again at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shunned;

/// Repeats calls over `inner`, as the methods `M` say.
#[derive(Clone)]
pub(crate) struct Retrying<S, M> {
    inner: S,
    methods: M,
    policy: Arc<Policy>,
}

struct Policy {
    max_attempts: u32,
    initial_backoff: Duration,
    max_backoff: Duration,
    budget: Budget,
    ids: Ids,
}

/// A bucket of tokens: a failure takes ten, a success gives one back, and below half there are no
/// repeats (gRFC A6 with maxTokens 10 and tokenRatio 0.1, in tenths).
struct Budget(AtomicU32);

impl Budget {
    const FULL: u32 = 100;

    fn failed(&self) -> bool {
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| Some(tokens.saturating_sub(10)));
        before.unwrap_or_default().saturating_sub(10) > Self::FULL / 2
    }

    fn succeeded(&self) {
        // The closure never refuses.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| Some((tokens + 1).min(Self::FULL)));
    }
}

impl<S, M> Retrying<S, M> {
    pub(crate) fn new(inner: S, methods: M, options: &ClientOptions, ids: Ids) -> Self {
        let policy = Policy {
            max_attempts: options.max_attempts.clamp(1, MOST_ATTEMPTS),
            initial_backoff: options.initial_backoff,
            max_backoff: options.max_backoff,
            budget: Budget(AtomicU32::new(Budget::FULL)),
            ids,
        };
        Self { inner, methods, policy: Arc::new(policy) }
    }
}

impl<S, M> Service<Request<Body>> for Retrying<S, M>
where
    M: Deref<Target = Methods>,
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = self.methods.get(request.uri().path());
        let Some(method) = method.filter(|method| !method.descriptor.is_client_streaming()) else {
            // A stream of requests goes as it comes, and is gone then.
            return Box::pin(self.inner.call(request));
        };
        let repeatable = method.is_retryable();
        let (mut inner, policy) = (self.inner.clone(), Arc::clone(&self.policy));
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match Kept::read(body).await {
                Ok(Kept::Whole(body)) => policy.run(&mut inner, &parts, &body, repeatable).await,
                Ok(Kept::TooLarge(body)) => {
                    std::future::poll_fn(|context| inner.poll_ready(context)).await?;
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

impl Policy {
    async fn run<S>(
        &self,
        inner: &mut S,
        parts: &http::request::Parts,
        body: &Bytes,
        repeatable: bool,
    ) -> Result<Response<Body>, BoxError>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = BoxError>,
    {
        let mut attempt = 1;
        let mut unseen = UnseenAttempts::default();
        loop {
            let mut request = Request::from_parts(parts.clone(), whole(body.clone()));
            if attempt > 1 {
                request.headers_mut().insert("grpc-previous-rpc-attempts", HeaderValue::from(attempt - 1));
            }
            std::future::poll_fn(|context| inner.poll_ready(context)).await?;
            let response = inner.call(request).await?;
            // Neither the budget nor the number of attempts is about what no service has seen.
            if response.extensions().get().is_some_and(|how| unseen.may_repeat(*how)) {
                continue;
            }
            if !repeatable || response.extensions().get::<Shunned>().is_some() {
                return Ok(response);
            }
            // Only an answer without a body may be thrown away: once a message came, it is final.
            let refused = Status::from_header_map(response.headers())
                .filter(|status| status.code() == Code::Unavailable);
            if refused.is_none() {
                self.budget.succeeded();
                return Ok(response);
            }
            let within_budget = self.budget.failed();
            let pushback = pushback(&response);
            if attempt >= self.max_attempts || !within_budget || pushback == Pushback::Stop {
                return Ok(response);
            }
            let pause = match pushback {
                Pushback::After(pause) => pause,
                _ => self.backoff(attempt),
            };
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Between nothing and the exponential bound, evenly (full jitter).
    fn backoff(&self, attempt: u32) -> Duration {
        let bound = self.initial_backoff.saturating_mul(1 << (attempt - 1).min(16)).min(self.max_backoff);
        bound.mul_f64(self.ids.fraction())
    }
}

/// Attempts of one call that no service has seen.
#[derive(Default)]
struct UnseenAttempts {
    closing: u32,
    refused: bool,
}

impl UnseenAttempts {
    /// Whether the call is made again. gRFC A6: once where a server has refused it, so that one which
    /// refuses everything is not asked for ever. A connection that is closing can be found only once, so
    /// there only our own bound counts.
    fn may_repeat(&mut self, how: Unseen) -> bool {
        match how {
            Unseen::Closing => {
                self.closing += 1;
                self.closing < MOST_ATTEMPTS
            }
            Unseen::Refused => !std::mem::replace(&mut self.refused, true),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Pushback {
    None,
    After(Duration),
    Stop,
}

/// What the server says in `grpc-retry-pushback-ms`: a pause, or (negative or unreadable) never.
fn pushback(response: &Response<Body>) -> Pushback {
    match response.headers().get("grpc-retry-pushback-ms") {
        None => Pushback::None,
        Some(value) => match value.to_str().ok().and_then(|text| text.parse::<u64>().ok()) {
            Some(millis) => Pushback::After(Duration::from_millis(millis.min(60_000))),
            None => Pushback::Stop,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Mutex};

    use http_body_util::BodyExt;
    use tower::{ServiceExt, service_fn};

    use super::*;

    const READ: &str = "/weft.graph.v1.GraphService/GetGraph";
    const WRITE: &str = "/weft.graph.v1.GraphService/CreateGraph";

    /// Calls `path` over a service that refuses as often as `refusals` says, each time in the way that
    /// it says; how often it was called, and the last answer.
    async fn attempts(path: &str, refusals: Vec<Option<Unseen>>) -> (usize, Option<Code>) {
        let seen = Arc::new(Mutex::new(0));
        let counter = Arc::clone(&seen);
        let service = service_fn(move |request: Request<Body>| {
            let (counter, refusals) = (Arc::clone(&counter), refusals.clone());
            async move {
                let body = request.into_body().collect().await.expect("no error").to_bytes();
                assert_eq!(body, "request", "every attempt carries the whole request");
                let mut count = counter.lock().expect("not poisoned");
                *count += 1;
                let Some(how) = refusals.get(*count - 1) else {
                    return Ok::<_, Infallible>(Response::new(Body::empty()));
                };
                let mut refusal = Status::unavailable("down").into_http();
                if let Some(how) = *how {
                    refusal.extensions_mut().insert(how);
                }
                Ok(refusal)
            }
        });
        let retrying = Retrying::new(
            service.map_err(Into::into),
            weft_proto::methods(),
            &ClientOptions::default(),
            Ids::seeded(1),
        );
        let request = Request::builder().uri(path).body(whole(Bytes::from("request"))).expect("well formed");
        let response = retrying.oneshot(request).await.expect("no error below gRPC");
        let count = *seen.lock().expect("not poisoned");
        (count, Status::from_header_map(response.headers()).map(|status| status.code()))
    }

    #[tokio::test(start_paused = true)]
    async fn repeats_only_what_the_contract_allows() {
        assert_eq!(attempts(READ, vec![None; 2]).await, (3, None));
        assert_eq!(attempts(READ, vec![None; 9]).await, (4, Some(Code::Unavailable)));
        assert_eq!(attempts(WRITE, vec![None; 9]).await, (1, Some(Code::Unavailable)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_service_has_seen_is_sent_again_whatever_it_does() {
        let (closing, refused) = (Some(Unseen::Closing), Some(Unseen::Refused));
        assert_eq!(attempts(WRITE, vec![refused]).await, (2, None));
        assert_eq!(attempts(WRITE, vec![closing; 4]).await, (5, None));
        assert_eq!(attempts(WRITE, vec![closing, refused, closing]).await, (4, None));
        assert_eq!(attempts(WRITE, vec![refused; 9]).await, (2, Some(Code::Unavailable)));
        assert_eq!(attempts(WRITE, vec![closing; 9]).await, (5, Some(Code::Unavailable)));
        assert_eq!(attempts(WRITE, vec![refused, None]).await, (2, Some(Code::Unavailable)));
        // And what may be repeated goes on as it would have.
        assert_eq!(attempts(READ, vec![refused, None, None, None]).await, (5, None));
    }

    #[test]
    fn the_budget_ends_repeats_while_everything_fails() {
        let budget = Budget(AtomicU32::new(Budget::FULL));
        let allowed = (0..20).filter(|_| budget.failed()).count();
        assert_eq!(allowed, 4);
        for _ in 0..61 {
            budget.succeeded();
        }
        assert!(budget.failed());
    }
}
