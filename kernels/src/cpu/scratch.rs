//! Memory that work needs while it runs: one for each thread, kept between ticks.

use std::sync::{Mutex, PoisonError};

/// A `T` for each thread of a pool. What is in it never reaches a result, so that which thread did
/// what does not matter.
#[derive(Debug, Default)]
pub(super) struct PerThread<T>(Vec<Mutex<T>>);

impl<T: Default> PerThread<T> {
    /// Has one for each thread of the pool that this is called in.
    pub(super) fn fit(&mut self) {
        if self.0.len() < rayon::current_num_threads() {
            self.0.resize_with(rayon::current_num_threads(), Mutex::default);
        }
    }

    /// Lends the caller's. `work` must not hand work to the pool: what its thread took over meanwhile
    /// would wait for this for ever.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let at = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        work(&mut self.0[at].lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All of them, in turn.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|one| one.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sum of what `bytes` says of each.
    pub(super) fn memory(&self, bytes: impl Fn(&T) -> usize) -> usize {
        self.0.iter().map(|one| bytes(&one.lock().unwrap_or_else(PoisonError::into_inner))).sum()
    }
}
