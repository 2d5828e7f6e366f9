//! Executions by their names, and what their runs know.

use std::collections::HashMap;

use weft_proto::weft::execution::v1::{Execution, ExecutionState, ExecutionWait};
use weft_store::{ExecutionRow, StoreError, Timestamp};

use crate::{
    Error,
    domain::{gate::Gate, message, name, run::Run},
    engine::{self, Limits},
    state::State,
};

/// The execution of that name.
pub(super) async fn row(state: &State, full: &str) -> Result<ExecutionRow, Error> {
    let missing = || Error::ExecutionNotFound(full.to_owned());
    let (project, id) = name::execution(full).ok_or_else(missing)?;
    let Some(number) = name::number(id) else {
        let names = [(project.to_owned(), id.to_owned())];
        let found = state.store.find_executions(state.engines.shard_of(project), &names, &[]).await?;
        return found.into_iter().next().ok_or_else(missing);
    };
    match state.store.get_execution(number).await {
        Ok(row) if row.execution.project == project && row.execution.name.is_none() => Ok(row),
        Ok(_) | Err(StoreError::NotFound { .. }) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}

/// What `look` sees of an execution: in memory, if something of it is at work, or read back from its journal.
pub(super) async fn see<T: Send + 'static>(
    state: &State,
    row: &ExecutionRow,
    look: impl Fn(&ExecutionRow, &Run) -> T + Clone + Send + 'static,
) -> Result<T, Error> {
    if row.change.ended.is_none()
        // Where another process has the executions, what is on disk is what is known here.
        && let Ok(Some(seen)) = state.engines.of_execution(row.execution.id).look(row.execution.id, look.clone()).await
    {
        return Ok(seen);
    }
    // It may have changed since.
    let row = state.store.get_execution(row.execution.id).await?;
    let (run, _) = engine::load(&*state.store, &state.objects, &state.definitions, &row).await?;
    Ok(look(&row, &run))
}

/// An execution as it is now.
pub(super) async fn execution(state: &State, full: &str) -> Result<Execution, Error> {
    let row = row(state, full).await?;
    let mut execution = see(state, &row, message::of_run).await?;
    waits(state, &mut [(row.execution.id, &mut execution)]).await;
    Ok(execution)
}

/// Says of executions of one project that wait to start what they wait for. Where another process has them, that is not known here.
pub(super) async fn waits(state: &State, executions: &mut [(i64, &mut Execution)]) {
    let queued = |execution: &Execution| execution.state() == ExecutionState::Queued;
    let asked: Vec<i64> =
        executions.iter().filter(|(_, execution)| queued(execution)).map(|(id, _)| *id).collect();
    let Some(first) = asked.first().copied() else { return };
    let now = Timestamp::from(state.clock.now()).as_micros();
    let look = move |limits: &Limits, gate: &Gate| -> HashMap<i64, ExecutionWait> {
        asked.into_iter().filter_map(|id| Some((id, limits.wait(gate, id, now)?))).collect()
    };
    let Ok(mut found) = state.engines.of_execution(first).look_at_limits(look).await else { return };
    for (id, execution) in executions {
        execution.wait = found.remove(id);
    }
}
