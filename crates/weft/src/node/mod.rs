//! A process of the mesh: which services run here, and where the others are.
//!
//! [`Node::start`] reads as a table of contents: keys, storage, guards, services, port. The
//! services are rows of the table in `roles`; adding one is adding a row.

mod demo;
mod files;
mod health;
mod port;
mod reload;
mod roles;
mod storage;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use futures::Stream;
use weft_gateway::Keeper;
use weft_kit::{
    Clock, Ids, Lifecycle, Peer, TaskKind,
    auth::{Authenticator, MeshIdentity, PeerIdentity, SigningKey, VerifyingKeys},
    client::{Outgoing, Peers, remote},
    config::{ConnectionOptions, Secret},
    metrics::Metrics,
    server::{Admin, Guards, Health, Listener, RateLimits},
};

use crate::{
    agent::OwnHost,
    config::{Config, Source},
};

pub use crate::node_file::NodeFile;
pub use roles::{ROLES, Role};

/// A running process of the mesh.
#[derive(Debug)]
pub struct Node {
    /// Base address of everything, for example `http://127.0.0.1:8080`.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The administrator's key, if this node has the identity service.
    pub admin: Option<AdminKey>,
    /// Its services, as this very process calls them.
    pub peers: Peers,
    lifecycle: Lifecycle,
    grace: Duration,
    /// What keeps the upstreams of the configuration, if this node has the gateway.
    keeper: Option<Keeper>,
    /// As it was at the start.
    config: Config,
    stores: weft_store::Stores,
    health: Health,
    file: PathBuf,
}

/// The administrator's key and where it is kept.
#[derive(Clone, Debug)]
pub struct AdminKey {
    /// The secret.
    pub secret: Secret,
    /// The file, readable by its owner only.
    pub file: PathBuf,
}

/// What the rows of the table need to start a service.
pub(crate) struct Assembly {
    pub(crate) config: Config,
    pub(crate) storage: storage::Storage,
    pub(crate) mesh_secret: [u8; 32],
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) metrics: Metrics,
    pub(crate) peers: Peers,
    pub(crate) health: Health,
    /// Where this process listens.
    pub(crate) address: SocketAddr,
}

impl Assembly {
    /// Where other processes of the same service reach this one.
    pub(crate) fn advertised(&self) -> String {
        let advertise = &self.config.server.advertise;
        if !advertise.is_empty() {
            return advertise.clone();
        }
        let scheme = if self.config.server.tls.is_on() { "https" } else { "http" };
        if !self.address.ip().is_unspecified() {
            return format!("{scheme}://{}", self.address);
        }
        let system = rustix::system::uname();
        format!("{scheme}://{}:{}", system.nodename().to_string_lossy(), self.address.port())
    }

    /// The service `name` (here or far away) as `caller` calls it.
    pub(crate) fn peer(&self, caller: &str, name: &str) -> Peer {
        Outgoing::peer(self.peers.lazy(name), self.mesh_identity(caller))
    }

    fn mesh_identity(&self, service: &str) -> MeshIdentity {
        MeshIdentity::new(
            service,
            SigningKey::from_seed(&self.mesh_secret),
            self.clock.clone(),
            self.ids.clone(),
        )
    }
}

