//! What the service holds, and every RPC works on.

use std::{cell::Cell, sync::Arc};

use bytes::Bytes;
use tokio::sync::{Notify, OnceCell, watch};
use tonic::Status;
use weft_bus::Bus;
use weft_kit::{Caller, Clock, Ids, Lifecycle, Peer, metrics::Metrics, server::authorise};
use weft_proto::weft::{
    execution::v1::{FindExecutionEndsRequest, execution_service_client::ExecutionServiceClient},
    graph::v1::graph_service_client::GraphServiceClient,
    telemetry::v1::alert_service_client::AlertServiceClient,
};
use weft_store::{Timestamp, TriggerRow, TriggerStore};

use crate::{
    Options,
    domain::{delivery::Maker, trigger::Keeper},
    intake::Intake,
    limits::Limits,
    looks::{Looks, Page},
    meter::Meter,
    news::News,
    pending::Dispatcher,
    ready::Readies,
    refusals::Refusals,
    room::Room,
    seal::Seal,
};

/// The method that starts a run.
const CREATE: &str = "/weft.execution.v1.ExecutionService/CreateExecution";
/// The topic of the bus that names triggers which watch something and were changed: the bytes of their identity.
pub(crate) const WATCHING: &str = "trigger.watching";

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where triggers are kept.
    pub store: Arc<dyn TriggerStore>,
    /// The execution service, called in the name of this one.
    pub executions: Peer,
    /// The graph service, called in the name of this one.
    pub graphs: Peer,
    /// The alert service, called in the name of this one.
    pub alerts: Peer,
    /// Wakes what watches.
    pub bus: Arc<dyn Bus>,
    /// The mesh's secret: what seals secrets and makes tokens is derived from it.
    pub mesh_secret: [u8; 32],
    /// Who has the ticks, for the store: a name that no process has which may run at the same time.
    pub owner: String,
    /// The time.
    pub clock: Clock,
    /// New identities.
    pub ids: Ids,
    /// The process's life.
    pub lifecycle: Lifecycle,
    /// Where webhooks are counted.
    pub metrics: Metrics,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Deps").finish_non_exhaustive()
    }
}

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn TriggerStore>,
    pub(crate) executions: ExecutionServiceClient<Peer>,
    pub(crate) graphs: GraphServiceClient<Peer>,
    pub(crate) alerts: AlertServiceClient<Peer>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) seal: Seal,
    pub(crate) owner: String,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) readies: Readies,
    pub(crate) intake: Intake,
    pub(crate) dispatcher: Dispatcher,
    /// How often webhooks may be called.
    pub(crate) limits: Limits,
    pub(crate) meter: Meter,
    /// Wakes those who watch deliveries.
    pub(crate) news: News,
    /// What they look at.
    pub(crate) looks: Looks<Page>,
    pub(crate) lifecycle: Lifecycle,
    /// Which refusals are noted.
    pub(crate) refusals: Refusals,
    /// What was kept since it was last trimmed.
    pub(crate) room: Room,
    /// A trigger of this process has another next tick now.
    pub(crate) rescheduled: Notify,
    /// The epoch in which this process has the triggers; 0 while it has not.
    pub(crate) epoch: watch::Sender<i64>,
    /// How many shards the executions are in, once it was asked.
    shards: OnceCell<i32>,
}

impl State {
    pub(crate) fn open(options: Options, deps: Deps) -> Self {
        let meter = Meter::default();
        deps.metrics.register("trigger", |registry| meter.register(registry));
        Self {
            dispatcher: Dispatcher::new(options.max_waiting),
            options,
            store: deps.store,
            executions: ExecutionServiceClient::new(deps.executions),
            graphs: GraphServiceClient::new(deps.graphs),
            alerts: AlertServiceClient::new(deps.alerts),
            bus: deps.bus,
            seal: Seal::new(&deps.mesh_secret),
            owner: deps.owner,
            clock: deps.clock,
            ids: deps.ids,
            readies: Readies::new(),
            intake: Intake::new(),
            limits: Limits::new(),
            meter,
            news: News::new(),
            looks: Looks::new(),
            lifecycle: deps.lifecycle,
            refusals: Refusals::new(),
            room: Room::default(),
            rescheduled: Notify::new(),
            epoch: watch::Sender::new(0),
            shards: OnceCell::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// How many shards the executions are in: what has happened is counted in each for itself, and a project is in one.
    pub(crate) async fn shards(&self) -> Result<i32, Status> {
        let ask = async || {
            let told =
                self.executions.clone().find_execution_ends(FindExecutionEndsRequest::default()).await?;
            Ok(told.into_inner().shard_count)
        };
        self.shards.get_or_try_init(ask).await.copied()
    }

    /// What makes deliveries of this moment.
    pub(crate) fn maker(&self) -> Maker<'_> {
        Maker {
            ids: &self.ids,
            now: self.now(),
            retention: self.options.delivery_retention,
            made: Cell::new(0),
        }
    }

    /// What looks at triggers of a project.
    pub(crate) fn keeper<'k>(&'k self, project: &'k str, created: Timestamp) -> Keeper<'k> {
        Keeper { seal: &self.seal, ids: &self.ids, project, created: created.as_micros() }
    }

    /// Makes a change of a trigger count.
    pub(crate) async fn changed(&self, row: &TriggerRow) {
        self.readies.forget(row);
        self.rescheduled.notify_one();
        if row.place.is_some() {
            let uid = Bytes::copy_from_slice(row.uid.as_bytes());
            if let Err(error) = self.bus.publish(WATCHING, uid).await {
                tracing::warn!(%error, "a change of a trigger was not told; it counts once the bus is back");
            }
        }
    }
}

/// Whether somebody may start runs in a project.
///
/// # Errors
/// Why not, as the execution service would say it.
pub(crate) fn may_start(caller: &Caller, project: &str) -> Result<(), Status> {
    may(caller, CREATE, &format!("projects/{project}"))
}

/// Whether somebody may call a method about a resource.
///
/// # Errors
/// Why not, as its service would say it.
pub(crate) fn may(caller: &Caller, method: &str, resource: &str) -> Result<(), Status> {
    let method = weft_proto::methods().get(method);
    let method = method.ok_or_else(|| Status::internal("this mesh has no such method"))?;
    authorise(method, caller, Some(resource))
}
