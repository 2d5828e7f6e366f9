//! ClearKeptResults.

use weft_kit::Call;
use weft_proto::weft::execution::v1::{ClearKeptResultsRequest, ClearKeptResultsResponse};
use weft_store::Areas;

use crate::{
    Error,
    domain::{cache, name},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<ClearKeptResultsRequest>,
) -> Result<ClearKeptResultsResponse, Error> {
    let ClearKeptResultsRequest { parent, graph, cache_name } = call.message;
    let project = name::project(&parent);
    if !graph.is_empty() && !cache_name.is_empty() {
        return Err(Error::field("cache_name", "must be empty where `graph` is given"));
    }
    let area = match name::graph(&graph) {
        Some((of, graph)) if of == project => cache::areas_of_graph(graph),
        Some(_) => return Err(Error::field("graph", "must be of the project of `parent`")),
        None => cache::area_of_name(&cache_name),
    };
    let areas = match (graph.is_empty(), cache_name.is_empty()) {
        (false, _) => Areas::Below(&area),
        (true, false) => Areas::One(&area),
        (true, true) => Areas::All,
    };
    let cleared = state.kept.clear(project, areas).await?;
    Ok(ClearKeptResultsResponse { cleared_count: i64::try_from(cleared).unwrap_or(i64::MAX) })
}
