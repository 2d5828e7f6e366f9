//! GetNeighborhood: what is within k steps.

use weft_kit::Call;
use weft_proto::weft::graph::v1::{GetNeighborhoodRequest, GetNeighborhoodResponse};

use super::node_not_found;
use crate::{
    Error,
    domain::query::{Steps, neighborhood},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<GetNeighborhoodRequest>,
) -> Result<GetNeighborhoodResponse, Error> {
    let request = call.message;
    let live = state.graphs.get(&request.graph).await?;
    let max_nodes = match request.max_nodes {
        0 => 1_000,
        asked => asked.clamp(1, 5_000) as usize,
    };
    live.read_long(move |content| {
        let mut starts = Vec::with_capacity(request.keys.len());
        for (index, key) in request.keys.iter().enumerate() {
            let found = content.memory.find_node(key);
            starts.push(found.ok_or_else(|| node_not_found(format!("keys[{index}]"), key))?);
        }
        let steps = Steps::new(&content.memory, request.direction(), &request.edge_types);
        let found = neighborhood(&steps, &starts, request.depth.max(1) as u32, max_nodes);
        let (nodes, distances) =
            found.nodes.into_iter().map(|(node, distance)| (node, distance as i32)).unzip();
        Ok(GetNeighborhoodResponse { nodes, distances, edges: found.edges, truncated: found.truncated })
    })
    .await?
}
