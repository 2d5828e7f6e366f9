//! The time that a client has for the head of a request, over one timer for a connection.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt;
use tokio::time::{self, sleep_until};

/// Makes timers for one connection, which has one of them at a time.
///
/// HTTP/1 starts a timer before each head and drops it when the head is there, most often at once. With this one it is set
/// again only when it rings: a connection that is busy sets it every few seconds, not with each request.
#[derive(Clone, Debug, Default)]
pub(super) struct HeadTimer(Arc<Mutex<Option<Pin<Box<time::Sleep>>>>>);

impl rt::Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Until { deadline: deadline.into(), timer: self.clone() })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into()
    }
}

struct Until {
    deadline: time::Instant,
    timer: HeadTimer,
}

impl rt::Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timer = self.timer.0.lock().unwrap_or_else(PoisonError::into_inner);
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(self.deadline)));
        if timer.deadline() > self.deadline {
            timer.as_mut().reset(self.deadline);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            // It rang for a head that came in time.
            timer.as_mut().reset(self.deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use hyper::rt::Timer;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_head_has_its_whole_time() {
        let timer = HeadTimer::default();
        let began = time::Instant::now();
        let mut first = timer.sleep(10 * SECOND);
        assert!((&mut first).now_or_never().is_none());
        time::sleep(9 * SECOND).await;
        drop(first);
        timer.sleep(10 * SECOND).await;
        assert_eq!(began.elapsed(), 19 * SECOND);
        // One that rang is of use again, also for less time.
        timer.sleep(3 * SECOND).await;
        assert!(timer.sleep(10 * SECOND).now_or_never().is_none());
        timer.sleep(SECOND).await;
        assert_eq!(began.elapsed(), 23 * SECOND);
    }
}
