//! Who watches gets a seat, and the first of them a keeper.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::{
    groups::{Groups, Wish},
    keeper,
    watcher::{Rhythm, Watcher},
};
use crate::Error;

/// After this long without anything else a client is given a sign of life.
const SILENCE: Duration = Duration::from_secs(15);

/// A stream of the communities of a graph, as it changes.
///
/// # Errors
/// There is no such graph, or it is too large; too many watch, or too many graphs are watched; the process is ending.
pub(crate) async fn watch(
    groups: &Arc<Groups>,
    graph: String,
    resolution: f64,
    interval: Duration,
) -> Result<Watcher, Error> {
    let found = groups.analyses.find_graph(&graph).await?;
    let uid = Uuid::parse_str(&found.uid)
        .map_err(|_| Error::GraphUnavailable("it gave a graph without an identity".into()))?;
    let (nodes, edges) = (found.node_count.max(0) as usize, found.edge_count.max(0) as usize);
    groups.analyses.options.check_size(&graph, nodes, edges)?;
    let mib = groups.analyses.check_memory(&graph, &keeper::algorithm(), nodes, edges)?;
    let wish = Wish { interval, at_least: found.revision };
    let (seat, is_first) = groups.seat(graph, uid, (resolution, mib), wish)?;
    if is_first {
        let keeping = keeper::run(Arc::clone(groups), Arc::clone(&seat.group));
        groups.analyses.lifecycle.spawn_future(keeping);
    }
    Ok(Watcher::new(
        seat.group.graph.clone(),
        seat.group.news.subscribe(),
        Rhythm { interval, silence: SILENCE },
        found.revision,
        groups.analyses.lifecycle.draining_token(),
        Box::new(seat),
    ))
}
