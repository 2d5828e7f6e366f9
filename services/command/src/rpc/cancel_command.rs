//! CancelCommand: what waits ends at once, what executes is stopped by its agent.

use weft_jobs::JobsError;
use weft_kit::Call;
use weft_proto::weft::command::v1::{CancelCommandRequest, Command};

use super::find;
use crate::{Error, state::State};

pub(crate) async fn handle(state: &State, call: Call<CancelCommandRequest>) -> Result<Command, Error> {
    let batch = find::batch(state, &call.message.name).await?;
    if batch.ended.is_none() {
        match state.jobs.cancel(batch.id, None).await {
            // It has ended meanwhile.
            Ok(()) | Err(JobsError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let batch = find::batch(state, &call.message.name).await?;
    find::command(state, &batch).await
}
