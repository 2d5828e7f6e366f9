//! What runs in the background: keys are read again, uses of API keys are stored, and what has
//! expired is removed.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use weft_kit::{Lifecycle, TaskKind};
use weft_store::{KeyUse, Timestamp};

use crate::{Error, keys, state::State};

/// How often another process's rotation is looked for. The other processes of the mesh fetch keys
/// when they meet a token with one that they do not know.
const ROUND: Duration = Duration::from_secs(10);
/// Requests are remembered for this long.
const REMEMBERED: Duration = Duration::from_hours(48);
/// Rows removed in one statement.
const BATCH: u32 = 1_000;

/// Starts the rounds.
pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let state = Arc::clone(state);
    lifecycle.spawn("identity-rounds", TaskKind::Background, move |life| {
        let state = Arc::clone(&state);
        async move {
            loop {
                let ending = tokio::select! {
                    () = tokio::time::sleep(ROUND) => false,
                    () = life.draining() => true,
                };
                if let Err(error) = round(&state).await {
                    tracing::warn!(%error, "identity's round failed; the next one tries again");
                }
                if ending {
                    return Ok::<_, Infallible>(());
                }
            }
        }
    });
}

async fn round(state: &State) -> Result<(), Error> {
    store_uses(state).await?;
    let now = Timestamp::from(state.clock.now());
    state.store.purge_tickets(now, BATCH).await?;
    state.store.forget_requests(now.before(REMEMBERED), BATCH).await?;
    // A token of a retired key can live until the last one that it signed expires.
    state
        .store
        .forget_signing_keys(now.before(state.options.token_lifetime + Duration::from_mins(5)))
        .await?;
    let keys = keys::load(&*state.store, &state.seal, &state.clock, &state.ids).await?;
    *state.keys.write().expect("nobody panics with it") = keys;
    Ok(())
}

/// Stores when keys were used last: only the latest use of each.
async fn store_uses(state: &State) -> Result<(), Error> {
    let uses = std::mem::take(&mut *state.uses.lock().expect("nobody panics with it"));
    let mut latest: HashMap<uuid::Uuid, KeyUse> = HashMap::new();
    for one in uses {
        latest.entry(one.uid).and_modify(|kept| kept.at = kept.at.max(one.at)).or_insert(one);
    }
    if !latest.is_empty() {
        state.store.touch_api_keys(&latest.into_values().collect::<Vec<_>>()).await?;
    }
    Ok(())
}
