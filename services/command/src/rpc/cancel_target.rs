//! CancelTarget: one that waits ends at once, one that executes is stopped by its agent.

use weft_jobs::JobsError;
use weft_kit::Call;
use weft_proto::weft::command::v1::{CancelTargetRequest, Target};

use super::find;
use crate::{Error, domain::message, state::State};

pub(crate) async fn handle(state: &State, call: Call<CancelTargetRequest>) -> Result<Target, Error> {
    let name = &call.message.name;
    let (batch, job) = find::job(state, name).await?;
    if job.state.is_terminal() {
        return Ok(message::target(&batch, &job));
    }
    match state.jobs.cancel(batch.id, Some(job.key.number)).await {
        // It has ended meanwhile.
        Ok(()) | Err(JobsError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let job = state.jobs.jobs(batch.id, job.key.number, 1).await?.pop();
    let job = job.ok_or_else(|| Error::TargetNotFound(name.clone()))?;
    Ok(message::target(&batch, &job))
}
