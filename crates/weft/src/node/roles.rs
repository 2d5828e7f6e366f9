//! The table of services. To add one: write its `start`, and add its row.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use futures::future::{BoxFuture, FutureExt};
use tonic::codec::CompressionEncoding;
use weft_agent::AgentService;
use weft_command::CommandService;
use weft_compute::ComputeService;
use weft_execution::{ExecutionService, ObjectService, WorkerService};
use weft_graph::{GraphService, SourceService};
use weft_identity::IdentityService;
use weft_kit::{
    Peer,
    client::{Onward, remote},
    server::{Guards, Pipeline, Services},
};
use weft_telemetry::TelemetryService;
use weft_trigger::TriggerService;

use super::{Assembly, port::Directory};

/// One row: a service that a process can run.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// Its name on the command line and in `peers`.
    pub name: &'static str,
    /// The gRPC services that it answers.
    pub services: &'static [&'static str],
    start: Option<Start>,
}

/// Opens a service and gives its servers.
type Start = for<'a> fn(&'a Assembly) -> BoxFuture<'a, Result<Services>>;

/// Everything that `weft serve` can run and `weft up` does run.
pub const ROLES: [Role; 9] = [
    Role {
        name: "identity",
        services: &["weft.identity.v1.IdentityService", "weft.identity.v1.SecretService"],
        start: Some(identity),
    },
    Role {
        name: "graph",
        services: &["weft.graph.v1.GraphService", "weft.graph.v1.SourceService"],
        start: Some(graph),
    },
    Role {
        name: "compute",
        services: &["weft.compute.v1.LayoutService", "weft.compute.v1.AnalysisService"],
        start: Some(compute),
    },
    Role {
        name: "agent",
        services: &[
            "weft.agent.v1.AgentService",
            "weft.agent.v1.CollectorService",
            "weft.agent.v1.HostService",
        ],
        start: Some(agent),
    },
    Role {
        name: "command",
        services: &["weft.command.v1.CommandService", "weft.command.v1.WorkerService"],
        start: Some(command),
    },
    Role {
        name: "execution",
        services: &[
            "weft.execution.v1.ExecutionService",
            "weft.execution.v1.ObjectService",
            "weft.execution.v1.WorkerService",
        ],
        start: Some(execution),
    },
    Role {
        name: "telemetry",
        services: &[
            "weft.telemetry.v1.TelemetryService",
            "weft.telemetry.v1.AlertService",
            "weft.telemetry.v1.LogService",
            "weft.telemetry.v1.TraceService",
        ],
        start: Some(telemetry),
    },
    Role { name: "trigger", services: &["weft.trigger.v1.TriggerService"], start: Some(trigger) },
    // The edge is made last, because it hands everything on; it only tells what it serves.
    Role { name: "gateway", services: &["weft.gateway.v1.GatewayService"], start: None },
];

/// The rows with these names.
pub(crate) fn find(names: &[&str]) -> Result<Vec<&'static Role>> {
    if names.is_empty() {
        bail!("name at least one service: {}", all_names());
    }
    names
        .iter()
        .map(|name| {
            ROLES
                .iter()
                .find(|role| role.name == *name)
                .with_context(|| format!("there is no service {name}; there are {}", all_names()))
        })
        .collect()
}

fn all_names() -> String {
    ROLES.map(|role| role.name).join(", ")
}

/// Starts one service and makes it known, behind all stages of the runtime.
pub(crate) async fn start(
    role: &Role,
    node: &Assembly,
    guards: &Guards,
    directory: &mut Directory,
) -> Result<()> {
    let Some(start) = role.start else {
        for service in role.services {
            directory.insert(service, node.peers.lazy(role.name));
        }
        return Ok(());
    };
    let services = start(node).await?;
    let peer = Peer::shared(Pipeline::new(&services, weft_proto::methods(), guards.clone()));
    node.peers.insert(role.name, peer.clone());
    for service in role.services {
        directory.insert(service, peer.clone());
    }
    Ok(())
}

/// The generated server of a service: it reads compressed messages, none larger than configured.
macro_rules! server {
    ($node:expr, $service:expr) => {
        $service
            .into_server()
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size($node.config.limits.max_message_bytes)
    };
}

fn identity(node: &Assembly) -> BoxFuture<'_, Result<Services>> {
    async {
        let deps = weft_identity::Deps {
            store: node.storage.stores.identity.clone(),
            secrets: node.storage.stores.secret.clone(),
            mesh_secret: node.mesh_secret,
            clock: node.clock.clone(),
            ids: node.ids.clone(),
            lifecycle: node.lifecycle.clone(),
        };
        let service = IdentityService::open(node.config.identity.clone(), deps).await?;
        let secrets = service.secrets();
        Ok(Services::new(server!(node, service)).and(server!(node, secrets)))
    }
    .boxed()
}

fn graph(node: &Assembly) -> BoxFuture<'_, Result<Services>> {
    async {
        let deps = weft_graph::Deps {
            store: node.storage.stores.graph.clone(),
            bus: node.storage.bus.clone(),
            clock: node.clock.clone(),
            ids: node.ids.clone(),
            lifecycle: node.lifecycle.clone(),
            metrics: node.metrics.clone(),
        };
        let service = GraphService::open(node.config.graph.clone(), deps)?;
        let sources = SourceService::new(&service, node.storage.stores.source.clone());
        Ok(Services::new(server!(node, service)).and(server!(node, sources)))
    }
    .boxed()
}