impl Node {
    /// Starts the services `names` (all of them for `weft up`) in this process.
    ///
    /// # Errors
    /// A name that is no service, a port that is taken, a database that cannot be opened, and
    /// whatever else keeps it from working: half a node does not start.
    pub async fn start(config: Config, names: &[&str]) -> Result<Self> {
        let roles = roles::find(names)?;
        // The port first: if it is taken, nothing has been touched.
        let listener = Listener::bind(&config.listen, server(&config, &roles))
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_address()?;
        let agents_listener = agents_listener(&config, &roles).await?;
        let otlp_listeners = otlp_listeners(&config, &roles).await?;

        files::prepare_folder(&config.data)?;
        let with_identity = roles.iter().any(|role| role.name == "identity");
        let mesh_secret = files::mesh_secret(&config, with_identity)?;
        let storage = storage::open(&config).await?;
        let node = Assembly {
            storage,
            mesh_secret,
            clock: Clock::system(),
            ids: Ids::system(),
            lifecycle: Lifecycle::new(),
            metrics: Metrics::new(),
            peers: Peers::new(),
            health: Health::new(),
            address,
            config,
        };
        let admin = if with_identity { Some(files::administrator(&node).await?) } else { None };

        node.connect_remote_peers(&roles)?;
        let guards = node.guards();
        let mut directory = port::Directory::default();
        for role in &roles {
            roles::start(role, &node, &guards, &mut directory)
                .await
                .with_context(|| format!("the service {} cannot start", role.name))?;
        }
        let reflection = directory.add_infrastructure(&node.health, &guards);
        health::start(&node, &roles);

        let with_gateway = roles.iter().any(|role| role.name == "gateway");
        let ports = port::service(&node, &directory, &guards, with_gateway.then_some(reflection))?;
        let service = Admin::in_front_of(ports.service, node.health.clone(), node.metrics.clone());
        node.serve(listener.counted(&node.metrics), service);
        let mut agents_address = None;
        let mut otlp_addresses = Vec::new();
        if let (Some(listener), Some(service)) = (agents_listener, ports.agents) {
            agents_address = Some(listener.local_address()?);
            node.serve(listener, service);
        }
        if let Some(service) = ports.otlp {
            for listener in otlp_listeners {
                let address = listener.local_address()?;
                tracing::info!(%address, "listening for OTLP");
                otlp_addresses.push(address);
                node.serve(listener, service.clone());
            }
        }
        let key_file = admin.as_ref().map(|admin| admin.file.clone());
        let scheme = if node.config.server.tls.is_on() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        NodeFile::new(url.clone(), address, agents_address, &otlp_addresses, key_file)
            .write(&node.config.data)?;
        tracing::info!(%address, ?agents_address, services = ?names, database = node.storage.stores.database.describe(), "listening");
        Ok(Self {
            url,
            address,
            admin,
            peers: node.peers,
            lifecycle: node.lifecycle,
            grace: node.config.server.drain_grace,
            keeper: ports.keeper,
            config: node.config.clone(),
            stores: node.storage.stores,
            health: node.health,
            file: NodeFile::path(&node.config.data),
        })
    }

    /// Brings in the graph that ships with the program, if it is not there yet.
    ///
    /// # Errors
    /// The graph service refuses it.
    pub async fn bring_demo(&self) -> Result<()> {
        demo::bring(self).await
    }

    /// Runs an agent for this host in this process, if the configuration has one and this node has an administrator.
    /// The host joins by itself.
    pub fn watch_own_host(&self) {
        let options = &self.config.host_agent;
        let Some(admin) = self.admin.as_ref().filter(|_| options.enabled) else { return };
        let own = OwnHost {
            home: self.config.data.join("host-agent"),
            project: options.project.clone(),
            url: self.url.clone(),
            peers: self.peers.clone(),
            admin: admin.secret.clone(),
        };
        self.lifecycle.spawn("host-agent", TaskKind::Background, move |life| {
            let own = own.clone();
            // Its own end must not be the mesh's.
            async move { own.run(life.draining_token().child_token()).await.map_err(|error| format!("{error:#}")) }
        });
    }

    /// A way into the console that is good once: an address with a ticket in it.
    ///
    /// # Errors
    /// This node has no identity service, or it does not answer.
    pub async fn sign_in_link(&self) -> Result<String> {
        let admin = self.admin.as_ref().context("this node has no identity service")?;
        let mut client = weft_proto::weft::identity::v1::identity_service_client::IdentityServiceClient::new(
            self.peers.lazy("identity"),
        );
        let mut request = tonic::Request::new(weft_proto::weft::identity::v1::CreateTicketRequest::default());
        request.metadata_mut().insert("authorization", format!("Bearer {}", admin.secret.reveal()).parse()?);
        let ticket = client.create_ticket(request).await?.into_inner().ticket;
        Ok(format!("{}/#ticket={ticket}", self.url))
    }

