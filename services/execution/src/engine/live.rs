//! An execution in memory: read back from its journal.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use weft_store::{ExecutionChange, ExecutionRow, ExecutionStore, StoreError, Timestamp, objects::Objects};

use super::message::Ended;
use crate::{
    definitions::Definitions,
    domain::{
        event::Event,
        journal, message,
        plan::Plan,
        run::{Run, Start, Status},
    },
};

/// Rows of a journal that are read at once.
const PAGE: u32 = 500;
/// Largest value that is read back.
const LARGEST: usize = 64 << 20;

/// An execution in memory.
pub(super) struct Live {
    pub(super) row: ExecutionRow,
    pub(super) run: Run,
    /// The last row of its journal.
    pub(super) sequence: i64,
    /// Steps at work outside, by number and generation.
    pub(super) outside: HashMap<(u32, u32), CancellationToken>,
    /// Whoever waits for the end.
    pub(super) ended: Vec<Ended>,
    /// Its workflow since the last flush.
    pub(super) definition: (i64, i64),
    /// When it goes on by itself, as the shard knows it.
    pub(super) timer: Option<i64>,
}

/// What a run begins with.
pub(crate) fn start_of(row: &ExecutionRow) -> Start {
    let execution = &row.execution;
    let head = message::head(&execution.head);
    let id = message::id_of(execution);
    let about = json!({
        "id": id,
        "name": format!("projects/{}/executions/{id}", execution.project),
        "uid": execution.uid.to_string(),
        "project": execution.project,
        "graph": execution.graph,
        "creator": head.creator,
        "start_time_us": execution.at.as_micros(),
    });
    Start {
        about: Arc::new(about),
        deadline: head.timeout.map(|timeout| execution.at.as_micros().saturating_add(timeout)),
        pause_on_failure: head.pause_on_failure,
    }
}

/// An execution as its journal tells it, and the last row of that.
pub(crate) async fn load(
    store: &dyn ExecutionStore,
    objects: &Objects,
    definitions: &Definitions,
    row: &ExecutionRow,
) -> Result<(Run, i64), StoreError> {
    let id = row.execution.id;
    let corrupt = |sequence: i64, why: &str| StoreError::Corrupt {
        table: "execution_events",
        column: "bytes",
        row: format!("{id}/{sequence}"),
        reason: why.to_owned(),
    };
    let (mut sequence, mut rows) = (0, Vec::new());
    loop {
        let page = store.execution_events(id, sequence, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        for events in page {
            sequence += 1;
            if events.sequence != sequence {
                return Err(corrupt(sequence, "a row of the journal is missing"));
            }
            let mut large: HashMap<String, Bytes> = HashMap::new();
            for key in
                journal::objects(&events.bytes).map_err(|error| corrupt(sequence, &error.to_string()))?
            {
                let bytes = objects.get(&key, LARGEST).await?;
                large.insert(key, bytes);
            }
            let read = journal::read(&events.bytes, &|key| large.get(key).cloned());
            rows.push(read.ok_or_else(|| corrupt(sequence, "cannot be read"))?);
        }
        if is_last {
            break;
        }
    }
    // The workflow that it began with, and those that it went on with.
    let first = rows.iter().flatten().find_map(|(_, event)| match event {
        Event::Retried { definition: Some(_), .. } => Some(()),
        _ => None,
    });
    let began_with = match first {
        None => row.change.definition,
        Some(()) => message::head(&row.execution.head).definition,
    };
    let mut run = Run::new(definitions.plan(began_with).await?, start_of(row));
    for (at, event) in rows.into_iter().flatten() {
        if let Event::Retried { definition: Some(number), .. } = &event {
            let plan: Arc<Plan> = definitions.plan(*number).await?;
            run.replace_plan(plan);
        }
        run.apply(at, event);
    }
    // Nothing of this process is at work outside.
    run.take_stops();
    Ok((run, sequence))
}

impl Live {
    /// Where it stands for its row. `idle` where nothing of it is at work or about to be.
    pub(super) fn change(&self, is_idle: bool, now: i64) -> ExecutionChange {
        let status = self.run.status();
        let has_ended = status.has_ended();
        let wake = (!has_ended && is_idle).then(|| {
            self.run.next_timer().map_or(Timestamp::MAX, Timestamp::from_micros).min(Timestamp::MAX)
        });
        let before = &self.row.change;
        let ended = match before.ended {
            Some(ended) if has_ended && before.state == message::state_number(status) => Some(ended),
            _ => has_ended.then(|| Timestamp::from_micros(now)),
        };
        let steps = if has_ended || is_idle {
            i32::try_from(self.run.steps().count()).unwrap_or(i32::MAX)
        } else {
            before.steps
        };
        let is_broken = matches!(status, Status::Failed | Status::Paused | Status::Cancelled);
        let reason = self.run.error().filter(|_| is_broken).map(|(_, error)| error.reason.clone());
        ExecutionChange {
            id: self.row.execution.id,
            state: message::state_number(status),
            definition: self.definition.0,
            revision: self.definition.1,
            wake,
            reason: reason.unwrap_or_default(),
            steps,
            retries: self.run.retries().cast_signed(),
            approvals: i32::try_from(self.run.asking().len()).unwrap_or(i32::MAX),
            ended,
        }
    }
}
