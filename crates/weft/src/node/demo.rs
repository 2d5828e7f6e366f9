//! The graph that ships with the program.

use anyhow::{Context, Result};
use tonic::Code;
use weft_proto::weft::graph::v1::{
    CreateGraphRequest, GetGraphRequest, Graph, GraphKind, ImportBegin, ImportMode,
};

use super::Node;
use crate::client::{Connection, GraphClient, Upload, import};

/// Its name.
const NAME: &str = "projects/default/graphs/debian";
const NODES: &[u8] = include_bytes!("../../demo/debian.nodes.tsv.gz");
const EDGES: &[u8] = include_bytes!("../../demo/debian.edges.tsv.gz");

/// Brings it in through the same door as everybody else, if it is not there yet.
pub(super) async fn bring(node: &Node) -> Result<()> {
    let admin = node.admin.as_ref().context("the demo needs the identity service in this node")?;
    let connection = Connection::to_peer(node.peers.lazy("graph"), &admin.secret)?;
    let mut client = connection.graph();
    match client.get_graph(GetGraphRequest { name: NAME.into() }).await {
        Ok(graph) if graph.get_ref().node_count > 0 => return Ok(()),
        Ok(_) => {}
        Err(status) if status.code() == Code::NotFound => create(&mut client).await?,
        Err(status) => return Err(status.into()),
    }
    let begin = ImportBegin {
        graph: NAME.into(),
        mode: ImportMode::Replace.into(),
        default_node_type: "package".into(),
        ..ImportBegin::default()
    };
    let files = vec![
        Upload::from_memory("debian.nodes.tsv.gz", NODES),
        Upload::from_memory("debian.edges.tsv.gz", EDGES),
    ];
    let result = import(&mut client, begin, files, |_| {}).await?;
    tracing::info!(
        graph = NAME,
        nodes = result.created_node_count,
        edges = result.created_edge_count,
        "brought in the demo"
    );
    Ok(())
}

async fn create(client: &mut GraphClient) -> Result<()> {
    let graph = Graph {
        display_name: "Debian 12 packages".into(),
        description: "Which binary package of Debian 12 needs which: 63,436 packages, 291,952 relations"
            .into(),
        kind: GraphKind::Knowledge.into(),
        ..Graph::default()
    };
    let request = CreateGraphRequest {
        parent: "projects/default".into(),
        graph_id: "debian".into(),
        graph: Some(graph),
        request_id: String::new(),
    };
    client.create_graph(request).await?;
    Ok(())
}
