//! What runs in the background: the task that writes, and forgetting.

use std::{sync::Arc, time::Duration};

use weft_kit::{Lifecycle, TaskKind};
use weft_store::Timestamp;

use crate::{
    alerts::evaluator,
    samples::{incoming::REPORTERS_KEPT, writer},
    state::State,
};

/// How often sources and requests are forgotten.
const PERIOD: Duration = Duration::from_mins(10);
/// Answers to a request id are kept for so long.
const REQUESTS_KEPT: Duration = Duration::from_hours(25);
/// Most rows that one statement forgets.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let writes = Arc::clone(state);
    lifecycle
        .spawn("telemetry-writer", TaskKind::Background, move |life| writer::run(Arc::clone(&writes), life));
    let evaluates = Arc::clone(state);
    lifecycle.spawn("telemetry-alerts", TaskKind::Background, move |life| {
        evaluator::run(Arc::clone(&evaluates), life)
    });
    let state = Arc::clone(state);
    lifecycle.spawn("telemetry-housekeeping", TaskKind::Background, move |life| {
        let state = Arc::clone(&state);
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PERIOD) => {}
                    () = life.draining() => return Ok::<_, String>(()),
                }
                let before: Timestamp = (state.clock.now() - REPORTERS_KEPT).into();
                let forgotten = state.store.forget_telemetry_reporters(before, FORGOTTEN_AT_ONCE).await;
                forgotten.map_err(|error| error.to_string())?;
                let before: Timestamp = (state.clock.now() - REQUESTS_KEPT).into();
                let forgotten = state.alert_store.forget_requests(before, FORGOTTEN_AT_ONCE).await;
                forgotten.map_err(|error| error.to_string())?;
            }
        }
    });
}
