//! GetNode: one node by its key.

use weft_kit::Call;
use weft_proto::weft::graph::v1::{GetNodeRequest, Node};

use super::node_not_found;
use crate::{Error, domain::memory::NodeRef, state::State};

pub(crate) async fn handle(state: &State, call: Call<GetNodeRequest>) -> Result<Node, Error> {
    let GetNodeRequest { graph, key } = call.message;
    let live = state.graphs.get(&graph).await?;
    live.read(move |content| {
        let ordinal = content.memory.find_node(&key);
        let node = ordinal.and_then(|ordinal| content.memory.table().node(ordinal));
        node.map(NodeRef::to_message).ok_or_else(|| node_not_found("key", &key))
    })
    .await?
}
