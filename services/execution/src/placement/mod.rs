//! Which process has which shard of executions, where several share a store: each shard is one process's at a time.
//!
//! ```text
//! attach.rs   the same for the streams of workers
//! keeping.rs  the lease is prolonged, shards are taken and given back
//! owners.rs   who has which shard, as this process knows it
//! route.rs    a call is answered here, or handed on once to who has its project's shard
//! ```
//!
//! A process that is alone with its store has all shards, no lease, and nothing to look up.

mod attach;
mod keeping;
mod owners;
mod route;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use tokio::sync::Notify;
use weft_kit::Clock;
use weft_members::{Members, Sharing};

use owners::Owners;

use crate::Options;

pub(crate) use self::{
    keeping::start,
    route::{Router, far, far_workers, relay},
};

/// Shards of a store that several processes can share.
pub(crate) const SHARDS: i32 = 16;

/// The processes that share executions, and who has which shard.
pub(crate) struct Placement {
    members: Members,
    owners: Owners,
    /// Who is there was learnt because a call went to the wrong process.
    learnt: Notify,
    pub(crate) meter: Meter,
}

/// What is counted of executions that are shared.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    members: Gauge,
    shards: Gauge,
    handed_on: Counter,
}

impl Meter {
    /// Shows the counters in a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let Self { members, shards, handed_on } = self;
        registry.register("members", "Processes that share executions, this one too", members.clone());
        registry.register("shards", "Shards of executions that this process has", shards.clone());
        registry.register(
            "calls_handed_on",
            "Calls that were handed on to the process that has the executions",
            handed_on.clone(),
        );
    }
}

impl Placement {
    /// For one of several processes.
    pub(crate) fn new(sharing: Sharing, clock: Clock, options: &Options) -> Self {
        let members = Members::new(sharing, clock, options.shard_lease);
        Self { members, owners: Owners::default(), learnt: Notify::new(), meter: Meter::default() }
    }
}

/// What a shard is known by when it is decided which process it belongs to.
fn key(shard: i32) -> [u8; 4] {
    shard.to_be_bytes()
}
