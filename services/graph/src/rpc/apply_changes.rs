//! ApplyChanges: a batch of changes becomes one revision.

use weft_kit::Call;
use weft_proto::weft::graph::v1::{ApplyChangesRequest, ApplyChangesResponse};

use super::{fingerprint, once, reused};
use crate::{
    Error,
    domain::change::{Plan, PlanOptions, plan},
    live::{Expectation, Write, decode_answer},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<ApplyChangesRequest>,
) -> Result<ApplyChangesResponse, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = if request_id.is_empty() || request.validate_only {
        None
    } else {
        once(&caller, "ApplyChanges", &request_id, fingerprint(&request))
    };
    if let Some(once) = &once
        && let Some(answer) = state.graphs.store.recall(once).await.map_err(reused)?
    {
        return decode_answer(&answer);
    }
    let live = state.graphs.get(&request.graph).await?;
    let options = PlanOptions {
        allow_missing: request.allow_missing,
        create_missing_nodes: request.create_missing_nodes,
    };
    let limits = state.graphs.options.limits.clone();
    let changes = request.changes;
    let write = Write {
        expected: request.expected_revision.map_or(Expectation::Newest, Expectation::Revision),
        once,
        actor: caller.name.to_string(),
        size: changes.len(),
        plan: move |content: &crate::live::Content| {
            Ok(plan(&content.memory, changes.clone(), options, &limits, content.graph_bytes())?)
        },
        answer: |plan: &Plan| ApplyChangesResponse {
            revision: plan.revision,
            node_count: plan.node_count as i64,
            edge_count: plan.edge_count as i64,
        },
        validate_only: request.validate_only,
        skip_empty: false,
    };
    state.graphs.write(&live, write).await
}
