//! Results of steps that are kept for those that would do the same again.
//!
//! Nothing depends on them: where the store does not answer, a step does its work, and what cannot be kept is not. Two steps
//! that miss the same result at the same time both do the work, and the later one's is kept.

use std::sync::Arc;

use serde_json::Value as Json;
use weft_kit::Clock;
use weft_store::{Areas, KeptResult, KeptResultStore, MostKept, StoreError, Timestamp};

use crate::{Options, domain::cache::Asked};

/// Largest result that is kept, in bytes as JSON.
const LARGEST: usize = 256 << 10;
/// Results that are forgotten in one write.
const AT_ONCE: u32 = 1_000;

pub(crate) struct Kept {
    store: Arc<dyn KeptResultStore>,
    most: MostKept,
    clock: Clock,
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

    /// A result, and the name of the execution that has made it.
    pub(crate) async fn find(&self, project: &str, asked: &Asked) -> Option<(Json, String)> {
        let found = self.store.get_result(project, &asked.area, asked.digest, self.now()).await;
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "a kept result was not looked for");
            None
        })?;
        Some((serde_json::from_slice(&found.bytes).ok()?, found.maker))
    }

    /// Keeps a result.
    pub(crate) async fn keep(&self, project: &str, asked: &Asked, value: &Json, maker: String) {
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
