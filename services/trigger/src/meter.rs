//! What is counted of webhooks, for whoever runs the mesh.

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Counters of one service.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    refused: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Meter {
    /// A request was refused.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&[("reason", reason)]).inc();
    }

    /// Shows the counters in a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "webhooks_refused",
            "Webhooks that were not taken, by reason",
            self.refused.clone(),
        );
    }
}
