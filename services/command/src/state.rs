//! What the service holds, and every RPC works on.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::sync::Cache;
use weft_jobs::Jobs;
use weft_kit::{
    Clock, Ids, Lifecycle, Peer,
    seal::{Code, Seal},
};
use weft_store::{CommandStore, JobStore, Timestamp};

use crate::{Options, agents::Agents, domain::schema::Schema, types::Types};

/// Result schemas of so many commands are kept compiled.
const RESULT_SCHEMAS: usize = 20_000;
/// Schemas that are kept compiled, whatever commands they are of.
const COMPILED: usize = 256;
/// The shard of the job engine that commands are in.
const SHARD: i32 = 0;

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where command types are kept.
    pub store: Arc<dyn CommandStore>,
    /// Where commands are kept.
    pub jobs: Arc<dyn JobStore>,
    /// The agent service, called in the name of this one.
    pub agents: Peer,
    /// The mesh's secret: what seals secret arguments is derived from it.
    pub mesh_secret: [u8; 32],
    /// The time.
    pub clock: Clock,
    /// New identities.
    pub ids: Ids,
    /// The process's life.
    pub lifecycle: Lifecycle,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Deps").finish_non_exhaustive()
    }
}

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn CommandStore>,
    pub(crate) jobs: Jobs,
    pub(crate) types: Types,
    pub(crate) agents: Agents,
    pub(crate) seal: Seal,
    /// Digests of requests that may have secrets in them.
    pub(crate) requests: Code,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) lifecycle: Lifecycle,
    /// What results of a command must follow, by the number of its batch; absent where that is not known.
    pub(crate) result_schemas: Cache<i64, Option<Arc<Schema>>>,
    /// Schemas by what they are: many commands have the same.
    pub(crate) compiled: Cache<Bytes, Arc<Schema>>,
}

impl State {
    pub(crate) fn open(options: Options, deps: Deps) -> Self {
        let jobs = weft_jobs::Deps {
            store: deps.jobs,
            clock: deps.clock.clone(),
            ids: deps.ids.clone(),
            lifecycle: deps.lifecycle.clone(),
        };
        Self {
            jobs: Jobs::start(SHARD, options.jobs.clone(), jobs),
            types: Types::new(Arc::clone(&deps.store), options.remembered),
            agents: Agents::new(deps.agents, options.remembered),
            seal: Seal::new(&deps.mesh_secret, "weft command arguments v1"),
            requests: Code::new(&deps.mesh_secret, "weft command requests v1"),
            options,
            store: deps.store,
            clock: deps.clock,
            ids: deps.ids,
            lifecycle: deps.lifecycle,
            result_schemas: Cache::new(RESULT_SCHEMAS),
            compiled: Cache::new(COMPILED),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}
