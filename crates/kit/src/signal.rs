//! A signal that is given once, and waited for by many while they do other things.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use slab::Slab;

/// A signal that is given once. Clones are the same signal.
///
/// Every connection and every task of a process waits for its end beside its work, and is woken for its work all the
/// time. So to look once more costs no lock, only a first look does: that is what this has over a token of tokio.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    given: AtomicBool,
    waiting: Mutex<Slab<Waker>>,
}

impl Signal {
    /// Gives it, for good.
    pub(crate) fn give(&self) {
        let waiting = {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // Under the lock: whoever enters the list after this has seen it.
            self.0.given.store(true, Ordering::Release);
            std::mem::take(&mut *waiting)
        };
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Whether it was given.
    pub(crate) fn is_given(&self) -> bool {
        self.0.given.load(Ordering::Acquire)
    }

    /// Waits for it.
    pub(crate) fn given(&self) -> Given {
        Given { signal: self.clone(), place: None }
    }
}

/// Waits for a [`Signal`].
#[derive(Debug)]
pub(crate) struct Given {
    signal: Signal,
    /// Where in the list of those who wait, and as whom.
    place: Option<(usize, Waker)>,
}

impl Future for Given {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.signal.is_given() {
            return Poll::Ready(());
        }
        if this.place.as_ref().is_some_and(|(_, waker)| waker.will_wake(context.waker())) {
            return Poll::Pending;
        }
        let mut waiting = this.signal.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if this.signal.is_given() {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        let (key, former) = match this.place.take() {
            Some((key, _)) => (key, Some(std::mem::replace(&mut waiting[key], waker.clone()))),
            None => (waiting.insert(waker.clone()), None),
        };
        // Whatever a waker does when it is dropped, it does without the lock.
        drop(waiting);
        drop(former);
        this.place = Some((key, waker));
        Poll::Pending
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let Some((key, _)) = self.place.take() else { return };
        let mut waiting = self.signal.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // The list was taken when the signal was given.
        let former = (!self.signal.is_given()).then(|| waiting.remove(key));
        drop(waiting);
        drop(former);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, task::Wake};

    use futures::FutureExt;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll(given: &mut Given, count: &Arc<Count>) -> Poll<()> {
        let waker = Waker::from(Arc::clone(count));
        given.poll_unpin(&mut Context::from_waker(&waker))
    }

    #[test]
    fn all_who_wait_are_woken_once() {
        let signal = Signal::default();
        let counts: Vec<Arc<Count>> = (0..3).map(|_| Arc::default()).collect();
        let mut waiting: Vec<Given> = counts.iter().map(|_| signal.given()).collect();
        for (given, count) in waiting.iter_mut().zip(&counts) {
            for _ in 0..3 {
                assert_eq!(poll(given, count), Poll::Pending);
            }
        }
        drop(waiting.remove(1));
        assert!(!signal.is_given());
        signal.give();
        signal.give();
        assert_eq!(counts.iter().map(|count| count.0.load(Ordering::SeqCst)).collect::<Vec<_>>(), [1, 0, 1]);
        for given in &mut waiting {
            assert_eq!(poll(given, &counts[0]), Poll::Ready(()));
        }
        drop(waiting);
        assert_eq!(poll(&mut signal.given(), &counts[0]), Poll::Ready(()));
    }

    #[test]
    fn the_last_who_asked_is_woken() {
        let signal = Signal::default();
        let (first, second) = (Arc::<Count>::default(), Arc::<Count>::default());
        let mut given = signal.given();
        assert_eq!(poll(&mut given, &first), Poll::Pending);
        assert_eq!(poll(&mut given, &second), Poll::Pending);
        signal.give();
        assert_eq!((first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst)), (0, 1));
    }

    #[test]
    fn whoever_leaves_leaves_nothing_behind() {
        let signal = Signal::default();
        let count = Arc::<Count>::default();
        for _ in 0..10 {
            assert_eq!(poll(&mut signal.given(), &count), Poll::Pending);
        }
        assert!(signal.0.waiting.lock().expect("nobody panicked").is_empty());
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
