//! Who is told when something has become of a batch?

use std::{collections::HashMap, sync::Mutex};

use tokio::sync::watch;

/// Those who wait for news of batches.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<i64, watch::Sender<i64>>>);

impl Watchers {
    /// News of a batch from now on: the number of the last flush that had some.
    pub(crate) fn watch(&self, batch: i64) -> watch::Receiver<i64> {
        let mut all = self.0.lock().expect("nothing panics with it");
        if all.len().is_power_of_two() {
            // Those of batches that have ended are not woken again.
            all.retain(|_, watched| watched.receiver_count() > 0);
        }
        all.entry(batch).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Tells those who watch these batches; those whom nobody watches are forgotten.
    pub(crate) fn wake(&self, batches: impl Iterator<Item = i64>, flush: i64) {
        let mut all = self.0.lock().expect("nothing panics with it");
        if all.is_empty() {
            return;
        }
        for batch in batches {
            if all.get(&batch).is_some_and(|watched| watched.send(flush).is_err()) {
                all.remove(&batch);
            }
        }
    }
}
