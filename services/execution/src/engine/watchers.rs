//! Who is told when something has become of an execution?

use std::{collections::HashMap, sync::Mutex};

use tokio::sync::watch;

/// Those who wait for news of executions.
#[derive(Debug, Default)]
pub(super) struct Watchers(Mutex<HashMap<i64, watch::Sender<u64>>>);

impl Watchers {
    /// News of an execution from now on.
    pub(super) fn watch(&self, execution: i64) -> watch::Receiver<u64> {
        let mut all = self.0.lock().expect("nothing panics with it");
        if all.len().is_power_of_two() {
            all.retain(|_, watched| watched.receiver_count() > 0);
        }
        all.entry(execution).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Tells those who watch these executions.
    pub(super) fn wake(&self, executions: impl Iterator<Item = i64>) {
        let mut all = self.0.lock().expect("nothing panics with it");
        if all.is_empty() {
            return;
        }
        for execution in executions {
            let Some(watched) = all.get(&execution) else { continue };
            if watched.receiver_count() == 0 {
                all.remove(&execution);
            } else {
                watched.send_modify(|news| *news += 1);
            }
        }
    }
}
