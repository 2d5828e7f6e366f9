//! What runs in the background, beside the job engine: forgetting.

use std::{sync::Arc, time::Duration};

use weft_kit::{Lifecycle, TaskKind};
use weft_store::Timestamp;

use crate::state::State;

/// How often.
const PERIOD: Duration = Duration::from_mins(5);
/// Answers to a request id are kept for so long.
const REQUESTS_KEPT: Duration = Duration::from_hours(25);
/// Most rows that one statement forgets.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let state = Arc::clone(state);
    lifecycle.spawn("command-housekeeping", TaskKind::Background, move |life| {
        let state = Arc::clone(&state);
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PERIOD) => {}
                    () = life.draining() => return Ok::<_, String>(()),
                }
                let before: Timestamp = (state.clock.now() - REQUESTS_KEPT).into();
                let forgotten = state.store.forget_requests(before, FORGOTTEN_AT_ONCE).await;
                forgotten.map_err(|error| error.to_string())?;
            }
        }
    });
}
