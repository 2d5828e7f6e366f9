//! What runs in the background: what writes, what starts, what ticks, what watches, and forgetting.

use std::{sync::Arc, time::Duration};

use weft_kit::{Lifecycle, TaskKind};
use weft_store::{StoreError, Timestamp};

use crate::{dispatch, news, scheduler, state::State, watch};

/// How often it is looked what is to be forgotten.
const PERIOD: Duration = Duration::from_mins(1);
/// Answers to a request id are kept for so long.
const REQUESTS_KEPT: Duration = Duration::from_hours(25);
/// Requests that were refused and are shown, of each trigger.
const REFUSED: u32 = 100;
/// The pause after it was trimmed.
const PAUSE: Duration = Duration::from_secs(1);
/// Most rows that one statement forgets.
const AT_ONCE: u32 = 1_000;

pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let intake = Arc::clone(state);
    lifecycle.spawn("trigger-intake", TaskKind::Background, move |life| {
        let state = Arc::clone(&intake);
        async move { state.intake.run(&*state.store, &state.news, &life).await }
    });
    let dispatcher = Arc::clone(state);
    lifecycle.spawn("trigger-dispatch", TaskKind::Background, move |life| {
        let state = Arc::clone(&dispatcher);
        async move { Box::pin(dispatch::run(state, life)).await }
    });
    let ticks = Arc::clone(state);
    lifecycle.spawn("trigger-schedules", TaskKind::Background, move |life| {
        let state = Arc::clone(&ticks);
        async move { scheduler::run(state, life).await }
    });
    let events = Arc::clone(state);
    lifecycle.spawn("trigger-events", TaskKind::Background, move |life| {
        let state = Arc::clone(&events);
        async move { Box::pin(watch::run(state, life)).await }
    });
    let teller = Arc::clone(state);
    lifecycle.spawn("trigger-news", TaskKind::Background, move |life| {
        let state = Arc::clone(&teller);
        async move { news::run(&state.news, &*state.bus, &state.owner, life).await }
    });
    let sweeper = Arc::clone(state);
    lifecycle.spawn("trigger-housekeeping", TaskKind::Background, move |life| {
        let state = Arc::clone(&sweeper);
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PERIOD) => {}
                    () = state.room.is_short.notified() => {}
                    () = life.draining() => return Ok::<_, StoreError>(()),
                }
                trim(&state, &life).await?;
                while state.store.forget_deliveries(state.now(), AT_ONCE).await? == u64::from(AT_ONCE) {
                    if life.is_draining() {
                        break;
                    }
                }
                let before: Timestamp = (state.clock.now() - REQUESTS_KEPT).into();
                state.store.forget_requests(before, AT_ONCE).await?;
            }
        }
    });
}

/// Forgets what came with deliveries where there is too much of it, and what was refused but for the newest.
async fn trim(state: &State, life: &Lifecycle) -> Result<(), StoreError> {
    let full = u64::from(AT_ONCE);
    state.room.begin();
    let budget = state.options.kept_bytes_per_project;
    while state.store.trim_events(budget, AT_ONCE).await? == full && !life.is_draining() {}
    while state.store.trim_refused(REFUSED, AT_ONCE).await? == full && !life.is_draining() {}
    // It reads what is kept of all projects: no more often than this.
    tokio::select! {
        () = tokio::time::sleep(PAUSE) => {}
        () = life.draining() => {}
    }
    Ok(())
}
