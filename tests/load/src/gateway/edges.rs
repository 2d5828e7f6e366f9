//! What is measured: a service with two edges in front of it, and a mesh that has its edge inside.

use std::{fs, path::Path};

use anyhow::Result;
use weft_tests::{graphs, process::Process};

use super::envoy::Envoy;

/// The graph that is asked for.
const GRAPH: &str = "g";

/// Where calls go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge<'a> {
    /// `127.0.0.1:43210`.
    pub(super) address: &'a str,
    /// An API key of the mesh behind it.
    pub(super) key: &'a str,
}

/// All processes of a run. They end when this is dropped.
pub(super) struct Edges {
    /// Everything in one process.
    whole: Process,
    /// Identity and graph, for both of the following.
    _service: Process,
    gateway: Process,
    envoy: Envoy,
    addresses: [String; 3],
    keys: [String; 3],
}

impl Edges {
    pub(super) async fn start(folder: &Path, envoy: &Path) -> Result<Self> {
        let mut whole = Process::up(&folder.join("whole"));
        whole.start();
        graphs::create(&whole.client(), GRAPH).await;

        let mut service = Process::serve(&folder.join("service"), &["identity", "graph"]);
        service.start();
        graphs::create(&service.client(), GRAPH).await;

        let data = folder.join("gateway");
        fs::create_dir(&data)?;
        fs::copy(folder.join("service/mesh.key"), data.join("mesh.key"))?;
        let mut gateway = Process::serve(&data, &["gateway"]);
        for peer in ["IDENTITY", "GRAPH", "COMPUTE"] {
            gateway = gateway.set(&format!("PEERS__{peer}"), &service.url());
        }
        gateway.start();

        let envoy = Envoy::start(envoy, folder, &service.file().address).await?;
        let addresses = [gateway.file().address, whole.file().address, envoy.address.clone()];
        let keys = [service.key(), whole.key(), service.key()];
        Ok(Self { whole, _service: service, gateway, envoy, addresses, keys })
    }

    /// Our gateway alone, our gateway with the service in its process, Envoy.
    pub(super) fn all(&self) -> [Edge<'_>; 3] {
        std::array::from_fn(|which| Edge { address: &self.addresses[which], key: &self.keys[which] })
    }

    /// The most memory that our gateway and Envoy have had, in MB.
    pub(super) fn memory(&self) -> (f64, f64) {
        (self.gateway.peak_memory() as f64, self.envoy.peak_memory())
    }

    pub(super) fn stop(mut self) {
        self.gateway.kill();
        self.whole.kill();
    }
}
