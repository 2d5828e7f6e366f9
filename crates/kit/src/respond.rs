//! Services that many call at once: a clone is a count, and a call is one future in one box.
//!
//! A service of tower is called by one at a time, so whoever shares one of an unknown type clones it for each request, and
//! each of its layers brings an allocation for the clone and another for its future. What is on the way of every request of
//! a process is shared instead.

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::{Service, ServiceExt};

/// What will become of a request.
pub type Responding<E> = BoxFuture<'static, Result<Response<Body>, E>>;

/// Answers requests of any number of tasks at once.
pub trait Respond<E>: Send + Sync + 'static {
    /// Answers a request.
    ///
    /// # Errors
    /// What went wrong below HTTP.
    fn respond(&self, request: Request<Body>) -> Responding<E>;
}

/// Any service of tower: each request has a clone of it, and waits until that is ready.
pub(crate) struct Cloned<S>(pub(crate) S);

impl<S, E> Respond<E> for Cloned<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
    S::Error: Into<E>,
    S::Future: Send + 'static,
{
    fn respond(&self, request: Request<Body>) -> Responding<E> {
        let service = self.0.clone();
        Box::pin(async move { service.oneshot(request).await.map_err(Into::into) })
    }
}
