//! CancelExecution, TerminateExecution, PauseExecution, ResumeExecution: they differ in what the engine is asked.

use weft_proto::weft::execution::v1::Execution;

use super::find;
use crate::{Error, engine::Asked, state::State};

/// Does something with the execution of that name, and gives it as it is then.
pub(crate) async fn handle(state: &State, name: &str, asked: Asked) -> Result<Execution, Error> {
    let row = find::row(state, name).await?;
    state.engines.of_execution(row.execution.id).ask(row.execution.id, asked).await?;
    find::execution(state, name).await
}
