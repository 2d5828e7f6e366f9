//! What runs in the background, beside the engine: forgetting.

use std::{sync::Arc, time::Duration};

use weft_kit::{Lifecycle, TaskKind};
use weft_store::{StoreError, Timestamp};

use crate::{rpc::forget, state::State};

/// How often.
const PERIOD: Duration = Duration::from_mins(10);
/// Executions that are forgotten in one write.
const AT_ONCE: u32 = 100;

pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let state = Arc::clone(state);
    lifecycle.spawn("executions-sweep", TaskKind::Background, move |life| {
        let state = Arc::clone(&state);
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PERIOD) => {}
                    () = life.draining() => return Ok::<_, StoreError>(()),
                }
                let before = Timestamp::from(state.clock.now()).before(state.options.retention);
                loop {
                    let ended = state.store.ended_executions(before, AT_ONCE).await?;
                    if ended.is_empty() || life.is_draining() {
                        break;
                    }
                    forget(&state, &ended).await?;
                }
            }
        }
    });
}
