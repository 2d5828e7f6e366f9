//! Results of steps that are kept for those that would do the same again.
//!
//! Nothing depends on them: where the store does not answer, a step does its work, and what cannot be kept is not. Two steps
//! that miss the same result at the same time both do the work, and the later one's is kept. Nor does a step wait for a store
//! that hangs: longer than it may take, after it was stopped, or so long that there is little time left for its work.

use std::{future::Future, sync::Arc, time::Duration};

use serde_json::Value as Json;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use weft_kit::Clock;
use weft_store::{Areas, KeptResult, KeptResultStore, MostKept, StoreError, Timestamp};

use crate::{
    Options,
    domain::{cache::Asked, fault::StepError},
};

/// Largest result that is kept, in bytes as JSON.
const LARGEST: usize = 256 << 10;
/// How long the store is waited for, each time, and which part of the time that a step has left.
const WAIT: Duration = Duration::from_secs(5);
const PART: u32 = 4;
/// Results that are forgotten in one write.
const AT_ONCE: u32 = 1_000;

pub(crate) struct Kept {
    store: Arc<dyn KeptResultStore>,
    most: MostKept,
    clock: Clock,
}

/// What one step may have of another, or leave to others.
pub(crate) struct Wanted<'a> {
    pub(crate) project: &'a str,
    pub(crate) asked: &'a Asked,
    /// Whether it may have one that is kept.
    pub(crate) is_found: bool,
    /// The name of its execution.
    pub(crate) maker: String,
    /// When its time is over.
    pub(crate) until: Instant,
    /// It is to end.
    pub(crate) stop: &'a CancellationToken,
}

impl Wanted<'_> {
    /// What the store answers, if it does so in time.
    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let left = self.until.saturating_duration_since(Instant::now());
        tokio::select! {
            biased;
            answer = timeout(WAIT.min(left / PART), answer) => {
                if answer.is_err() {
                    tracing::warn!("the store of kept results does not answer");
                }
                answer.ok()
            }
            () = self.stop.cancelled() => None,
        }
    }
}

impl Kept {
    pub(crate) fn new(store: Arc<dyn KeptResultStore>, options: &Options, clock: Clock) -> Self {
        let most = MostKept {
            count: i64::try_from(options.max_kept_results_per_project).unwrap_or(i64::MAX),
            bytes: i64::try_from(options.max_kept_result_bytes_per_project).unwrap_or(i64::MAX),
        };
        Self { store, most, clock }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }

    /// A result that is kept, with the name of the execution that has made it; or what the work gives, which is kept then.
    pub(crate) async fn found_or(
        &self,
        wanted: Wanted<'_>,
        work: impl Future<Output = Result<Json, StepError>>,
    ) -> Result<(Json, Option<String>), StepError> {
        if wanted.is_found
            && let Some((value, from)) =
                wanted.in_time(self.find(wanted.project, wanted.asked)).await.flatten()
        {
            return Ok((value, Some(from)));
        }
        let value = work.await?;
        let keep = self.keep(wanted.project, wanted.asked, &value, wanted.maker.clone());
        // It is done, whether it is kept or not.
        let _ = wanted.in_time(keep).await;
        Ok((value, None))
    }

    /// A result, and the name of the execution that has made it.
    async fn find(&self, project: &str, asked: &Asked) -> Option<(Json, String)> {
        let found = self.store.get_result(project, &asked.area, asked.digest, self.now()).await;
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "a kept result was not looked for");
            None
        })?;
        Some((serde_json::from_slice(&found.bytes).ok()?, found.maker))
    }

    /// Keeps a result.
    async fn keep(&self, project: &str, asked: &Asked, value: &Json, maker: String) {
        let Ok(bytes) = serde_json::to_vec(value) else { return };
        if bytes.len() > LARGEST {
            return;
        }
        let made = self.now();
        let expires = Timestamp::from_micros(made.as_micros().saturating_add(asked.ttl));
        let result = KeptResult {
            project: project.to_owned(),
            area: asked.area.clone(),
            digest: asked.digest,
            bytes: bytes.into(),
            maker,
            made,
            expires: expires.min(Timestamp::MAX),
        };
        if let Err(error) = self.store.put_result(result, self.most).await {
            tracing::warn!(%error, "a result was not kept");
        }
    }

    /// Forgets results of a project; says how many.
    pub(crate) async fn clear(&self, project: &str, areas: Areas<'_>) -> Result<u64, StoreError> {
        self.store.purge_results(project, areas).await
    }

    /// Forgets some that are good no more; whether there may be others.
    pub(crate) async fn sweep(&self) -> Result<bool, StoreError> {
        Ok(self.store.forget_results(self.now(), AT_ONCE).await? == u64::from(AT_ONCE))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::sleep;

    use super::*;

    /// A store that answers nobody.
    struct Hanging;

    #[tonic::async_trait]
    impl KeptResultStore for Hanging {
        async fn get_result(
            &self,
            _: &str,
            _: &str,
            _: [u8; 32],
            _: Timestamp,
        ) -> Result<Option<KeptResult>, StoreError> {
            std::future::pending().await
        }

        async fn put_result(&self, _: KeptResult, _: MostKept) -> Result<(), StoreError> {
            std::future::pending().await
        }

        async fn forget_results(&self, _: Timestamp, _: u32) -> Result<u64, StoreError> {
            std::future::pending().await
        }

        async fn purge_results(&self, _: &str, _: Areas<'_>) -> Result<u64, StoreError> {
            std::future::pending().await
        }
    }

    /// What a step gives over a store that hangs, and how long that takes. Its work takes a second.
    async fn given(limit: Duration, stop: &CancellationToken) -> (Json, Duration) {
        let kept = Kept::new(Arc::new(Hanging), &Options::default(), Clock::manual(std::time::UNIX_EPOCH));
        let asked = Asked { area: "names/a".to_owned(), digest: [0; 32], ttl: 1_000_000 };
        let begun = Instant::now();
        let wanted = Wanted {
            project: "p",
            asked: &asked,
            is_found: true,
            maker: "projects/p/executions/e".to_owned(),
            until: begun + limit,
            stop,
        };
        let work = async {
            sleep(Duration::from_secs(1)).await;
            Ok(json!(7))
        };
        let (value, from) = kept.found_or(wanted, work).await.expect("its work is done");
        assert_eq!(from, None);
        (value, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_keeps_no_step() {
        let goes_on = CancellationToken::new();
        let (value, took) = given(Duration::from_mins(10), &goes_on).await;
        assert_eq!((value, took), (json!(7), WAIT + Duration::from_secs(1) + WAIT));
        // There is time for the work, and none is taken beyond what the step has.
        let limit = Duration::from_secs(2);
        let (value, took) = given(limit, &goes_on).await;
        assert!(value == json!(7) && took <= limit, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_is_stopped_does_not_wait_for_what_is_kept() {
        for after in [Duration::from_secs(2), WAIT + Duration::from_secs(3)] {
            let stop = CancellationToken::new();
            let ((_, took), ()) = tokio::join!(given(Duration::from_mins(10), &stop), async {
                sleep(after).await;
                stop.cancel();
            });
            // The work itself sees by other ways that it is to stop.
            assert!(took <= after + Duration::from_secs(1), "{took:?}");
        }
    }
}