fn compute(node: &Assembly) -> BoxFuture<'_, Result<Services>> {
    async {
        let deps = weft_compute::Deps {
            store: node.storage.stores.layout.clone(),
            analyses: node.storage.stores.analysis.clone(),
            objects: node.storage.objects.clone(),
            graph: node.peer("compute", "graph"),
            sharing: sharing(node, "compute").map(|members| {
                let store = node.storage.stores.placement.clone();
                weft_compute::Sharing { members, store }
            }),
            clock: node.clock.clone(),
            ids: node.ids.clone(),
            lifecycle: node.lifecycle.clone(),
        };
        let service = ComputeService::open(node.config.compute.clone(), deps)?;
        service.register_metrics(&node.metrics);
        let analyses = service.analyses();
        Ok(Services::new(server!(node, service)).and(server!(node, analyses)))
    }
    .boxed()
}

/// How this process shares the work of a service with others; nothing where it is alone, because a SQLite file is one process's.
fn sharing(node: &Assembly, service: &'static str) -> Option<weft_members::Sharing> {
    if node.storage.stores.database.describe().starts_with("sqlite:") {
        return None;
    }
    let (client, ids, lifecycle) = (node.config.client.clone(), node.ids.clone(), node.lifecycle.clone());
    Some(weft_members::Sharing {
        store: node.storage.stores.member.clone(),
        service,
        uid: node.ids.uuid(),
        address: node.advertised(),
        dial: Arc::new(move |address| {
            remote(address, weft_proto::methods(), &client, ids.clone(), &lifecycle).map(Onward::peer)
        }),
    })
}

fn agent(node: &Assembly) -> BoxFuture<'_, Result<Services>> {
    async {
        let deps = weft_agent::Deps {
            store: node.storage.stores.agent.clone(),
            bus: node.storage.bus.clone(),
            identity: node.peer("agent", "identity"),
            commands: node.peer("agent", "command"),
            mesh_secret: node.mesh_secret,
            clock: node.clock.clone(),
            ids: node.ids.clone(),
            lifecycle: node.lifecycle.clone(),
        };
        let service = AgentService::open(node.config.agent.clone(), deps).await?;
        let hosts = service.hosts();
        let collectors = service.collectors();
        Ok(Services::new(server!(node, service)).and(server!(node, hosts)).and(server!(node, collectors)))
    }
    .boxed()
}

fn command(node: &Assembly) -> BoxFuture<'_, Result<Services>> {
    async {
        let deps = weft_command::Deps {
            store: node.storage.stores.command.clone(),
            jobs: node.storage.stores.jobs.clone(),
            agents: node.peer("command", "agent"),
            mesh_secret: node.mesh_secret,
            clock: node.clock.clone(),
            ids: node.ids.clone(),
            lifecycle: node.lifecycle.clone(),
        };
        let service = CommandService::open(node.config.command.clone(), deps);
        let workers = service.workers();
        Ok(Services::new(server!(node, service)).and(server!(node, workers)))
    }
    .boxed()
}

fn execution(node: &Assembly) -> BoxFuture<'_, Result<Services>> {
    async {
        let services = ROLES.iter().flat_map(|role| {
            role.services.iter().map(|service| ((*service).to_owned(), node.peer("execution", role.name)))
        });
        let deps = weft_execution::Deps {
            store: node.storage.stores.execution.clone(),
            project_objects: node.storage.stores.object.clone(),
            kept_results: node.storage.stores.kept_result.clone(),
            objects: node.storage.objects.clone(),
            bus: node.storage.bus.clone(),
            graph: node.peer("execution", "graph"),
            services: services.collect(),
            identity: node.peer("execution", "identity"),
            sharing: sharing(node, "execution"),
            clock: node.clock.clone(),
            ids: node.ids.clone(),
            lifecycle: node.lifecycle.clone(),
        };
        let service = ExecutionService::open(node.config.execution.clone(), deps).await?;
        service.register_metrics(&node.metrics);
        let (objects, workers) = (ObjectService::new(&service), WorkerService::new(&service));
        Ok(Services::new(server!(node, service)).and(server!(node, objects)).and(server!(node, workers)))
    }
    .boxed()
}

fn trigger(node: &Assembly) -> BoxFuture<'_, Result<Services>> {
    async {
        let deps = weft_trigger::Deps {
            store: node.storage.stores.trigger.clone(),
            executions: node.peer("trigger", "execution"),
            graphs: node.peer("trigger", "graph"),
            alerts: node.peer("trigger", "telemetry"),
            bus: node.storage.bus.clone(),
            mesh_secret: node.mesh_secret,
            owner: node.ids.uuid().to_string(),
            clock: node.clock.clone(),
            ids: node.ids.clone(),
            lifecycle: node.lifecycle.clone(),
            metrics: node.metrics.clone(),
        };
        let service = TriggerService::open(node.config.trigger.clone(), deps);
        Ok(Services::new(server!(node, service)))
    }
    .boxed()
}

fn telemetry(node: &Assembly) -> BoxFuture<'_, Result<Services>> {
    async {
        // A SQLite file is one process's alone.
        let is_alone = node.storage.stores.database.describe().starts_with("sqlite:");
        let owner = if is_alone { "this database's process".to_owned() } else { node.ids.uuid().to_string() };
        let deps = weft_telemetry::Deps {
            store: node.storage.stores.telemetry.clone(),
            alerts: node.storage.stores.alert.clone(),
            objects: node.storage.objects.clone(),
            bus: node.storage.bus.clone(),
            mesh_secret: node.mesh_secret,
            owner,
            clock: node.clock.clone(),
            ids: node.ids.clone(),
            lifecycle: node.lifecycle.clone(),
        };
        let service = TelemetryService::open(node.config.telemetry.clone(), deps);
        let (alerts, logs, traces) = (service.alerts(), service.logs(), service.traces());
        Ok(Services::new(server!(node, service))
            .and(server!(node, alerts))
            .and(server!(node, logs))
            .and(server!(node, traces)))
    }
    .boxed()
}
