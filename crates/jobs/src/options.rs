//! What can be set.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// Settings of the job engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many jobs may be queued or executing; more are refused. One takes 150 to 700
    /// bytes of memory: least in large batches, most in one of its own.
    pub max_jobs: usize,
    /// How long a worker may be silent before its jobs are given to others.
    #[serde(with = "humantime_serde")]
    pub worker_lease: Duration,
    /// Where several processes share a database: how long one that died keeps others from its jobs.
    #[serde(with = "humantime_serde")]
    pub shard_lease: Duration,
    /// How much of the payloads of queued jobs is kept in memory, in bytes; the others are read when they start.
    pub payload_bytes: usize,
    /// How much output of one attempt is kept, in bytes; what comes after is dropped.
    pub max_output_bytes: u32,
    /// How long jobs are kept after they ended.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// Shares of projects, where they are not 1: a project with 3 starts three jobs while others start one.
    pub weights: BTreeMap<String, u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_jobs: 2_000_000,
            worker_lease: Duration::from_secs(10),
            shard_lease: Duration::from_secs(15),
            payload_bytes: 64 << 20,
            max_output_bytes: 4 << 20,
            retention: Duration::from_hours(30 * 24),
            weights: BTreeMap::new(),
        }
    }
}
