//! The services behind a pipeline, found by name.

use std::{convert::Infallible, sync::Arc};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::{body::Body, server::NamedService};
use tower::Service;

use crate::respond::{Cloned, Respond, Responding};

/// What answers the calls of a service.
pub(super) type Handler = Arc<dyn Respond<Infallible>>;

/// The generated servers of some services.
#[derive(Clone)]
pub struct Services {
    named: Vec<(&'static str, Handler)>,
    /// What answers for all others.
    others: Option<Handler>,
}

impl Services {
    /// Only this one.
    pub fn new<S: Server>(server: S) -> Self {
        Self { named: Vec::new(), others: None }.and(server)
    }

    /// Adds one.
    #[must_use]
    pub fn and<S: Server>(mut self, server: S) -> Self {
        self.named.push((S::NAME, Arc::new(Generated(server))));
        self
    }

    /// A single one for every name: of services that were not known when this was compiled.
    pub fn all<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        Self { named: Vec::new(), others: Some(Arc::new(Cloned(service))) }
    }

    /// What answers the calls of the service with this full name.
    pub(super) fn get(&self, name: &str) -> Option<&Handler> {
        self.named
            .iter()
            .find(|(named, _)| *named == name)
            .map(|(_, handler)| handler)
            .or(self.others.as_ref())
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.named.iter().map(|(name, _)| name)).finish()
    }
}

/// A server as it is generated from a contract: ready at any time, and with its future in a box already.
pub trait Server:
    Service<
        Request<Body>,
        Response = Response<Body>,
        Error = Infallible,
        Future = BoxFuture<'static, Result<Response<Body>, Infallible>>,
    > + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Server for S where
    S: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future = BoxFuture<'static, Result<Response<Body>, Infallible>>,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}

struct Generated<S>(S);

impl<S: Server> Respond<Infallible> for Generated<S> {
    fn respond(&self, request: Request<Body>) -> Responding<Infallible> {
        self.0.clone().call(request)
    }
}
