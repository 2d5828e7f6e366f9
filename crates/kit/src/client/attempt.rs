//! One attempt of a call that may take several: its request, and what its answer says of another one.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, request::Parts};
use tokio::time::Instant;
use tonic::body::Body;

use super::{health::Verdict, kept::whole, outgoing::grpc_timeout, unseen::Unseen};
use crate::timeout;

/// gRFC A6: more attempts than this are not made, whatever is configured.
pub(super) const MOST_ATTEMPTS: u32 = 5;

/// A request as it is sent with each attempt.
pub(super) struct Template {
    parts: Parts,
    body: Bytes,
    begun: Instant,
}

impl Template {
    pub(super) fn new(parts: Parts, body: Bytes) -> Self {
        Self { parts, body, begun: Instant::now() }
    }

    /// The request of the attempt after `before` others.
    pub(super) fn request(&self, before: u32, taken: Option<&Taken>) -> Request<Body> {
        let mut request = Request::from_parts(self.parts.clone(), whole(self.body.clone()));
        if let Some(taken) = taken {
            request.extensions_mut().insert(taken.clone());
        }
        if before > 0 {
            let headers = request.headers_mut();
            headers.insert("grpc-previous-rpc-attempts", HeaderValue::from(before));
            // The time is the call's, not the attempt's.
            let asked = headers.get("grpc-timeout").and_then(|time| timeout::parse_grpc(time.to_str().ok()?));
            if let Some(deadline) = asked.and_then(|time| self.begun.checked_add(time)) {
                headers.insert("grpc-timeout", grpc_timeout(deadline));
            }
        }
        request
    }
}

/// Which connections the attempts of one call have taken, so that the next one takes another; among the
/// extensions of their requests.
#[derive(Clone, Default)]
pub(super) struct Taken(Arc<Attempts>);

#[derive(Default)]
struct Attempts {
    ways: Mutex<Vec<Way>>,
    is_answered: AtomicBool,
}

/// A connection: its address, and which of those to it.
type Way = (Option<SocketAddr>, usize);

impl Taken {
    pub(super) fn add(&self, way: Way) {
        self.lock().push(way);
    }

    /// How little is new in `way`: its address, the connection, or nothing. Less is better.
    pub(super) fn overlap(&self, way: Way) -> u8 {
        let taken = self.lock();
        if taken.contains(&way) { 2 } else { u8::from(taken.iter().any(|(address, _)| *address == way.0)) }
    }

    /// The call has its answer: attempts that still run were overtaken.
    pub(super) fn set_answered(&self) {
        self.0.is_answered.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Way>> {
        self.0.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells, when it is dropped without an answer, whether that was because another attempt was faster. A process
/// that hangs is found out so: nobody waits until it fails.
pub(super) struct Overtaken {
    taken: Taken,
    verdict: Option<Verdict>,
}

impl Overtaken {
    pub(super) fn new(taken: Taken, verdict: Verdict) -> Self {
        Self { taken, verdict: Some(verdict) }
    }

    /// It has an answer of its own.
    pub(super) fn answered(mut self) {
        self.verdict = None;
    }
}

impl Drop for Overtaken {
    fn drop(&mut self) {
        if let Some(verdict) = self.verdict.take()
            && self.taken.0.is_answered.load(Ordering::Acquire)
        {
            verdict.answered(true);
        }
    }
}

/// Attempts of one call that no service has seen.
#[derive(Default)]
pub(super) struct UnseenAttempts {
    closing: u32,
    refused: bool,
}

impl UnseenAttempts {
    /// Whether the call is made again. gRFC A6: once where a server has refused it, so that one which
    /// refuses everything is not asked for ever. A connection that is closing can be found only once, so
    /// there only our own bound counts.
    pub(super) fn may_repeat(&mut self, how: Unseen) -> bool {
        match how {
            Unseen::Closing => {
                self.closing += 1;
                self.closing < MOST_ATTEMPTS
            }
            Unseen::Refused => !std::mem::replace(&mut self.refused, true),
        }
    }
}

/// What a server says of another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    /// Nothing.
    None,
    /// Not before so long.
    After(Duration),
    /// Never.
    Stop,
}

impl Pushback {
    /// What stands in `grpc-retry-pushback-ms`: a pause, or (negative or unreadable) never.
    pub(super) fn of(response: &Response<Body>) -> Self {
        match response.headers().get("grpc-retry-pushback-ms") {
            None => Self::None,
            Some(value) => match value.to_str().ok().and_then(|text| text.parse::<u64>().ok()) {
                Some(millis) => Self::After(Duration::from_millis(millis.min(60_000))),
                None => Self::Stop,
            },
        }
    }
}
