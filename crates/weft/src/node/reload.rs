//! The configuration while the node runs: when it is read again, and what of it takes effect.

use std::{collections::BTreeSet, path::Path, time::Duration};

use futures::{Stream, StreamExt};
use serde_json::Value;
use weft_gateway::Keeper;

use super::Node;
use crate::config::{Config, Source};

/// How often the file is looked at. What is in it counts, not its time; and it counts when two looks agree, so
/// that half of a file that somebody is writing does not.
const INTERVAL: Duration = Duration::from_millis(200);

/// Follows the configuration of `node` until its end.
pub(super) fn start(node: &Node, source: Source, hangups: impl Stream<Item = ()> + Send + 'static) {
    let mut following = Following { source, running: node.config.clone(), keeper: node.keeper.clone() };
    let draining = node.lifecycle.draining_token();
    node.lifecycle.spawn_future(async move {
        let mut hangups = std::pin::pin!(hangups);
        let mut taken = following.content().await;
        // What was written while the node started, after it had read its configuration, is not lost.
        if following.source.read().is_ok_and(|now| is_behind(&following.running, &now)) {
            following.read_again();
        }
        let mut seen = taken.clone();
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {
                    let now = following.content().await;
                    // A file that is gone, for a moment or for good, says nothing.
                    if now.is_some() && now == seen && now != taken {
                        taken = now;
                        following.read_again();
                    } else {
                        seen = now;
                    }
                }
                Some(()) = hangups.next() => {
                    taken = following.content().await;
                    following.read_again();
                }
                () = draining.cancelled() => return,
            }
        }
    });
}

struct Following {
    source: Source,
    running: Config,
    keeper: Option<Keeper>,
}

impl Following {
    /// What the file holds; `None` where there is none, or it cannot be read now.
    async fn content(&self) -> Option<Vec<u8>> {
        let file: &Path = self.source.file.as_deref()?;
        tokio::fs::read(file).await.ok()
    }

    /// Takes what can change while the node runs; all or nothing.
    fn read_again(&mut self) {
        let config = match self.source.read() {
            Ok(config) => config,
            Err(error) => {
                return tracing::warn!(%error, "the new configuration is not right; the old one stays");
            }
        };
        let waiting: Vec<String> = waiting(&self.running, &config).into_iter().collect();
        if !waiting.is_empty() {
            tracing::warn!(sections = waiting.join(", "), "these changes wait for the next start");
        }
        if let Some(keeper) = &self.keeper {
            keeper.apply(&config.gateway.upstreams);
        }
        tracing::info!("the configuration was read again");
    }
}

/// Whether something else is wanted of what can change while the node runs.
fn is_behind(running: &Config, wanted: &Config) -> bool {
    running.gateway.upstreams != wanted.gateway.upstreams
}

/// Sections that differ from what runs, and cannot change while it does.
fn waiting(running: &Config, wanted: &Config) -> BTreeSet<String> {
    let sections = |config: &Config| {
        let mut config = config.clone();
        config.gateway.upstreams.clear();
        serde_json::to_value(config).unwrap_or(Value::Null)
    };
    let (running, wanted) = (sections(running), sections(wanted));
    let keys = running.as_object().into_iter().flatten();
    keys.filter(|(key, value)| wanted.get(key) != Some(value)).map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use weft_gateway::UpstreamOptions;

    use super::*;

    #[test]
    fn upstreams_take_effect_and_the_rest_waits() {
        let running = Config::default();
        let mut wanted = running.clone();
        assert!(!is_behind(&running, &wanted));
        wanted.gateway.upstreams.insert("theirs".into(), UpstreamOptions::default());
        assert!(waiting(&running, &wanted).is_empty());
        assert!(is_behind(&running, &wanted));
        wanted.gateway.title = "another".into();
        wanted.limits.max_calls += 1;
        assert_eq!(Vec::from_iter(waiting(&running, &wanted)), ["gateway", "limits"]);
    }
}
