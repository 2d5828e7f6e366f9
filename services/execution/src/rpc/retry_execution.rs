//! RetryExecution: from what failed, or from a step; with the graph as it was, or as it is.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::execution::v1::{Execution, RetryExecutionRequest};

use super::{control, find};
use crate::{
    Error,
    engine::{Asked, Newest},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<RetryExecutionRequest>) -> Result<Execution, Error> {
    let RetryExecutionRequest { name, from_step, newest_graph, request_id } = call.message;
    let row = find::row(state, &name).await?;
    let once = super::once(&call.caller.name, &request_id);
    if let Some(once) = &once
        && find::see(state, &row, {
            let once = once.clone();
            move |_, run| run.knows_request(&once)
        })
        .await?
    {
        return find::execution(state, &name).await;
    }
    let newest = if newest_graph {
        let graph = format!("projects/{}/graphs/{}", row.execution.project, row.execution.graph);
        let ready = state.definitions.newest(&graph).await?;
        Some(Newest { definition: ready.number, revision: ready.revision, plan: Arc::clone(&ready.plan) })
    } else {
        None
    };
    let from = u32::try_from(from_step).ok().filter(|step| *step > 0);
    control::handle(state, &name, Asked::Retry { from, newest, once }).await
}
