//! Settings of the execution service.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use weft_kit::config::Network;

/// Settings of the execution service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many executions may be at work at once; more are refused. Those that wait for a time, a signal or a person
    /// do not count.
    pub max_active: usize,
    /// How many of them may be of one project.
    pub max_active_per_project: usize,
    /// How many steps of all executions may act outside at once; others wait for their turn.
    pub max_outside: usize,
    /// How many of them may be of one project.
    pub max_outside_per_project: usize,
    /// Shares of projects in these turns, where they are not 1: a project with 3 begins three steps while others begin
    /// one.
    pub weights: BTreeMap<String, u32>,
    /// How long one attempt of a step may act outside, unless its node says otherwise.
    #[serde(with = "humantime_serde")]
    pub step_timeout: Duration,
    /// How large what a step gives may be, in bytes as JSON.
    pub max_value_bytes: usize,
    /// Networks of this machine or private ones that HTTP requests of workflows may reach, for example
    /// "10.1.0.0/16". All others of that kind are refused.
    pub http_networks: Vec<Network>,
    /// How often a watch with nothing to tell gives a sign of life.
    #[serde(with = "humantime_serde")]
    pub watch_heartbeat: Duration,
    /// How long executions are kept after they ended.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// How long what steps publish to topics is kept, whether anybody has looked at it or not.
    #[serde(with = "humantime_serde")]
    pub message_retention: Duration,
    /// Where several processes share a database: how long one that died keeps others from its executions.
    #[serde(with = "humantime_serde")]
    pub shard_lease: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_active: 100_000,
            max_active_per_project: 50_000,
            max_outside: 2_000,
            max_outside_per_project: 1_000,
            weights: BTreeMap::new(),
            step_timeout: Duration::from_mins(5),
            max_value_bytes: 4 << 20,
            http_networks: Vec::new(),
            watch_heartbeat: Duration::from_secs(15),
            retention: Duration::from_hours(30 * 24),
            message_retention: Duration::from_hours(7 * 24),
            shard_lease: Duration::from_secs(15),
        }
    }
}
