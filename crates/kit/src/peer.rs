//! One type for whatever a generated client talks to: a service in this process or far away.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tonic::body::Body;
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

/// What can go wrong below gRPC.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A cloneable way to call gRPC methods: `GraphServiceClient<Peer>` is the client of a local and
/// of a remote service alike.
#[derive(Clone)]
pub struct Peer(BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>);

impl Peer {
    /// Wraps a service that answers gRPC requests: a server stack of this process, or a channel.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self(BoxCloneSyncService::new(service.map_err(Into::into)))
    }
}

impl Service<http::Request<Body>> for Peer {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Peer")
    }
}
