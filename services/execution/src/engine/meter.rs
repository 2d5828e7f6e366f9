//! What is counted of workers and their tasks.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// What is counted of workers in a process.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    workers: Gauge,
    waiting: Gauge,
    working: Gauge,
    pub(super) handed: Counter,
    pub(super) lost: Counter,
    pub(super) stale: Counter,
}

impl Meter {
    /// Shows the counters in a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let Self { workers, waiting, working, handed, lost, stale } = self;
        registry.register("workers", "Workers that are attached, or may come back", workers.clone());
        registry.register("tasks_waiting", "Tasks that wait for a worker or a limit", waiting.clone());
        registry.register("tasks_working", "Tasks that workers have", working.clone());
        registry.register("tasks_handed", "Tasks that were given to workers", handed.clone());
        registry.register("tasks_lost", "Tasks that were lost with their worker", lost.clone());
        registry.register("tasks_stale", "Results of workers that counted for nothing", stale.clone());
    }
}

/// What one shard adds to what is counted, for as long as it is open.
pub(super) struct Counted {
    meter: Arc<Meter>,
    has: [AtomicI64; 3],
}

impl Counted {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, has: Default::default() }
    }

    pub(super) fn set(&self, now: [usize; 3]) {
        let gauges = [&self.meter.workers, &self.meter.waiting, &self.meter.working];
        for ((gauge, has), now) in gauges.into_iter().zip(&self.has).zip(now) {
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            gauge.inc_by(now - has.swap(now, Ordering::Relaxed));
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set([0; 3]);
    }
}
