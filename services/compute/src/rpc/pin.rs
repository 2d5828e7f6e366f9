//! PinNodes: nodes that stay where they are put.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{PinNodesRequest, PinNodesResponse};

use super::node;
use crate::{
    Error,
    session::{
        Layouts,
        command::{Answer, Command, Refusal},
    },
};

pub(crate) async fn handle(
    layouts: &Arc<Layouts>,
    call: Call<PinNodesRequest>,
) -> Result<PinNodesResponse, Error> {
    let PinNodesRequest { name, nodes } = call.message;
    let session = super::session(layouts, &name).await?;
    session.loaded().await?;
    let place = |(at, node)| node::placement(&session, node, &format!("nodes[{at}]"));
    let placed = nodes.iter().enumerate().map(place).collect::<Result<Vec<_>, _>>()?;
    let ordinals: Vec<u32> = placed.iter().map(|(ordinal, _)| *ordinal).collect();
    let answer = session.ask(|answer| Command::Pin { nodes: placed, answer }).await?;
    let pinned = accepted(layouts, &name, &ordinals, answer)?;
    session.write_pins(&*layouts.store, layouts.now()).await?;
    Ok(PinNodesResponse { pinned_count: pinned })
}

/// How many are pinned now; or why nothing was done.
pub(super) fn accepted(
    layouts: &Layouts,
    name: &str,
    ordinals: &[u32],
    answer: Answer,
) -> Result<i64, Error> {
    answer.map(|pinned| pinned as i64).map_err(|refusal| match refusal {
        Refusal::UnknownNode(node) => {
            let at = ordinals.iter().position(|ordinal| *ordinal == node).unwrap_or(0);
            node::unknown(&format!("nodes[{at}]"), &node)
        }
        Refusal::TooManyPins => Error::Limit {
            reason: "TOO_MANY_PINS",
            subject: name.to_owned(),
            limit: layouts.options.max_pins as u64,
            what: "pinned nodes",
        },
    })
}
