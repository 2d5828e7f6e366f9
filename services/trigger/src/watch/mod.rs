//! What watches: the process that has the triggers looks for events where they are kept, from the place of each
//! trigger on, and writes what it finds and the next place together.
//!
//! The bus says when to look, and nothing else: what happened while no process ran, or was lost on the bus, is found
//! from the place. Ends of runs, and messages, are read once for all triggers; a graph is read for each trigger that watches it, when
//! the time in which changes become one delivery is over. A second process that believes to have the triggers too is
//! refused by the epoch.

pub(crate) mod begin;
mod read;
mod take;
mod watched;
mod watcher;

use std::{sync::Arc, time::Duration};

use weft_kit::Lifecycle;
use weft_store::StoreError;

use crate::state::State;
use watcher::Watcher;

/// The pause before it is tried again where something could not be asked.
const RETRY: Duration = Duration::from_secs(1);

/// Watches for as long as this process has the triggers, and waits for them for as long as it has not.
///
/// # Errors
/// The store failed: what is in memory is given up, and read again.
pub(crate) async fn run(state: Arc<State>, life: Lifecycle) -> Result<(), StoreError> {
    let mut epochs = state.epoch.subscribe();
    loop {
        let epoch = *epochs.borrow_and_update();
        if epoch > 0 {
            let watcher = Watcher::new(Arc::clone(&state), epoch).await?;
            match Box::pin(watcher.run(&mut epochs, &life)).await {
                // Another process was given them.
                Ok(()) | Err(StoreError::Stale { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if *epochs.borrow() != epoch && !life.is_draining() {
            continue;
        }
        tokio::select! {
            changed = epochs.changed() => if changed.is_err() { return Ok(()) },
            () = life.draining() => return Ok(()),
        }
    }
}
