//! How much may be at work in a process, whatever shard it is of.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::Options;

/// Room for executions in memory, and for steps that act outside. Shards of a process share it.
pub(crate) struct Room {
    most: usize,
    executions: AtomicUsize,
    outside: Arc<Semaphore>,
    left: Notify,
}

impl Room {
    /// As much as the options allow.
    pub(crate) fn new(options: &Options) -> Self {
        let places = options.max_outside.min(Semaphore::MAX_PERMITS);
        Self {
            most: options.max_active,
            executions: AtomicUsize::new(0),
            outside: Arc::new(Semaphore::new(places)),
            left: Notify::new(),
        }
    }

    /// Whether one more execution may be at work.
    pub(super) fn has_room(&self) -> bool {
        self.executions.load(Ordering::Relaxed) < self.most
    }

    /// An execution is at work. Those that are on disk already are, whether there is room or not.
    pub(super) fn enter(&self) {
        self.executions.fetch_add(1, Ordering::Relaxed);
    }

    /// So many are not at work any more.
    pub(super) fn leave(&self, count: usize) {
        let before = self.executions.fetch_sub(count, Ordering::Relaxed);
        if before >= self.most {
            self.left.notify_waiters();
        }
    }

    /// Until there is room again, or may be.
    pub(super) async fn left(&self) {
        self.left.notified().await;
    }

    /// A place for a step that acts outside, if there is one.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.outside).try_acquire_owned().ok()
    }

    /// The next place: whoever has waited longest gets it.
    pub(super) fn next_place(&self) -> BoxFuture<'static, OwnedSemaphorePermit> {
        let outside = Arc::clone(&self.outside);
        async move { outside.acquire_owned().await.expect("it is never closed") }.boxed()
    }
}
