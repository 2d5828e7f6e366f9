//! Which connections and streams are cut off, and what for: counted, and logged for whoever asks.

use std::net::SocketAddr;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use crate::metrics::Metrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    why: &'static str,
}

/// Counts what is cut off. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Cuts(Family<Labels, Counter>);

impl Cuts {
    /// Counts them among `metrics`: `weft_server_cut_total`.
    pub(super) fn register(&self, metrics: &Metrics) {
        metrics.register("server", |registry| {
            registry.register("cut", "Connections and streams cut off, by what for", self.0.clone());
        });
    }

    /// Somebody at `address` is cut off.
    pub(super) fn count(&self, why: &'static str, address: SocketAddr) {
        self.0.get_or_create(&Labels { why }).inc();
        tracing::debug!(%address, why, "cut off");
    }
}
