//! Trying again, as gRFC A6 says: what may be repeated, with growing pauses, within a budget so that a
//! service which is down is not buried by those who wait for it; and what no service has seen, at once. What
//! takes long is asked elsewhere too, where the contract says so (`hedging`).

use std::{
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{Request, Response};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::Service;
use weft_proto::{Hedging, Methods};

use super::{
    attempt::{MOST_ATTEMPTS, Pushback, Taken, Template, UnseenAttempts},
    budget::Budget,
    kept::Kept,
};
use crate::{BoxError, Ids, config::ClientOptions};

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

impl Policy {
    /// Between nothing and the exponential bound, evenly (full jitter).
    fn backoff(&self, attempt: u32) -> Duration {
        let bound = self.initial_backoff.saturating_mul(1 << (attempt - 1).min(16)).min(self.max_backoff);
        bound.mul_f64(self.ids.fraction())
    }
}

impl<S, M> Retrying<S, M> {
    pub(crate) fn new(inner: S, methods: M, options: &ClientOptions, ids: Ids) -> Self {
        let policy = Policy {
            max_attempts: options.max_attempts.clamp(1, MOST_ATTEMPTS),
            initial_backoff: options.initial_backoff,
            max_backoff: options.max_backoff,
            budget: Budget::full(),
            ids,
        };
        Self { inner, methods, policy: Arc::new(policy) }
    }
}

impl<S, M> Service<Request<Body>> for Retrying<S, M>
where
    M: Deref<Target = Methods>,
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send + Unpin,
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
        let (repeatable, hedging) = (method.is_retryable(), method.hedging.clone());
        let (mut inner, policy) = (self.inner.clone(), Arc::clone(&self.policy));
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match Kept::read(body).await {
                Ok(Kept::Whole(body)) => {
                    let template = Template::new(parts, body);
                    Call::new(&policy, inner, template, repeatable, hedging).run().await
                }
                Ok(Kept::TooLarge(body)) => {
                    std::future::poll_fn(|context| inner.poll_ready(context)).await?;
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

/// A call that may take several attempts, and those that are under way.
struct Call<'a, S: Service<Request<Body>>> {
    policy: &'a Policy,
    inner: S,
    template: Template,
    repeatable: bool,
    hedging: Option<Hedging>,
    /// Where the attempts of a hedged call went.
    taken: Option<Taken>,
    /// With the call these are dropped, and so reset: whoever is slower than the answer need not go on.
    running: Vec<S::Future>,
    begun: u32,
    next: Option<Next>,
    /// What a server has said of the next attempt.
    not_before: Option<Instant>,
    unseen: UnseenAttempts,
    /// The last answer that is none, if nothing better comes.
    refusal: Option<Response<Body>>,
}

/// When the next attempt begins.
struct Next {
    at: Instant,
    /// Whether nothing has failed: those that run only take long.
    beside: bool,
}

impl<'a, S> Call<'a, S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError>,
    S::Future: Unpin,
{
    fn new(
        policy: &'a Policy,
        inner: S,
        template: Template,
        repeatable: bool,
        hedging: Option<Hedging>,
    ) -> Self {
        Self {
            policy,
            inner,
            template,
            repeatable,
            taken: hedging.is_some().then(Taken::default),
            hedging,
            running: Vec::with_capacity(1),
            begun: 0,
            next: None,
            not_before: None,
            unseen: UnseenAttempts::default(),
            refusal: None,
        }
    }

    async fn run(mut self) -> Result<Response<Body>, BoxError> {
        self.begin().await?;
        loop {
            let next = self.next.as_ref().map(|next| next.at);
            tokio::select! {
                biased;
                answer = first(&mut self.running) => {
                    if let Some(last) = self.hear(answer?) {
                        if let Some(taken) = &self.taken {
                            taken.set_answered();
                        }
                        return Ok(last);
                    }
                }
                () = until(next) => self.go_on().await?,
            }
            if let (true, None, Some(_)) = (self.running.is_empty(), &self.next, &self.refusal) {
                return Ok(self.refusal.take().expect("it was looked at"));
            }
        }
    }

    /// Begins an attempt, and says when the next one begins beside it.
    async fn begin(&mut self) -> Result<(), BoxError> {
        std::future::poll_fn(|context| self.inner.poll_ready(context)).await?;
        let request = self.template.request(self.begun, self.taken.as_ref());
        self.running.push(self.inner.call(request));
        self.begun += 1;
        let most = self.hedging.as_ref().filter(|hedging| {
            self.running.len() < hedging.max_concurrent_attempts as usize
                && self.begun < self.policy.max_attempts
        });
        self.next = most.map(|hedging| self.after(hedging.delay, true));
        Ok(())
    }

    fn after(&self, pause: Duration, beside: bool) -> Next {
        let at = Instant::now() + pause;
        Next { at: self.not_before.map_or(at, |not_before| at.max(not_before)), beside }
    }

    async fn go_on(&mut self) -> Result<(), BoxError> {
        let Some(next) = self.next.take() else { return Ok(()) };
        if next.beside && !self.policy.budget.may_hedge() {
            return Ok(());
        }
        self.begin().await
    }

    /// An attempt was answered; whether that is what the caller gets.
    fn hear(&mut self, response: Response<Body>) -> Option<Response<Body>> {
        // Neither the budget nor the number of attempts is about what no service has seen.
        if response.extensions().get().is_some_and(|how| self.unseen.may_repeat(*how)) {
            self.begun -= 1;
            self.next = Some(self.after(Duration::ZERO, false));
            return None;
        }
        if !self.repeatable {
            return Some(response);
        }
        let budget = &self.policy.budget;
        // Only an answer without a body may be thrown away: once a message came, it is final.
        let refused = Status::from_header_map(response.headers())
            .is_some_and(|status| self.is_non_fatal(status.code()));
        if response.extensions().get::<Shunned>().is_some() {
            self.next = None;
        } else if refused {
            self.next = budget.failed().then(|| self.again(Pushback::of(&response))).flatten();
        } else {
            budget.succeeded();
            return Some(response);
        }
        self.refusal = Some(response);
        None
    }

    fn is_non_fatal(&self, code: Code) -> bool {
        self.hedging.as_ref().map_or(code == Code::Unavailable, |hedging| hedging.is_non_fatal(code))
    }

    /// When it is tried again after a failure.
    fn again(&mut self, pushback: Pushback) -> Option<Next> {
        if self.begun >= self.policy.max_attempts {
            return None;
        }
        let pause = match pushback {
            Pushback::Stop => return None,
            Pushback::After(pause) => {
                self.not_before = Some(Instant::now() + pause);
                pause
            }
            // Another attempt runs: this one is replaced. Where nothing runs, they all have failed.
            Pushback::None if !self.running.is_empty() => Duration::ZERO,
            Pushback::None => self.policy.backoff(self.begun),
        };
        Some(self.after(pause, false))
    }
}

/// The first answer of those that run.
async fn first<F: Future + Unpin>(running: &mut Vec<F>) -> F::Output {
    std::future::poll_fn(|context| {
        for at in 0..running.len() {
            if let Poll::Ready(answer) = Pin::new(&mut running[at]).poll(context) {
                drop(running.swap_remove(at));
                return Poll::Ready(answer);
            }
        }
        Poll::Pending
    })
    .await
}

/// Waits for that time, for ever if there is none.
async fn until(time: Option<Instant>) {
    match time {
        None => std::future::pending().await,
        // What is due needs no timer, which would be a millisecond late.
        Some(time) if time <= Instant::now() => {}
        Some(time) => tokio::time::sleep_until(time).await,
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Mutex};

    use bytes::Bytes;
    use http_body_util::BodyExt;
    use tower::{ServiceExt, service_fn};

    use super::{
        super::{kept::whole, unseen::Unseen},
        *,
    };
    use crate::Peer;

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
            Peer::new(service),
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
}
