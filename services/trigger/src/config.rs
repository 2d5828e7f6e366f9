//! Settings of the trigger service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the trigger service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long deliveries are kept, and one that comes again is told from a new one.
    #[serde(with = "humantime_serde")]
    pub delivery_retention: Duration,
    /// How long dead letters are kept: deliveries of which no run could be started for good.
    #[serde(with = "humantime_serde")]
    pub dead_letter_retention: Duration,
    /// How many bytes of what came with deliveries are kept in each project, to be looked at and redelivered; and as many
    /// of its dead letters, and of what was refused. The oldest is forgotten first.
    pub kept_bytes_per_project: u64,
    /// How many runs may be about to be started at once; others wait for their turn.
    pub max_starting: usize,
    /// How many deliveries that wait to be started are held in memory; more wait on disk.
    pub max_waiting: usize,
    /// The pause before it is tried again to start a run; it doubles with each failure, up to five minutes.
    #[serde(with = "humantime_serde")]
    pub retry_pause: Duration,
    /// After how long it is given up to start a run.
    #[serde(with = "humantime_serde")]
    pub give_up_after: Duration,
    /// Requests of one webhook that are taken in a second where it does not say itself, ten seconds' worth at once; in each
    /// process.
    pub webhooks_per_second: u32,
    /// Addresses of webhooks that one address on the network may name in a second though nothing is there, ten seconds' worth
    /// at once; in each process.
    pub guesses_per_second: u32,
    /// Events of one trigger that start runs in a second, ten seconds' worth at once; more wait for their turn, up to ten
    /// minutes, and those after them are refused.
    pub max_events_per_second: u32,
    /// How many runs may lead to a run, each by its end or a message: further ones are not started.
    pub max_depth: u32,
    /// Where several processes share a database: how long one that died keeps others from its ticks.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delivery_retention: Duration::from_hours(24),
            dead_letter_retention: Duration::from_hours(7 * 24),
            kept_bytes_per_project: 64 << 20,
            max_starting: 64,
            max_waiting: 10_000,
            retry_pause: Duration::from_secs(1),
            give_up_after: Duration::from_hours(24),
            webhooks_per_second: 500,
            guesses_per_second: 1,
            max_events_per_second: 50,
            max_depth: 8,
            lease: Duration::from_secs(15),
        }
    }
}
