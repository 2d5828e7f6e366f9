//! Who answers: the services behind the gateway, and what is done to every way to one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use tonic::{Status, body::Body};
use tower::ServiceExt;
use weft_kit::{BoxError, Peer, Problem};

/// The services that the gateway serves: full name (`weft.graph.v1.GraphService`) to peer. Clones share them: every
/// connection and every request has one.
#[derive(Clone, Debug, Default)]
pub struct Upstreams(Arc<HashMap<String, Upstream>>);

/// A service that the gateway serves.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    pub(crate) peer: Peer,
    /// Whether it ends with the gateway, and ends its streams itself then.
    pub(crate) is_local: bool,
}

impl Upstreams {
    /// No services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service that may go on when the gateway ends; a later one of the same name takes its place.
    pub fn with(self, service: impl Into<String>, peer: Peer) -> Self {
        self.and(service.into(), Upstream { peer, is_local: false })
    }

    /// Adds a service behind a [`Pipeline`](weft_kit::server::Pipeline) of this process and its lifecycle; a later one of the
    /// same name takes its place.
    pub fn with_local(self, service: impl Into<String>, peer: Peer) -> Self {
        self.and(service.into(), Upstream { peer, is_local: true })
    }

    fn and(mut self, service: String, upstream: Upstream) -> Self {
        Arc::make_mut(&mut self.0).insert(service, upstream);
        self
    }

    pub(crate) fn get(&self, service: &str) -> Option<&Upstream> {
        self.0.get(service)
    }
}

/// A peer as the gateway's own calls need it: streams that break off are errors, and what went
/// wrong on the way is a status.
pub(crate) fn caller(peer: &Peer, client_streaming: bool) -> Peer {
    let peer = peer.clone().map_err(|error: BoxError| BoxError::from(unreachable_service(error.as_ref())));
    if client_streaming {
        Peer::new(peer.map_request(|request: http::Request<Body>| request.map(never_whole)))
    } else {
        Peer::new(peer)
    }
}

/// A request's body whose breaking off is an error of its own. A gRPC server may take the error
/// "cancelled" for the end of a stream (tonic does), and half an upload for a whole one.
pub(crate) fn never_whole(body: Body) -> Body {
    Body::new(body.map_err(|error| {
        tracing::debug!(%error, "a client's stream broke off");
        Status::aborted("the client is gone")
    }))
}

/// The status of a service that could not be asked at all. What the way to it says is for the
/// log, unless it is a status.
pub(crate) fn unreachable_service(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Status {
    if let Some(status) = error.downcast_ref::<Status>() {
        return status.clone();
    }
    tracing::warn!(error, "a service could not be reached");
    Problem::unavailable("SERVICE_UNREACHABLE", "the service cannot be reached")
        .retry_after(Duration::from_secs(1))
        .into()
}
