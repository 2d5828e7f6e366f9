//! Waiting for somebody else, and for how long.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// How long something may stand still. Nothing is set up before it does for the first time, and
/// going on again costs nothing: the timer is put right when it rings.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: None, timer: None }
    }

    /// It stands still, at least since the first of these calls in a row. Ready when that is too long;
    /// otherwise the task is woken then.
    pub(super) fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let end = since + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        loop {
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            // It was set when something else was waited for.
            timer.as_mut().reset(end);
        }
    }

    /// It goes on.
    pub(super) fn goes_on(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_standing_still_in_one_piece_counts() {
        let mut patience = Patience::new(Duration::from_secs(10));
        let began = Instant::now();
        for _ in 0..5 {
            let over = tokio::time::timeout(Duration::from_secs(9), poll_fn(|cx| patience.poll_over(cx)));
            assert!(over.await.is_err(), "it went on before");
            patience.goes_on();
        }
        poll_fn(|cx| patience.poll_over(cx)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(5 * 9 + 10));
    }
}
