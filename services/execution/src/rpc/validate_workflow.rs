//! ValidateWorkflow: what is wrong with a workflow graph as it is now.

use weft_kit::Call;
use weft_proto::weft::execution::v1::{ValidateWorkflowRequest, ValidateWorkflowResponse};

use crate::{Error, domain::message, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ValidateWorkflowRequest>,
) -> Result<ValidateWorkflowResponse, Error> {
    let (faults, graph_revision) = state.definitions.faults(&call.message.graph).await?;
    let faults = faults.into_iter().map(message::fault).collect();
    Ok(ValidateWorkflowResponse { faults, graph_revision })
}
