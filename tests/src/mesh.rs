//! A whole mesh in this process, with a folder of its own.

use tempfile::TempDir;
use weft::{
    config::Config,
    node::{Node, ROLES},
};
use weft_kit::config::{RateOptions, Rates};

use crate::client::{Client, faults};

/// All services of a mesh in this very process, on SQLite.
#[derive(Debug)]
pub struct Mesh {
    node: Node,
    /// Base address.
    pub url: String,
    /// The administrator's key.
    pub key: String,
    data: TempDir,
}

impl Mesh {
    /// Starts one on a free port. Nobody is held back by rates: tests are in a hurry.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts one whose configuration was changed.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().expect("a folder can be made");
        let mut config =
            Config { data: data.path().into(), listen: "127.0.0.1:0".into(), ..Config::default() };
        config.limits.rate = without_rates();
        change(&mut config);
        // A process that begins is large.
        let node = async { Node::start(config, &ROLES.map(|role| role.name)).await };
        let node = Box::pin(node).await.expect("the mesh starts");
        let url = format!("http://{}", node.address);
        let key = node.admin.as_ref().expect("it has the identity service").secret.reveal().to_owned();
        Self { node, url, key, data }
    }

    /// Its data folder.
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// The administrator, on a connection of their own.
    pub fn client(&self) -> Client {
        Client::new(&self.url, Some(&self.key))
    }

    /// Its services, as this process calls them.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Checks that nothing that was done to it was a fault of ours, and ends it.
    pub async fn stop_unhurt(self) {
        let metrics = self.client().metrics().await;
        assert!(metrics.contains("grpc_server_handled_total"), "it counts its calls: {metrics}");
        assert_eq!(faults(&metrics), Vec::<&str>::new());
        self.node.shut_down().await;
    }
}

/// Rates that no test reaches.
pub fn without_rates() -> RateOptions {
    let free = Rates { per_second: 1_000_000, burst: 1_000_000 };
    RateOptions { read: free, write: free, bulk: free, stream: free, sign_in: free }
}
