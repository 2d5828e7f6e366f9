//! FindShortestPath: a shortest path between two nodes.

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::graph::v1::{FindShortestPathRequest, FindShortestPathResponse};

use super::node_not_found;
use crate::{
    Error,
    domain::query::{Budget, Steps, shortest_path},
    live::Content,
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<FindShortestPathRequest>,
) -> Result<FindShortestPathResponse, Error> {
    let request = call.message;
    let live = state.graphs.get(&request.graph).await?;
    live.read_long(move |content| find(content, &request)).await?
}

fn find(content: &Content, request: &FindShortestPathRequest) -> Result<FindShortestPathResponse, Error> {
    let memory = &content.memory;
    let table = memory.table();
    let node = |field: &str, key: &str| memory.find_node(key).ok_or_else(|| node_not_found(field, key));
    let (source, target) = (node("source", &request.source)?, node("target", &request.target)?);
    let steps = Steps::new(memory, request.direction(), &request.edge_types);
    let Some(path) = shortest_path(&steps, source, target, request.weighted) else {
        return Ok(FindShortestPathResponse::default());
    };
    let mut budget = Budget::default();
    let mut response = FindShortestPathResponse { found: true, length: path.length, ..Default::default() };
    for node in path.nodes.iter().filter_map(|ordinal| table.node(*ordinal)) {
        let node = node.to_message();
        if !budget.take(node.encoded_len()) {
            return Err(too_long(path.edges.len()));
        }
        response.nodes.push(node);
    }
    for edge in path.edges.iter().filter_map(|slot| table.edge(*slot)) {
        let edge = table.edge_message(edge);
        if !budget.take(edge.encoded_len()) {
            return Err(too_long(path.edges.len()));
        }
        response.edges.push(edge);
    }
    Ok(response)
}

fn too_long(edges: usize) -> Error {
    Error::Quota {
        reason: "PATH_TOO_LONG",
        subject: "path".into(),
        description: format!("the shortest path has {edges} edges, more than fit into one answer"),
        passes: false,
    }
}
