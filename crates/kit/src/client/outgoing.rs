//! What every call between services carries: who calls, the trace, the request id, the deadline.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use tokio::time::Instant;
use tonic::body::Body;
use tower::Service;

use crate::{BoxError, Peer, auth::MeshIdentity, observe, server::CallContext};

/// A peer that is called in the name of a service of this mesh.
#[derive(Clone, Debug)]
pub struct Outgoing {
    peer: Peer,
    identity: MeshIdentity,
}

impl Outgoing {
    /// Calls `peer` as `identity`.
    pub fn peer(peer: Peer, identity: MeshIdentity) -> Peer {
        Peer::new(Self { peer, identity })
    }
}

impl Service<Request<Body>> for Outgoing {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.peer.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        let token = format!("Bearer {}", self.identity.token());
        let mut token = HeaderValue::try_from(token).expect("a token is base64url and dots");
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
        carry_on(headers);
        self.peer.call(request)
    }
}

/// The trace, the request id and the deadline of the call that is being answered.
pub(super) fn carry_on(headers: &mut HeaderMap) {
    if let Some(call) = CallContext::current() {
        headers.insert("traceparent", call.trace.header());
        headers.insert("x-request-id", call.request_id);
        if let (Some(deadline), false) = (call.deadline, headers.contains_key("grpc-timeout")) {
            headers.insert("grpc-timeout", grpc_timeout(deadline));
        }
    }
    observe::carry_trace(headers);
}

/// What is left until `deadline`, as `grpc-timeout` is written.
pub(super) fn grpc_timeout(deadline: Instant) -> HeaderValue {
    let left = deadline.saturating_duration_since(Instant::now());
    // Eight digits at most: microseconds reach 99 seconds, milliseconds a day.
    let text = match left.as_micros() {
        micros @ 0..=99_999_999 => format!("{micros}u"),
        _ => format!("{}m", left.as_millis().min(99_999_999)),
    };
    HeaderValue::try_from(text).expect("digits and a letter")
}
