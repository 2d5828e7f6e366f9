//! Settings of the agent service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the agent service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How often agents send a heartbeat. Without one for three times as long an agent is Offline.
    #[serde(with = "humantime_serde")]
    pub heartbeat_interval: Duration,
    /// How long an agent whose connection was lost may take to come back before it is Offline.
    #[serde(with = "humantime_serde")]
    pub reconnect_grace: Duration,
    /// How long a program that holds an agent's session may take to answer when another one comes with the
    /// same key. One that does not is taken for gone.
    #[serde(with = "humantime_serde")]
    pub probe_timeout: Duration,
    /// How far an agent's clock may be off before it is Degraded.
    #[serde(with = "humantime_serde")]
    pub clock_tolerance: Duration,
    /// How often it is written down when agents were heard last.
    #[serde(with = "humantime_serde")]
    pub seen_interval: Duration,
    /// Agents that were Offline for so long are removed. None are if zero.
    #[serde(with = "humantime_serde")]
    pub remove_offline_after: Duration,
    /// How long followers of the fleet can still learn of a removal.
    #[serde(with = "humantime_serde")]
    pub removals_kept: Duration,
    /// How often a watch with nothing to tell gives a sign of life.
    #[serde(with = "humantime_serde")]
    pub watch_heartbeat: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(30),
            reconnect_grace: Duration::from_secs(15),
            probe_timeout: Duration::from_secs(3),
            clock_tolerance: Duration::from_mins(1),
            seen_interval: Duration::from_mins(5),
            remove_offline_after: Duration::ZERO,
            removals_kept: Duration::from_hours(7 * 24),
            watch_heartbeat: Duration::from_secs(15),
        }
    }
}
