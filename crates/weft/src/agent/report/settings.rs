//! What an agent reports of its host.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The `[telemetry]` of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetrySettings {
    /// How often the host is read; zero: never, and nothing is reported.
    #[serde(with = "humantime_serde")]
    pub(crate) interval: Duration,
    /// Most bytes that are kept on disk while the mesh is away; the oldest go first.
    pub(crate) spool_bytes: u64,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(2), spool_bytes: 64 << 20 }
    }
}

impl TelemetrySettings {
    /// Whether nobody has written anything: then it is left to whoever does.
    pub(crate) fn is_untouched(&self) -> bool {
        *self == Self::default()
    }
}
