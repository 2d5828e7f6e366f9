//! Looks at the newest deliveries, for those who watch. Who watches the same shares them, and each is had no more often than
//! once in a while: so what watching costs does not grow with those who watch, nor with what comes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;
use weft_proto::weft::trigger::v1::Delivery;
use weft_store::DeliveryRow;

use crate::Error;

/// The least time between two looks at the same.
const PAUSE: Duration = Duration::from_secs(1);

/// Some that were found, the newest first, each with its row.
pub(crate) struct Page {
    pub(crate) found: Vec<(DeliveryRow, Delivery)>,
    /// After which one to go on, if there are more.
    pub(crate) next: Option<Uuid>,
}

/// What is looked at: those of one trigger, or all of a project.
type Of = (String, Option<Uuid>);

/// The last look at something, and when it began.
type Last<T> = tokio::sync::Mutex<Option<(Instant, Arc<T>)>>;

/// Looks that several share.
pub(crate) struct Looks<T>(Mutex<HashMap<Of, Arc<Last<T>>>>);

/// A share in the looks at something, for as long as somebody watches.
pub(crate) struct Share<T>(Arc<Last<T>>);

impl<T> Looks<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    pub(crate) fn share(&self, of: Of) -> Share<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // As many are left as there are things that somebody watches.
        all.retain(|_, last| Arc::strong_count(last) > 1);
        Share(Arc::clone(all.entry(of).or_default()))
    }
}

impl<T> Share<T> {
    /// A look that began at an instant or later. The first one waits for those that others have just had; all of them
    /// have it then.
    pub(crate) async fn since(
        &self,
        instant: Instant,
        look: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<Arc<T>, Error> {
        let mut last = self.0.lock().await;
        if let Some((at, found)) = &*last {
            if *at >= instant {
                return Ok(Arc::clone(found));
            }
            tokio::time::sleep_until(*at + PAUSE).await;
        }
        let at = Instant::now();
        let found = Arc::new(look.await?);
        *last = Some((at, Arc::clone(&found)));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_who_watch_the_same_look_once_a_second() {
        let looks = Looks::new();
        let count = AtomicU32::new(0);
        let look = async || Ok(count.fetch_add(1, Ordering::SeqCst));
        let of = |trigger: u128| ("p".to_owned(), Some(Uuid::from_u128(trigger)));
        let shares: Vec<_> = (0..100).map(|_| looks.share(of(1))).collect();
        let begun = Instant::now();
        // Woken ten times a second for ten seconds, whatever happens.
        for _ in 0..100 {
            let woken = Instant::now();
            let all = shares.iter().map(|share| share.since(woken, look()));
            let found = futures::future::try_join_all(all).await.unwrap();
            assert!(found.iter().all(|one| one == &found[0]), "what is shared is one");
            tokio::time::sleep_until(woken + Duration::from_millis(100)).await;
        }
        let seconds = begun.elapsed().as_secs() as u32;
        assert!(count.load(Ordering::SeqCst) <= seconds + 2, "{count:?} in {seconds} s");
        // What somebody else watches is another look, and of what nobody watches any more nothing is left.
        let other = looks.share(of(2));
        assert_eq!(*other.since(Instant::now(), async { Ok(7) }).await.unwrap(), 7);
        drop((shares, other));
        drop(looks.share(of(3)));
        assert_eq!(looks.0.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_is_no_older_than_what_it_is_for() {
        let looks = Looks::new();
        let share = looks.share(("p".to_owned(), None));
        let look = async || Ok(Instant::now());
        for wait in [0, 10, 500, 1_500] {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let asked = Instant::now();
            assert!(*share.since(asked, look()).await.unwrap() >= asked);
            assert!(asked.elapsed() <= PAUSE);
        }
        // One that failed is none.
        tokio::time::sleep(PAUSE).await;
        let failed = share.since(Instant::now(), async { Err(Error::Draining) }).await;
        assert!(matches!(failed, Err(Error::Draining)));
        let asked = Instant::now();
        assert!(*share.since(asked, look()).await.unwrap() >= asked);
    }
}