    /// Follows the configuration from now on: what can change while the node runs does so within a second of
    /// a change of its file, or at once where `hangups` says so (SIGHUP).
    pub fn follow(&self, source: Source, hangups: impl Stream<Item = ()> + Send + 'static) {
        reload::start(self, source, hangups);
    }

    /// Waits until the node begins to end by itself: an essential part of it failed.
    pub async fn failed(&self) {
        self.lifecycle.draining().await;
    }

    /// Ends the node in order: nothing new, what runs may finish, and the database is closed.
    pub async fn shut_down(self) {
        self.health.set_all_not_ready();
        self.lifecycle.shut_down(self.grace).await;
        self.stores.database.close().await;
        // It says where this node listens, which is nowhere now.
        if let Err(error) = std::fs::remove_file(&self.file) {
            tracing::debug!(%error, "weft.json could not be removed");
        }
    }
}

/// The port for agents, if there is to be one.
/// How the port is served. Only gateways call one without a gateway: what their clients make them do is no reason to
/// keep all of them out.
fn server(config: &Config, roles: &[&Role]) -> ConnectionOptions {
    let mut server = config.server.clone();
    if !roles.iter().any(|role| role.name == "gateway") {
        server.flood_pause = Duration::ZERO;
    }
    server
}

async fn agents_listener(config: &Config, roles: &[&Role]) -> Result<Option<Listener>> {
    let address = &config.gateway.agents_listen;
    if address.is_empty() || !roles.iter().any(|role| role.name == "gateway") {
        return Ok(None);
    }
    let listener = Listener::bind(address, config.server.clone()).await;
    listener.map(Some).with_context(|| format!("cannot listen on {address} for agents"))
}

/// The ports for OTLP, as many as there are to be.
async fn otlp_listeners(config: &Config, roles: &[&Role]) -> Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    if roles.iter().any(|role| role.name == "gateway") {
        for address in &config.gateway.otlp_listen {
            let listener = Listener::bind(address, config.server.clone()).await;
            listeners.push(listener.with_context(|| format!("cannot listen on {address} for OTLP"))?);
        }
    }
    Ok(listeners)
}

impl Assembly {
    /// Peers for the services that do not run here but are configured.
    fn connect_remote_peers(&self, local: &[&Role]) -> Result<()> {
        for (name, address) in &self.config.peers {
            anyhow::ensure!(
                ROLES.iter().any(|role| role.name == *name),
                "peers.{name}: there is no such service"
            );
            if local.iter().any(|role| role.name == *name) {
                continue;
            }
            let peer = remote(
                address,
                weft_proto::methods(),
                &self.config.client,
                self.ids.clone(),
                &self.lifecycle,
            )
            .map_err(|error| anyhow::anyhow!("peers.{name}: {error}"))?;
            self.peers.insert(name, peer);
        }
        Ok(())
    }

    fn guards(&self) -> Guards {
        let mesh_key = SigningKey::from_seed(&self.mesh_secret).public();
        let source = PeerIdentity(self.peer("runtime", "identity"));
        let authenticator =
            Authenticator::new(Arc::new(source), VerifyingKeys::new(&mesh_key), self.clock.clone());
        let rates = RateLimits::new(&self.config.limits.rate);
        let idle = rates.clone();
        self.lifecycle.spawn("rate-buckets", TaskKind::Background, move |life| {
            let idle = idle.clone();
            async move {
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_mins(1)) => idle.forget_idle(),
                        () = life.draining() => return Ok::<_, std::convert::Infallible>(()),
                    }
                }
            }
        });
        Guards {
            authenticator: Arc::new(authenticator),
            rates,
            limits: self.config.limits.clone(),
            metrics: self.metrics.clone(),
            ids: self.ids.clone(),
            lifecycle: self.lifecycle.clone(),
        }
    }

    fn serve(&self, listener: Listener, service: weft_kit::server::HttpService) {
        let (ids, lifecycle) = (self.ids.clone(), self.lifecycle.clone());
        self.lifecycle.spawn_future(async move { listener.serve(service, ids, lifecycle).await });
    }
}
