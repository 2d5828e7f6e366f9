//! The mesh that is measured: all services in this process, on SQLite unless servers are named, with a client over a socket.

use std::path::PathBuf;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use weft::{
    config::Config,
    node::{Node, ROLES},
};
use weft_graph::FolderOptions;
use weft_kit::{
    Peer,
    config::{Rates, Secret},
};
use weft_proto::weft::{
    compute::v1::analysis_service_client::AnalysisServiceClient,
    graph::v1::{CreateGraphRequest, Graph, graph_service_client::GraphServiceClient},
};
use weft_tests::{database::Backends, runtime::signed};

/// A mesh in this process, and a client of it over a socket.
pub(crate) struct Mesh {
    node: Node,
    pub(crate) key: String,
    pub(crate) channel: Channel,
    folder: TempDir,
    config: Box<Config>,
}

impl Mesh {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_in(TempDir::new()?).await
    }

    /// The same over PostgreSQL and Redis.
    pub(crate) async fn over(backends: &Backends) -> Result<Self> {
        let mut config = Config::default();
        config.storage.database = Secret::new(backends.postgres.clone());
        config.storage.bus = Secret::new(backends.redis.clone());
        Self::start_with(config, TempDir::new()?).await
    }

    /// Ends it and starts it again on what it has kept, as after the death of its process: nothing is in
    /// memory any more.
    pub(crate) async fn restart(self) -> Result<Self> {
        self.restart_after(async || Ok(())).await
    }

    /// The same, with something done to what it has kept while it is not there.
    pub(crate) async fn restart_after(self, work: impl AsyncFnOnce() -> Result<()>) -> Result<Self> {
        self.node.shut_down().await;
        drop(self.channel);
        work().await?;
        Box::pin(Self::start_with(*self.config, self.folder)).await
    }

    /// The file of its database, where that is SQLite.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("weft.db")
    }

    async fn start_in(folder: TempDir) -> Result<Self> {
        Self::start_with(Config::default(), folder).await
    }

    async fn start_with(config: Config, folder: TempDir) -> Result<Self> {
        let mut config = Config { data: folder.path().to_owned(), listen: "127.0.0.1:0".into(), ..config };
        let notes = folder.path().join("notes");
        std::fs::create_dir_all(&notes)?;
        let open =
            FolderOptions { path: notes, projects: vec!["default".into()], ..FolderOptions::default() };
        config.graph.folders.insert("notes".into(), open);
        let unlimited = Rates { per_second: u32::MAX, burst: u32::MAX };
        let rate = &mut config.limits.rate;
        (rate.read, rate.write, rate.bulk, rate.stream) = (unlimited, unlimited, unlimited, unlimited);
        let again = Box::new(config.clone());
        // What a node is while it begins is large.
        let node = Box::pin(Node::start(config, &ROLES.map(|role| role.name))).await?;
        let key = node.admin.as_ref().context("it has the identity service")?.secret.reveal().to_owned();
        let channel =
            Endpoint::from_shared(format!("http://{}", node.address))?.tcp_nodelay(true).connect().await?;
        Ok(Self { node, key, channel, folder, config: again })
    }

    /// A folder that is open to sources.
    pub(crate) fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    /// Base address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.node.address)
    }

    /// The compute service, called without a socket.
    pub(crate) fn compute(&self) -> Peer {
        self.node.peers.lazy("compute")
    }

    pub(crate) fn graphs(&self) -> GraphServiceClient<Channel> {
        GraphServiceClient::new(self.channel.clone())
    }

    pub(crate) fn analyses(&self) -> AnalysisServiceClient<Channel> {
        AnalysisServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn create_graph(&self, id: &str) -> Result<String> {
        let request = CreateGraphRequest {
            parent: "projects/default".into(),
            graph_id: id.into(),
            graph: Some(Graph::default()),
            request_id: String::new(),
        };
        Ok(self.graphs().create_graph(signed(request, &self.key)).await?.into_inner().name)
    }

    pub(crate) async fn stop(self) {
        self.node.shut_down().await;
    }
}
