//! Letting a connection write at once what several tasks have to say at the same time.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

/// Polls `connection` only after those that can run already. Whoever wakes a connection of HTTP/2 is a task
/// that has something to send over it, and there may be more of them: they go first, and one write to the
/// socket does for all. Where there are none it is polled at once.
pub(crate) fn together<F: Future + Unpin>(mut connection: F) -> impl Future<Output = F::Output> {
    let mut has_waited = false;
    poll_fn(move |context| {
        has_waited = !has_waited;
        if has_waited {
            // A task that wakes itself goes to the end of its queue.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut connection).poll(context)
    })
}
