//! What is measured: a service with two edges in front of it, and a mesh that has its edge inside.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;
use prost_types::{Struct, Value, value::Kind};
use weft_proto::weft::graph::v1::Node;
use weft_tests::{graphs, process::Process};

use super::envoy::Envoy;

/// The node that is asked for.
pub(super) const GRAPH: &str = "projects/p/graphs/g";
pub(super) const NODE: &str = "libstdc++6";

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
        fill(&whole).await;

        let mut service = Process::serve(&folder.join("service"), &["identity", "graph"]);
        service.start();
        fill(&service).await;

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

/// Makes the graph, with a node like those of the Debian graph.
async fn fill(mesh: &Process) {
    let client = mesh.client();
    graphs::create(&client, "g").await;
    let texts = [("section", "libs"), ("version", "14.2.0-19"), ("maintainer", "Debian GCC Maintainers")];
    let text = |value: &str| Value { kind: Some(Kind::StringValue(value.to_owned())) };
    let mut fields: BTreeMap<_, _> =
        texts.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect();
    fields.insert("installed_size".into(), Value { kind: Some(Kind::NumberValue(2_732.0)) });
    let node = Node {
        key: NODE.into(),
        r#type: "package".into(),
        display_name: "GNU Standard C++ Library v3".into(),
        properties: Some(Struct { fields }.into()),
        ..Node::default()
    };
    graphs::apply(&client, GRAPH, vec![graphs::put_node(node)]).await;
}
