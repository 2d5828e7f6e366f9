//! GetExecution: one execution, with what it was given and gave.

use weft_kit::Call;
use weft_proto::weft::execution::v1::{Execution, GetExecutionRequest};

use super::find;
use crate::{Error, state::State};

pub(crate) async fn handle(state: &State, call: Call<GetExecutionRequest>) -> Result<Execution, Error> {
    find::execution(state, &call.message.name).await
}
