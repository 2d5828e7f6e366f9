//! UnpinNodes: lets pinned nodes go.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{UnpinNodesRequest, UnpinNodesResponse};

use super::{node, pin};
use crate::{
    Error,
    session::{Layouts, command::Command},
};

pub(crate) async fn handle(
    layouts: &Arc<Layouts>,
    call: Call<UnpinNodesRequest>,
) -> Result<UnpinNodesResponse, Error> {
    let UnpinNodesRequest { name, nodes } = call.message;
    let session = super::session(layouts, &name).await?;
    session.loaded().await?;
    let place = |(at, node)| Ok(node::placement(&session, node, &format!("nodes[{at}]"))?.0);
    let ordinals = nodes.iter().enumerate().map(place).collect::<Result<Vec<u32>, Error>>()?;
    let some = (!ordinals.is_empty()).then(|| ordinals.clone());
    let answer = session.ask(|answer| Command::Unpin { nodes: some, answer }).await?;
    let pinned = pin::accepted(layouts, &name, &ordinals, answer)?;
    session.write_pins(&*layouts.store, layouts.now()).await?;
    Ok(UnpinNodesResponse { pinned_count: pinned })
}
