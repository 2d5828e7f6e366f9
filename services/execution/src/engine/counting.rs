//! What runs that there are already count under in a new limit. It takes reading what each of them was given, so it is
//! found out beside the engine, which goes on meanwhile and looks only at what has come since.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value as Json;
use weft_store::{ExecutionRow, ExecutionStore, StoreError, objects::Objects};

use super::live::start_of;
use crate::{
    Error,
    domain::{event::Event, journal, run_limit::RunLimit},
};

/// Runs that are read at a time.
const PAGE: u32 = 1_000;
/// Runs that have not ended and that a new limit can count.
pub(super) const COUNTED: usize = 100_000;
/// Largest value that is read back.
const LARGEST: usize = 64 << 20;

/// The keys of the runs that a limit covers and that have not ended.
pub(crate) async fn keys(
    store: &dyn ExecutionStore,
    objects: &Objects,
    limit: &RunLimit,
) -> Result<HashMap<i64, String>, Error> {
    let (mut keys, mut after) = (HashMap::new(), 0);
    if !limit.has_key() {
        return Ok(keys);
    }
    loop {
        let page = store.open_executions(&limit.row.project, limit.graph(), after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        for row in page {
            after = row.execution.id;
            keys.insert(after, key(store, objects, limit, &row).await?);
        }
        if keys.len() > COUNTED {
            return Err(Error::TooManyToCount(COUNTED));
        }
        if is_last {
            return Ok(keys);
        }
    }
}

/// What one of them counts under. One whose journal cannot be read was given nothing.
pub(super) async fn key(
    store: &dyn ExecutionStore,
    objects: &Objects,
    limit: &RunLimit,
    row: &ExecutionRow,
) -> Result<String, StoreError> {
    let input = match input_of(store, objects, row).await {
        Err(StoreError::Unavailable(error)) => return Err(StoreError::Unavailable(error)),
        Err(error) => {
            tracing::error!(%error, execution = row.execution.id, "what an execution was given cannot be read");
            Arc::default()
        }
        Ok(input) => input,
    };
    Ok(limit.key_of(&input, &start_of(row).about))
}

/// What a run was given: it is in the first row of its journal.
async fn input_of(
    store: &dyn ExecutionStore,
    objects: &Objects,
    row: &ExecutionRow,
) -> Result<Arc<Json>, StoreError> {
    let first = store.execution_events(row.execution.id, 0, 1).await?;
    let Some(bytes) = first.first().map(|events| &events.bytes) else { return Ok(Arc::default()) };
    let mut large = HashMap::new();
    for key in journal::objects(bytes).unwrap_or_default() {
        let value = objects.get(&key, LARGEST).await?;
        large.insert(key, value);
    }
    let events = journal::read(bytes, &|key| large.get(key).cloned()).unwrap_or_default();
    let input = events.into_iter().find_map(|(_, event)| match event {
        Event::Began { input } => Some(input),
        _ => None,
    });
    Ok(input.unwrap_or_default())
}
