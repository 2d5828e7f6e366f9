//! Finding services by name.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::{Status, body::Body};
use tower::Service;

use crate::{BoxError, Peer, Problem};

/// The services that this process can reach, by short name ("graph", "identity"). Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<RwLock<HashMap<String, Peer>>>);

impl Peers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says where a service is.
    pub fn insert(&self, name: &str, peer: Peer) {
        self.0.write().expect("nobody panics with it").insert(name.to_owned(), peer);
    }

    /// Where a service is, if that is known now.
    pub fn get(&self, name: &str) -> Option<Peer> {
        self.0.read().expect("nobody panics with it").get(name).cloned()
    }

    /// A peer that looks the service up at each call, so that services may be put together in any
    /// order and may call each other in a circle. A call to one that nobody inserted is UNAVAILABLE.
    pub fn lazy(&self, name: &str) -> Peer {
        Peer::new(Lazy { peers: self.clone(), name: Arc::from(name) })
    }
}

#[derive(Clone)]
struct Lazy {
    peers: Peers,
    name: Arc<str>,
}

impl Service<Request<Body>> for Lazy {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(mut peer) = self.peers.get(&self.name) else {
            let status: Status =
                Problem::unavailable("NO_PEER", format!("this process does not know where {} is", self.name))
                    .retry_after(Duration::from_secs(1))
                    .into();
            return Box::pin(std::future::ready(Ok(status.into_http())));
        };
        Box::pin(async move {
            std::future::poll_fn(|context| peer.poll_ready(context)).await?;
            peer.call(request).await
        })
    }
}
