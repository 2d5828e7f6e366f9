//! Settings of the command service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the command service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long a command waits for its agent if nobody says: then it fails, with reason `EXPIRED`.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
    /// How often a watch with nothing to tell gives a sign of life.
    #[serde(with = "humantime_serde")]
    pub watch_heartbeat: Duration,
    /// How old what is remembered of command types and of agents' identities may be: so long a change that
    /// another process made is not seen.
    #[serde(with = "humantime_serde")]
    pub remembered: Duration,
    /// The job engine.
    pub jobs: weft_jobs::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttl: Duration::from_hours(24),
            watch_heartbeat: Duration::from_secs(15),
            remembered: Duration::from_secs(5),
            // Three heartbeats of an agent.
            jobs: weft_jobs::Options {
                worker_lease: Duration::from_secs(90),
                max_output_bytes: 1 << 20,
                ..weft_jobs::Options::default()
            },
        }
    }
}
