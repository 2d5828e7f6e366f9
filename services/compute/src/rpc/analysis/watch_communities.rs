//! WatchCommunities: the communities of a graph, while it changes.

use std::{sync::Arc, time::Duration};

use futures::Stream;
use weft_kit::Call;
use weft_proto::weft::compute::v1::{WatchCommunitiesRequest, watch_communities_response::Event};

use crate::{
    Error,
    communities::{Groups, watch},
    domain::name::GraphName,
};

/// Longest time between two tellings that can be asked for.
const LONGEST: Duration = Duration::from_hours(1);

pub(crate) async fn handle(
    groups: &Arc<Groups>,
    call: Call<WatchCommunitiesRequest>,
) -> Result<impl Stream<Item = Result<Event, Error>> + Send + use<>, Error> {
    let WatchCommunitiesRequest { graph, resolution, min_interval } = call.message;
    GraphName::parse(&graph, "graph")?;
    let interval = Duration::try_from(min_interval.unwrap_or_default()).ok();
    let interval = interval
        .filter(|interval| *interval <= LONGEST)
        .ok_or_else(|| Error::bad_field("min_interval", "must be from 0 to an hour"))?;
    let watcher = watch(groups, graph, resolution.unwrap_or(1.0), interval).await?;
    Ok(watcher.into_stream())
}
