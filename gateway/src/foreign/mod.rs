//! Services that weft was not built with: named in the configuration; added, changed and removed while the
//! gateway runs.
//!
//! `options` is what the configuration says of one. `source` gets its descriptors, from a file or by
//! `reflection`; `contracts` reads them within bounds, and gives every method the policy of the configuration;
//! `clash` finds names that are taken. `keeper` does all of this again and again, and puts what is good into the
//! gateway's tables; `routes` tells what is in them.
//!
//! The gateway guards these services itself, with the stages of every service of the mesh, because they know
//! none of our credentials.

mod clash;
mod contracts;
mod keeper;
mod options;
mod reflection;
mod routes;
mod source;

use std::sync::Arc;

use prost_reflect::DescriptorPool;
use tower::ServiceExt;
use weft_kit::{
    Peer,
    client::{Remote, Stranger},
    server::{Guards, Pipeline, Services},
};
use weft_proto::Methods;

pub(crate) use self::clash::check_paths;
use self::contracts::{Contracts, Mistake};
pub use self::{
    keeper::Keeper,
    options::{UpstreamAccess, UpstreamOptions},
};
use crate::upstream;

/// A service of somebody else, as it is served now.
#[derive(Debug)]
pub(crate) struct Foreign {
    /// Its name in the configuration.
    pub(crate) name: Arc<str>,
    /// Its contracts, in a world of their own: what others call by the same names are other things.
    pub(crate) pool: DescriptorPool,
    pub(crate) methods: Arc<Methods>,
    /// The way to it, with all that guards it.
    pub(crate) peer: Peer,
    /// The connections to it.
    pub(crate) remote: Remote,
}

impl Foreign {
    fn new(
        name: &Arc<str>,
        options: &UpstreamOptions,
        contracts: &Contracts,
        remote: &Remote,
        guards: &Guards,
    ) -> Result<Self, Mistake> {
        let methods = Arc::new(contracts.methods(options)?);
        let stranger = Stranger::peer(
            remote.peer(Arc::clone(&methods)),
            name,
            options.max_calls,
            options.max_calls_per_second,
            options.forward_credential,
        );
        let mut guards = guards.clone();
        guards.limits.max_call_duration = options.max_call_duration;
        let peer = Peer::shared(Pipeline::new(&all_to(stranger), &methods, guards));
        Ok(Self {
            name: Arc::clone(name),
            pool: contracts.pool.clone(),
            methods,
            peer,
            remote: remote.clone(),
        })
    }
}

/// Hands every method to `peer`; which there are is known before.
fn all_to(peer: Peer) -> Services {
    Services::all(tower::service_fn(move |request: http::Request<_>| {
        let peer = peer.clone();
        async move {
            let answered = peer.oneshot(request).await;
            let answer = answered.unwrap_or_else(|error| upstream::unreachable_service(&*error).into_http());
            Ok::<_, std::convert::Infallible>(answer)
        }
    }))
}
