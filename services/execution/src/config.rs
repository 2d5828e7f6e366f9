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
    /// How many tasks of one project its workers may do at once, in one process; others wait for their turn. They do not count
    /// as steps that act outside.
    pub max_tasks_per_project: usize,
    /// How many workers a project may have attached at once; more are refused.
    pub max_workers_per_project: usize,
    /// How often a worker is to send something. One that is silent for three times as long has lost its stream.
    #[serde(with = "humantime_serde")]
    pub worker_heartbeat: Duration,
    /// How long a worker whose stream has ended may take to come back before its tasks are given to others.
    #[serde(with = "humantime_serde")]
    pub worker_grace: Duration,
    /// Shares of projects in these turns, where they are not 1: a project with 3 begins three steps while others begin
    /// one.
    pub weights: BTreeMap<String, u32>,
    /// How long one attempt of a step may act outside, unless its node says otherwise.
    #[serde(with = "humantime_serde")]
    pub step_timeout: Duration,
    /// How large what a step gives may be, in bytes as JSON.
    pub max_value_bytes: usize,
    /// Networks of this machine or private ones that HTTP requests and SQL statements of workflows may reach, for
    /// example "10.1.0.0/16". All others of that kind are refused.
    pub http_networks: Vec<Network>,
    /// How much fuel one call of a `code` node may have, about one for each instruction.
    pub code_max_fuel: u64,
    /// How much memory it may have, in bytes. As many calls run at once as there are cores.
    pub code_max_memory: usize,
    /// How long it may take, whatever its node says.
    #[serde(with = "humantime_serde")]
    pub code_timeout: Duration,
    /// How large a module may be, in bytes.
    pub code_max_module_bytes: usize,
    /// How large an object of a project may be, in bytes.
    pub max_object_bytes: u64,
    /// How many objects a project may have.
    pub max_objects_per_project: u64,
    /// How many bytes they may have together, with what is being written and what was replaced or deleted in the last
    /// hour.
    pub max_object_bytes_per_project: u64,
    /// How many results of steps a project keeps for those that would do the same again; the oldest are forgotten.
    pub max_kept_results_per_project: u64,
    /// How many bytes they may have together.
    pub max_kept_result_bytes_per_project: u64,
    /// How often a watch with nothing to tell gives a sign of life.
    #[serde(with = "humantime_serde")]
    pub watch_heartbeat: Duration,
    /// How long executions are kept after they ended.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// How long what steps publish to topics is kept, whether anybody has looked at it or not.
    #[serde(with = "humantime_serde")]
    pub message_retention: Duration,
    /// Where several processes share a database: how long one that died keeps others from its executions. It writes once in a
    /// third of that time.
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
            max_tasks_per_project: 10_000,
            max_workers_per_project: 200,
            worker_heartbeat: Duration::from_secs(5),
            worker_grace: Duration::from_secs(2),
            weights: BTreeMap::new(),
            step_timeout: Duration::from_mins(5),
            max_value_bytes: 4 << 20,
            http_networks: Vec::new(),
            code_max_fuel: 10_000_000_000,
            code_max_memory: 256 << 20,
            code_timeout: Duration::from_mins(1),
            code_max_module_bytes: 4 << 20,
            max_object_bytes: 256 << 20,
            max_objects_per_project: 10_000,
            max_object_bytes_per_project: 10 << 30,
            max_kept_results_per_project: 10_000,
            max_kept_result_bytes_per_project: 64 << 20,
            watch_heartbeat: Duration::from_secs(15),
            retention: Duration::from_hours(30 * 24),
            message_retention: Duration::from_hours(7 * 24),
            shard_lease: Duration::from_secs(3),
        }
    }
}
