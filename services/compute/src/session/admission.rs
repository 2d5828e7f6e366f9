//! Whether there is memory for one more layout, before it is brought in.

use std::{sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;
use weft_proto::weft::graph::v1::GetGraphRequest;

use super::{Layouts, NoRoom, Session, live};

/// How long the size of a graph is waited for. Who follows the graph waits longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a node: its key and place in the copy of the graph, and what the simulation, two snapshots and the states that
/// frames build on have of it.
const NODE: u64 = 500;
/// Bytes of an edge, in the copy, in the simulation and in the coarser graphs that it is sketched by.
const EDGE: u64 = 160;
const MIB: u64 = 1 << 20;

/// What a layout of a graph of that size will take, in MiB: an estimate from above.
fn estimate(nodes: u64, edges: u64) -> u32 {
    let bytes = nodes.saturating_mul(NODE).saturating_add(edges.saturating_mul(EDGE));
    u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX).max(1)
}

/// Memory for a session, for as long as it lives. Layouts at rest that nobody needs make room.
///
/// # Errors
/// There is not enough.
pub(super) async fn admit(
    layouts: &Arc<Layouts>,
    session: &Arc<Session>,
) -> Result<OwnedSemaphorePermit, NoRoom> {
    let limit = layouts.options.layout_memory_mib;
    let needed = size(layouts, session).await.map_or(1, |(nodes, edges)| estimate(nodes, edges));
    loop {
        if let Ok(memory) = Arc::clone(&layouts.memory).try_acquire_many_owned(needed) {
            return Ok(memory);
        }
        let free = layouts.memory.available_permits();
        let missing = (needed as usize).saturating_sub(free);
        if missing == 0 {
            // It was given free a moment ago.
            tokio::task::yield_now().await;
            continue;
        }
        let unneeded = if needed <= limit { layouts.evict(session, missing) } else { None };
        let Some(unneeded) = unneeded else {
            let free = free as u64;
            return Err(NoRoom { needed: needed.into(), free, limit: limit.into() });
        };
        unneeded.over.cancelled().await;
    }
}

/// Nodes and edges of a session's graph, if that is known soon.
async fn size(layouts: &Layouts, session: &Session) -> Option<(u64, u64)> {
    let name = live::name(&session.live.borrow().row).graph.to_string();
    let mut client = layouts.graph.clone();
    let asked = tokio::time::timeout(PATIENCE, client.get_graph(GetGraphRequest { name }));
    let graph = asked.await.ok()?.ok()?.into_inner();
    Some((graph.node_count.max(0).cast_unsigned(), graph.edge_count.max(0).cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_grow_with_the_graph_and_stay_in_range() {
        assert_eq!(estimate(0, 0), 1);
        assert_eq!(estimate(250_000, 1_000_000), 272);
        assert_eq!(estimate(u64::MAX, u64::MAX), u32::MAX);
    }
}
