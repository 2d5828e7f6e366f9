//! What the service holds, and every RPC works on.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Notify;
use weft_bus::Bus;
use weft_kit::{Clock, Ids, Lifecycle, Peer};
use weft_proto::weft::graph::v1::graph_service_client::GraphServiceClient;
use weft_store::{ExecutionStore, objects::Objects};

use crate::{
    Options,
    definitions::Definitions,
    engine::{Engine, Parts},
    kinds::{Outside, Web},
    secrets::Secrets,
};

/// The shard that executions are in.
pub(crate) const SHARD: i32 = 0;

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where executions are kept.
    pub store: Arc<dyn ExecutionStore>,
    /// Where large values are kept.
    pub objects: Objects,
    /// Tells other services that executions have ended, and that messages were published.
    pub bus: Arc<dyn Bus>,
    /// The graph service, called in the name of this one.
    pub graph: Peer,
    /// The services that steps may call, by the full names of their contracts, called in the name of this one.
    pub services: HashMap<String, Peer>,
    /// The identity service, called in the name of this one: it opens secrets.
    pub identity: Peer,
    /// The time.
    pub clock: Clock,
    /// New identities.
    pub ids: Ids,
    /// The process's life.
    pub lifecycle: Lifecycle,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Deps").finish_non_exhaustive()
    }
}

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn ExecutionStore>,
    pub(crate) objects: Objects,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) engine: Engine,
    pub(crate) bus: Arc<dyn Bus>,
    /// Executions have ended, and it is on disk.
    pub(crate) ended: Arc<Notify>,
    /// Messages were published, and they are on disk.
    pub(crate) published: Arc<Notify>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) lifecycle: Lifecycle,
}

impl State {
    pub(crate) fn open(options: Options, deps: Deps) -> Self {
        let graph = GraphServiceClient::new(deps.graph);
        let definitions = Arc::new(Definitions::new(Arc::clone(&deps.store), graph));
        let web = Web::new(&options.http_networks, options.step_timeout, options.max_value_bytes);
        let secrets = Secrets::new(deps.identity);
        let ended = Arc::new(Notify::new());
        let published = Arc::new(Notify::new());
        let engine = Engine::start(Parts {
            ended: Arc::clone(&ended),
            published: Arc::clone(&published),
            shard: SHARD,
            owner: deps.ids.short(),
            options: options.clone(),
            store: Arc::clone(&deps.store),
            objects: deps.objects.clone(),
            definitions: Arc::clone(&definitions),
            outside: Arc::new(Outside { services: deps.services, web, secrets }),
            clock: deps.clock.clone(),
            ids: deps.ids.clone(),
            lifecycle: deps.lifecycle.clone(),
        });
        Self {
            options,
            store: deps.store,
            objects: deps.objects,
            definitions,
            engine,
            bus: deps.bus,
            ended,
            published,
            clock: deps.clock,
            ids: deps.ids,
            lifecycle: deps.lifecycle,
        }
    }
}
