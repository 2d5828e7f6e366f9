//! FindExecutionEnds: what has ended, in the order in which it was written down.

use std::collections::HashSet;

use weft_kit::Call;
use weft_proto::weft::execution::v1::{
    Execution, ExecutionEnd, FindExecutionEndsRequest, FindExecutionEndsResponse,
};
use weft_store::StoreError;

use crate::{Error, domain::message, state::State};

/// Ends that are looked at in one call.
const PAGE: u32 = 500;

pub(crate) async fn handle(
    state: &State,
    call: Call<FindExecutionEndsRequest>,
) -> Result<FindExecutionEndsResponse, Error> {
    let request = call.message;
    let (shard, shard_count) = (request.shard, state.engines.count());
    if state.engines.get(shard).is_none() {
        return Err(Error::field("shard", format!("must be below {shard_count}")));
    }
    let Some(after) = request.after_number else {
        let newest_number = state.store.execution_ends(shard, i64::MAX, 1).await?.newest;
        let last_number = newest_number;
        return Ok(FindExecutionEndsResponse {
            newest_number,
            last_number,
            shard_count,
            ..FindExecutionEndsResponse::default()
        });
    };
    let found = state.store.execution_ends(shard, after, PAGE).await?;
    // What was forgotten is before the first that there is, or all of it.
    let forgotten_number = match found.ends.first() {
        Some(first) if first.number > after + 1 => first.number - 1,
        None if found.newest > after => found.newest,
        _ => 0,
    };
    let last_number = found.ends.last().map_or(after.max(forgotten_number), |end| end.number);
    let wanted: HashSet<&str> =
        request.projects.iter().filter_map(|name| name.strip_prefix("projects/")).collect();
    let mut ends = Vec::new();
    for end in found.ends.iter().filter(|end| wanted.contains(&end.project[..])) {
        let mut execution = match state.store.get_execution(end.execution).await {
            Ok(row) => message::of_row(&row),
            Err(StoreError::NotFound { .. }) => {
                let graph = format!("projects/{}/graphs/{}", end.project, end.graph);
                Execution { graph, ..Execution::default() }
            }
            Err(error) => return Err(error.into()),
        };
        // It may have been retried since.
        execution.state = end.state;
        execution.end_time = Some(end.ended.into());
        ends.push(ExecutionEnd { number: end.number, execution: Some(execution) });
    }
    Ok(FindExecutionEndsResponse {
        ends,
        last_number,
        newest_number: found.newest,
        forgotten_number,
        shard_count,
    })
}
