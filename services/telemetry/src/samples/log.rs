//! The log as the task knows it that has it.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use crate::events::seal::Pending;

/// The log in the hands of this task.
pub(super) struct Log {
    pub(super) epoch: i64,
    /// Number of the last entry that may be there.
    pub(super) last: i64,
    /// Number of the last one that surely is, and is in memory.
    pub(super) applied: i64,
    /// What the log has defined: groups by project and number, with the number in the log and how many series.
    pub(super) defined: HashMap<(Arc<str>, u32), (u64, Vec<bool>)>,
    pub(super) next_group: u64,
    /// Samples that are in no segment.
    pub(super) samples: u64,
    /// Since when.
    pub(super) since: Instant,
    /// Logs and spans that are in no block.
    pub(super) events: [Pending; 2],
}

impl Log {
    /// Samples are sealed, so nothing of them is defined any more.
    pub(super) fn begin_anew(&mut self) {
        self.defined.clear();
        self.next_group = 0;
        self.samples = 0;
        self.since = Instant::now();
    }
}
