//! Handing a call on to another process of the same service: in the name of whoever called.

use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

use super::outgoing::carry_on;
use crate::{BoxError, Peer, respond::Responding};

/// A peer that gets the trace, the request id and the deadline of the call that is being answered. The credential is
/// the request's own.
#[derive(Clone, Debug)]
pub struct Onward(Peer);

impl Onward {
    /// Hands calls on to `peer`.
    pub fn peer(peer: Peer) -> Peer {
        Peer::new(Self(peer))
    }
}

impl Service<Request<Body>> for Onward {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Responding<BoxError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        carry_on(request.headers_mut());
        self.0.call(request)
    }
}
