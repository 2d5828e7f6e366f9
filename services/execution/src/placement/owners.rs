//! Who has which shard, as this process has heard last.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;
use weft_store::{ExecutionStore, StoreError};

/// What is known is not asked for more often than this, however many calls went to the wrong process.
const FRESH: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Owners {
    known: Mutex<HashMap<i32, Uuid>>,
    /// Held while the store is asked; since when what is known is known.
    asked: tokio::sync::Mutex<Option<Instant>>,
}

impl Owners {
    /// Who has a shard, as far as is known.
    pub(super) fn of(&self, shard: i32) -> Option<Uuid> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&shard).copied()
    }

    /// Learns who has what, unless that was learnt a moment ago.
    pub(super) async fn refresh(&self, store: &dyn ExecutionStore) -> Result<(), StoreError> {
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() >= FRESH) {
            let began = Instant::now();
            let owners = store.execution_owners().await?;
            let owners = owners.into_iter().filter_map(|row| Some((row.shard, row.owner?)));
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = owners.collect();
            *asked = Some(began);
        }
        Ok(())
    }
}
