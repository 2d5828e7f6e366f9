//! One type for whatever a generated client talks to: a service in this process or far away.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tonic::body::Body;
use tower::Service;

use crate::respond::{Cloned, Respond, Responding};

/// What can go wrong below gRPC.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A cloneable way to call gRPC methods: `GraphServiceClient<Peer>` is the client of a local and
/// of a remote service alike.
#[derive(Clone)]
pub struct Peer(Arc<dyn Respond<BoxError>>);

impl Peer {
    /// Wraps a service that answers gRPC requests, for example a channel.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self::shared(Cloned(service))
    }

    /// Wraps what many may call at once: a server stack of this process.
    pub fn shared(service: impl Respond<BoxError>) -> Self {
        Self(Arc::new(service))
    }
}

impl Service<http::Request<Body>> for Peer {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Responding<BoxError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.respond(request)
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Peer")
    }
}
