//! Commands and targets by their names.

use weft_jobs::{BatchView, JobView, JobsError};
use weft_proto::weft::command::v1::Command;
use weft_store::StoreError;

use crate::{
    Error,
    domain::{message, name},
    state::State,
};

/// Targets that are looked at in one page.
pub(super) const PAGE: u32 = 1_000;

/// The command of that name.
pub(super) async fn batch(state: &State, full: &str) -> Result<BatchView, Error> {
    let missing = || Error::CommandNotFound(full.to_owned());
    let (project, id) = name::command(full).ok_or_else(missing)?;
    match state.jobs.get(project, id).await {
        Err(JobsError::Store(StoreError::NotFound { .. })) => Err(missing()),
        found => Ok(found?),
    }
}

/// A command as clients see it, as it is now.
pub(super) async fn command(state: &State, batch: &BatchView) -> Result<Command, Error> {
    if batch.ended.is_some() {
        return Ok(message::command(batch, None)?);
    }
    // Where another process has the engine its counts are not known here.
    let progress = state.jobs.progress(vec![batch.id]).await.unwrap_or_default();
    if let Some(progress) = progress.get(&batch.id) {
        return Ok(message::command(batch, Some(progress))?);
    }
    // It may have ended meanwhile.
    let batch = state.jobs.get(&batch.project, &batch.name).await?;
    Ok(message::command(&batch, None)?)
}

/// A target by its name, and its command.
pub(super) async fn job(state: &State, full: &str) -> Result<(BatchView, JobView), Error> {
    let missing = || Error::TargetNotFound(full.to_owned());
    let (project, command, target) = name::target(full).ok_or_else(missing)?;
    let batch = batch(state, &name::of_command(project, command)).await?;
    let mut from = 0;
    loop {
        let page = state.jobs.jobs(batch.id, from, PAGE).await?;
        let Some(last) = page.last() else { return Err(missing()) };
        from = last.key.number + 1;
        let is_it =
            |job: &JobView| name::agent(name::of_queue(&job.queue)).is_some_and(|(_, agent)| agent == target);
        if let Some(found) = page.into_iter().find(is_it) {
            return Ok((batch, found));
        }
    }
}
