//! What runs in the background, beside the engine: telling what there is to find, and forgetting.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::Notify;
use weft_kit::{Lifecycle, TaskKind};
use weft_store::{StoreError, Timestamp};

use crate::{rpc::forget, state::State};

/// How often it is forgotten.
const PERIOD: Duration = Duration::from_mins(10);
/// Executions that are forgotten in one write.
const AT_ONCE: u32 = 100;
/// Ends, messages, and what rates have come to, that are forgotten in one write.
const ENDS_AT_ONCE: u32 = 1_000;
/// The topic of the bus that says that executions have ended: a notice, FindExecutionEnds has which.
const ENDS: &str = "execution.ends";
/// The one that says that messages were published: FindTopicMessages has them.
const MESSAGES: &str = "execution.messages";
/// How far apart notices are at least.
const PAUSE: Duration = Duration::from_millis(20);
/// The same where the bus does not take them.
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let sweeper = Arc::clone(state);
    lifecycle.spawn("executions-sweep", TaskKind::Background, move |life| {
        let state = Arc::clone(&sweeper);
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PERIOD) => {}
                    () = life.draining() => return Ok::<_, StoreError>(()),
                }
                sweep(&state, &life).await?;
            }
        }
    });
    tell(state, lifecycle, "executions-ends", ENDS, |state| &state.ended);
    tell(state, lifecycle, "executions-messages", MESSAGES, |state| &state.published);
}

/// Says on a topic of the bus that there is something new to find.
fn tell(
    state: &Arc<State>,
    lifecycle: &Lifecycle,
    name: &'static str,
    topic: &'static str,
    what: fn(&State) -> &Notify,
) {
    let teller = Arc::clone(state);
    lifecycle.spawn(name, TaskKind::Background, move |life| {
        let state = Arc::clone(&teller);
        async move {
            loop {
                tokio::select! {
                    () = what(&state).notified() => {}
                    () = life.draining() => return Ok::<_, Infallible>(()),
                }
                let mut is_told = true;
                while let Err(error) = state.bus.publish(topic, Bytes::from_static(b"new")).await {
                    if std::mem::take(&mut is_told) {
                        tracing::warn!(%error, topic, "triggers were not told; they are once the bus is back, or look by themselves");
                    }
                    tokio::select! {
                        () = tokio::time::sleep(AGAIN) => {}
                        () = life.draining() => return Ok(()),
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    });
}

/// Forgets what has ended, or was published, long ago.
async fn sweep(state: &State, life: &Lifecycle) -> Result<(), StoreError> {
    let before = Timestamp::from(state.clock.now()).before(state.options.retention);
    loop {
        let ended = state.store.ended_executions(before, AT_ONCE).await?;
        if ended.is_empty() || life.is_draining() {
            break;
        }
        forget(state, &ended).await?;
    }
    while state.kept.sweep().await? && !life.is_draining() {}
    let now = Timestamp::from(state.clock.now());
    let forget_rates = || state.store.forget_run_rates(now, ENDS_AT_ONCE);
    while forget_rates().await? == u64::from(ENDS_AT_ONCE) && !life.is_draining() {}
    let published_before = Timestamp::from(state.clock.now()).before(state.options.message_retention);
    for (shard, _) in state.engines.all().filter(|(_, engine)| engine.is_open()) {
        let forget_ends = || state.store.forget_execution_ends(shard, before, ENDS_AT_ONCE);
        while forget_ends().await? == u64::from(ENDS_AT_ONCE) && !life.is_draining() {}
        let forget_messages = || state.store.forget_execution_messages(shard, published_before, ENDS_AT_ONCE);
        while forget_messages().await? == u64::from(ENDS_AT_ONCE) && !life.is_draining() {}
        while state.store.tidy_executions(shard).await? > 0 && !life.is_draining() {}
    }
    Ok(())
}
