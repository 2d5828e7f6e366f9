//! GetStatistics: counts over the whole graph, made once for each revision.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::graph::v1::{GetStatisticsRequest, GraphStatistics};

use crate::{Error, domain::query::statistics, live::blocking, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<GetStatisticsRequest>,
) -> Result<GraphStatistics, Error> {
    let live = state.graphs.get(&call.message.graph).await?;
    let (made, table, bytes) = live
        .read(|content| {
            (content.statistics.get().cloned(), content.memory.table().clone(), content.graph_bytes())
        })
        .await?;
    if let Some(made) = made {
        return Ok(GraphStatistics::clone(&made));
    }
    // On a snapshot: nobody waits.
    let made = Arc::new(blocking(move || statistics(&table, bytes)).await?);
    let keep = Arc::clone(&made);
    live.read(move |content| {
        if content.revision() == keep.revision {
            content.statistics.get_or_init(|| keep);
        }
    })
    .await?;
    Ok(GraphStatistics::clone(&made))
}
