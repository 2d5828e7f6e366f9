//! What the service holds, and every RPC works on.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Notify;
use weft_bus::Bus;
use weft_kit::{Clock, Ids, Lifecycle, Peer};
use weft_members::Sharing;
use weft_proto::weft::graph::v1::graph_service_client::GraphServiceClient;
use weft_store::{ExecutionStore, KeptResultStore, ProjectObjectStore, StoreError, objects::Objects};

use crate::{
    Options,
    definitions::Definitions,
    engine::{Engines, Meter, Parts, Room},
    kept::Kept,
    kinds::{Databases, Outside, Sandbox, Web},
    objects::ProjectObjects,
    placement::{Placement, SHARDS},
    secrets::Secrets,
};

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where executions are kept.
    pub store: Arc<dyn ExecutionStore>,
    /// Where it is kept which objects projects have.
    pub project_objects: Arc<dyn ProjectObjectStore>,
    /// What steps gave.
    pub kept_results: Arc<dyn KeptResultStore>,
    /// Where large values, and the bytes of projects' objects, are kept.
    pub objects: Objects,
    /// Tells other services that executions have ended, and that messages were published.
    pub bus: Arc<dyn Bus>,
    /// The graph service, called in the name of this one.
    pub graph: Peer,
    /// The services that steps may call, by the full names of their contracts, called in the name of this one.
    pub services: HashMap<String, Peer>,
    /// The identity service, called in the name of this one: it opens secrets.
    pub identity: Peer,
    /// How executions are shared with other processes over the same store; nothing where this one is alone with it.
    pub sharing: Option<Sharing>,
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
    pub(crate) project_objects: Arc<ProjectObjects>,
    pub(crate) kept: Arc<Kept>,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) engines: Engines,
    /// Who has which shard; nothing where this process has all.
    pub(crate) placement: Option<Placement>,
    /// What is counted of workers.
    pub(crate) meter: Arc<Meter>,
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
    pub(crate) async fn open(options: Options, deps: Deps) -> Result<Self, StoreError> {
        let is_alone = deps.sharing.is_none();
        let shards = deps.store.execution_shards(if is_alone { 1 } else { SHARDS }).await?;
        let graph = GraphServiceClient::new(deps.graph);
        let definitions = Arc::new(Definitions::new(Arc::clone(&deps.store), graph));
        let web = Web::new(&options.http_networks, options.step_timeout, options.max_value_bytes);
        let life = deps.lifecycle.clone();
        let databases = Databases::new(&options.http_networks, options.max_value_bytes, life);
        databases.start();
        let sandbox = Sandbox::new(&options);
        let stores = (deps.project_objects, deps.objects.clone());
        let own = (deps.clock.clone(), deps.ids.clone());
        let project_objects = ProjectObjects::new(&options, stores, own, deps.lifecycle.clone());
        let kept = Arc::new(Kept::new(deps.kept_results, &options, deps.clock.clone()));
        let secrets = Secrets::new(deps.identity);
        let meter = Arc::new(Meter::default());
        let ended = Arc::new(Notify::new());
        let published = Arc::new(Notify::new());
        let owner = deps.sharing.as_ref().map_or_else(|| deps.ids.uuid(), |sharing| sharing.uid);
        let parts = Parts {
            meter: Arc::clone(&meter),
            ended: Arc::clone(&ended),
            published: Arc::clone(&published),
            shard: 0,
            shards,
            is_alone,
            owner,
            room: Arc::new(Room::new(&options)),
            options: options.clone(),
            store: Arc::clone(&deps.store),
            objects: deps.objects.clone(),
            definitions: Arc::clone(&definitions),
            outside: Arc::new(Outside {
                services: deps.services,
                web,
                databases,
                secrets,
                sandbox,
                objects: Arc::clone(&project_objects),
                most_bytes: options.max_value_bytes,
            }),
            kept: Arc::clone(&kept),
            clock: deps.clock.clone(),
            ids: deps.ids.clone(),
            lifecycle: deps.lifecycle.clone(),
        };
        let engines = Engines::start(&parts);
        let placement = deps.sharing.map(|sharing| Placement::new(sharing, deps.clock.clone(), &options));
        Ok(Self {
            options,
            store: deps.store,
            objects: deps.objects,
            project_objects,
            kept,
            definitions,
            engines,
            placement,
            meter,
            bus: deps.bus,
            ended,
            published,
            clock: deps.clock,
            ids: deps.ids,
            lifecycle: deps.lifecycle,
        })
    }
}
