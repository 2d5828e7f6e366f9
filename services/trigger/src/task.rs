//! What runs in the background: what writes, what starts, what ticks, what watches, and forgetting.

use std::{sync::Arc, time::Duration};

use weft_kit::{Lifecycle, TaskKind};
use weft_store::{StoreError, Timestamp};

use crate::{dispatch, scheduler, state::State, watch};

/// How often it is looked what is to be forgotten.
const PERIOD: Duration = Duration::from_mins(1);
/// Answers to a request id are kept for so long.
const REQUESTS_KEPT: Duration = Duration::from_hours(25);
/// Most rows that one statement forgets.
const AT_ONCE: u32 = 1_000;

pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let intake = Arc::clone(state);
    lifecycle.spawn("trigger-intake", TaskKind::Background, move |life| {
        let state = Arc::clone(&intake);
        async move { state.intake.run(&*state.store, &life).await }
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
    let sweeper = Arc::clone(state);
    lifecycle.spawn("trigger-housekeeping", TaskKind::Background, move |life| {
        let state = Arc::clone(&sweeper);
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PERIOD) => {}
                    () = life.draining() => return Ok::<_, StoreError>(()),
                }
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
