//! How much of what came with deliveries was kept since it was last trimmed: much of it is not waited for.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Bytes that were kept, and who is told of many.
#[derive(Default)]
pub(crate) struct Room {
    used: AtomicU64,
    pub(crate) is_short: Notify,
}

impl Room {
    /// Some more are kept. A quarter of what a project may have is enough to look.
    pub(crate) fn take(&self, bytes: usize, budget: u64) {
        let used = self.used.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if used > budget / 4 {
            self.is_short.notify_one();
        }
    }

    /// It is trimmed now.
    pub(crate) fn begin(&self) {
        self.used.store(0, Ordering::Relaxed);
    }
}
