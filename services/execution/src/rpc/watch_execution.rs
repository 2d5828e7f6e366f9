//! WatchExecution: how an execution and its steps stand, until it has ended.
//!
//! A watcher holds a place and nothing else: the number of the last event that it was told of. It is woken when
//! something of the execution is on disk, and is told what has changed since. A slow one gets fewer states of a step,
//! and always the newest.

use std::sync::Arc;

use futures::{Stream, stream};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior},
};
use weft_kit::Call;
use weft_proto::weft::execution::v1::{
    ExecutionChanges, WatchExecutionRequest, WatchExecutionResponse, watch_execution_response::Event,
};
use weft_store::ExecutionRow;

use super::find;
use crate::{Error, domain::message, state::State};

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<WatchExecutionRequest>,
) -> Result<impl Stream<Item = Result<WatchExecutionResponse, Error>> + Send + use<>, Error> {
    let WatchExecutionRequest { name, after_cursor } = call.message;
    let at = if after_cursor.is_empty() { Ok(0) } else { after_cursor.parse() };
    let at = at.map_err(|_| Error::field("after_cursor", "is none that this watch gave"))?;
    let row = find::row(state, &name).await?;
    let period = state.options.watch_heartbeat;
    let mut signs_of_life = tokio::time::interval_at(Instant::now() + period, period);
    signs_of_life.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watcher = Watcher {
        news: state.engines.of_execution(row.execution.id).watch(row.execution.id),
        state: Arc::clone(state),
        row,
        name,
        at,
        announced: false,
        told_end: false,
        signs_of_life,
    };
    Ok(stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(Some(event)) => Some((Ok(WatchExecutionResponse { event: Some(event) }), Some(watcher))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Watcher {
    state: Arc<State>,
    news: watch::Receiver<u64>,
    row: ExecutionRow,
    name: String,
    /// Everything up to this event was told.
    at: u64,
    /// The end of the past was told.
    announced: bool,
    told_end: bool,
    signs_of_life: Interval,
}

impl Watcher {
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            self.news.mark_unchanged();
            let (after, name) = (self.at, self.name.clone());
            let seen = find::see(&self.state, &self.row, move |row, run| {
                let changed = run.steps().filter(|step| step.changed > after);
                let steps = changed.map(|step| message::step(&name, row.execution.uid, run, step, false));
                (run.changes(), message::of_run(row, run), steps.collect())
            });
            let (changes, mut execution, steps): (u64, _, Vec<_>) = seen.await?;
            find::waits(&self.state, &mut [(self.row.execution.id, &mut execution)]).await;
            let has_ended = execution.end_time.is_some();
            if changes > self.at || (has_ended && !self.told_end) {
                self.at = changes;
                self.told_end = has_ended;
                let cursor = changes.to_string();
                let changes = ExecutionChanges { execution: Some(execution), steps, cursor };
                return Ok(Some(Event::Changes(changes)));
            }
            if !self.announced {
                self.announced = true;
                return Ok(Some(Event::CaughtUpCursor(self.at.to_string())));
            }
            if self.told_end {
                return Ok(None);
            }
            tokio::select! {
                _ = self.news.changed() => {}
                _ = self.signs_of_life.tick() => return Ok(Some(Event::CaughtUpCursor(self.at.to_string()))),
                () = self.state.engines.of_execution(self.row.execution.id).gone() => return Err(Error::Draining),
                () = self.state.lifecycle.draining() => return Err(Error::Draining),
            }
        }
    }
}
