//! Where code runs: on threads of its own, no more than there are cores, with modules that were compiled before.

use std::{
    num::NonZero,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    guest::{self, Limits},
    program::Program,
};
use crate::{Options, domain::fault::StepError};

/// Compiled modules that are kept, by the bytes of their binaries: compiled they have several times as many.
const KEPT_BYTES: u64 = 16 << 20;
/// What a small module counts as.
const LEAST_BYTES: u64 = 16 << 10;

type Programs = Cache<[u8; 32], Arc<Program>, BySize>;

/// Runs code. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sandbox {
    turns: Arc<Semaphore>,
    #[cfg(test)]
    cores: usize,
    programs: Arc<Programs>,
    most: Limits,
    timeout: Duration,
    most_module_bytes: usize,
    most_bytes: usize,
}

/// A module that is to be called.
pub(super) struct Binary {
    pub(super) digest: [u8; 32],
    /// Absent where it was compiled before.
    pub(super) bytes: Option<Bytes>,
}

impl Binary {
    pub(super) fn of(bytes: Bytes) -> Self {
        Self { digest: Sha256::digest(&bytes).into(), bytes: Some(bytes) }
    }
}

#[derive(Clone)]
struct BySize;

impl Weighter<[u8; 32], Arc<Program>> for BySize {
    fn weight(&self, _: &[u8; 32], program: &Arc<Program>) -> u64 {
        (program.size as u64).max(LEAST_BYTES)
    }
}

/// A cache in one piece: of one in shards none keeps what is larger than its own share, which is less the more cores
/// there are.
fn programs(most_module_bytes: usize) -> Programs {
    let kept = KEPT_BYTES.max(2 * most_module_bytes as u64);
    let mut options = OptionsBuilder::new();
    options.estimated_items_capacity((kept / LEAST_BYTES) as usize).weight_capacity(kept).shards(1);
    let options = options.build().expect("both capacities are given");
    Cache::with_options(options, BySize, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

impl Sandbox {
    pub(crate) fn new(options: &Options) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            turns: Arc::new(Semaphore::new(cores)),
            #[cfg(test)]
            cores,
            programs: Arc::new(programs(options.code_max_module_bytes)),
            most: Limits { fuel: options.code_max_fuel, memory: options.code_max_memory },
            timeout: options.code_timeout,
            most_module_bytes: options.code_max_module_bytes,
            most_bytes: options.max_value_bytes,
        }
    }

    /// Calls the function that a request names. It ends soon after nobody waits for it any more.
    pub(super) async fn run(
        &self,
        module: Binary,
        request: Arc<Json>,
        limits: Limits,
    ) -> Result<Json, StepError> {
        let limits =
            Limits { fuel: limits.fuel.min(self.most.fuel), memory: limits.memory.min(self.most.memory) };
        let unwanted = CancellationToken::new();
        let _wanted = unwanted.clone().drop_guard();
        let closed = |_| StepError::passing("CANCELLED", "this process is about to stop");
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(closed)?;
        let sandbox = self.clone();
        let work = move || {
            let _turn = turn;
            let program = sandbox.program(&module)?;
            let begun = Instant::now();
            let stopped = || {
                if unwanted.is_cancelled() {
                    return Some(StepError::new("CANCELLED", "it was stopped"));
                }
                let limit = sandbox.timeout;
                let late = begun.elapsed() > limit;
                late.then(|| StepError::passing("TIMEOUT", format!("it took longer than {limit:?}")))
            };
            let function = request["function"].as_str().unwrap_or_default();
            guest::call(&program, (function, &request["input"]), limits, sandbox.most_bytes, &stopped)
        };
        let failed = |error| StepError::new("BUG", format!("a fault of the sandbox: {error}"));
        tokio::task::spawn_blocking(work).await.map_err(failed)?
    }

    /// The compiled module. Of those that need the same one, one compiles it.
    fn program(&self, module: &Binary) -> Result<Arc<Program>, StepError> {
        self.programs.get_or_insert_with(&module.digest, || {
            // It was there a moment ago, and others have taken its place.
            let gone = || StepError::passing("CODE_MODULE", "the module was forgotten just now");
            let bytes = module.bytes.as_ref().ok_or_else(gone)?;
            Program::compile(bytes, self.most_module_bytes).map(Arc::new)
        })
    }

    /// Whether a module was compiled before.
    pub(super) fn has(&self, digest: &[u8; 32]) -> bool {
        self.programs.get(digest).is_some()
    }

    pub(super) fn most_module_bytes(&self) -> usize {
        self.most_module_bytes
    }

    /// Calls that have a thread.
    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        self.cores - self.turns.available_permits()
    }

    /// Comes back when no call has a thread.
    #[cfg(test)]
    pub(super) async fn is_idle(&self) {
        drop(self.turns.acquire_many(self.cores as u32).await);
    }

    /// Modules that are kept.
    #[cfg(test)]
    pub(super) fn compiled(&self) -> usize {
        self.programs.len()
    }
}
