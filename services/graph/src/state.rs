//! What the service holds, and every RPC works on.

use std::sync::Arc;

use tokio::sync::Semaphore;
use weft_bus::Bus;
use weft_kit::{Clock, Ids, Lifecycle, metrics::Metrics};
use weft_store::GraphStore;

use crate::{Options, live::Graphs};

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where graphs are kept.
    pub store: Arc<dyn GraphStore>,
    /// How processes tell each other what they wrote.
    pub bus: Arc<dyn Bus>,
    /// Time.
    pub clock: Clock,
    /// Identities.
    pub ids: Ids,
    /// Background work.
    pub lifecycle: Lifecycle,
    /// What is counted.
    pub metrics: Metrics,
}

pub(crate) struct State {
    pub(crate) graphs: Arc<Graphs>,
    pub(crate) ids: Ids,
    pub(crate) watches: Arc<Semaphore>,
    pub(crate) imports: Arc<Semaphore>,
    pub(crate) exports: Arc<Semaphore>,
}

impl State {
    pub(crate) fn new(options: Options, deps: Deps) -> Self {
        let places = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self {
            watches: places(options.max_watches),
            imports: places(options.max_imports),
            exports: places(options.max_exports),
            graphs: Graphs::new(options, deps.store, deps.bus, deps.clock, deps.lifecycle),
            ids: deps.ids,
        }
    }
}
